"""The Python client: `Client` for everyone, `AsyncClient` for asyncio.

    with Client("127.0.0.1:8000") as client:
        (picture,) = client.draw(Order(prompt="a large red circle", deadline=20))
        picture.save("circle.png")

Errors are the leaves of `argus_core.errors`, as the server raised them. A call is tried again,
within its deadline and a few times at most, where the error says that this may help.
"""

from argus_client.aio import AsyncClient
from argus_client.opening import Tls
from argus_client.order import Order
from argus_client.picture import Accepted, Decision, Event, Option, Picture, Progress, Timing
from argus_client.retry import Retry
from argus_client.sync import Client

__all__ = [
    "Accepted",
    "AsyncClient",
    "Client",
    "Decision",
    "Event",
    "Option",
    "Order",
    "Picture",
    "Progress",
    "Retry",
    "Timing",
    "Tls",
]
