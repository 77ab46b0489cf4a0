"""An order on its way through the engine."""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import dataclass, field

from argus_worker.order import Order
from argus_worker.outbox import Outbox
from argus_worker.sample import Sample


@dataclass(eq=False, kw_only=True)
class Job:
    """As the event loop knows it."""

    order: Order
    deadline: float
    """On the engine's clock."""
    submitted: float
    on_free: Callable[[], None]
    """Called on the event loop once another may be drawn in its stead; before `on_end`."""
    on_end: Callable[[], None]
    """Called on the event loop once the engine has let go of the job."""
    outbox: Outbox = field(default_factory=Outbox)
    _stop: threading.Event = field(default_factory=threading.Event)

    def cancel(self) -> None:
        """End the job at the next step; without effect when it is over."""
        self._stop.set()

    @property
    def cancelled(self) -> bool:
        """Whether nobody waits for the image any longer."""
        return self._stop.is_set()


@dataclass(eq=False, kw_only=True)
class Running:
    """A job with its sample, and where its time went, in seconds."""

    job: Job
    sample: Sample
    queue: float
    encode: float
    began: float
    denoised: float = 0.0
    """When its last step was taken, on the engine's clock."""

    @property
    def left(self) -> int:
        """Steps to take."""
        return self.job.order.steps - self.sample.done
