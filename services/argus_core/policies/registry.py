"""All policies by name."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from argus_core.errors import InvalidRequest
from argus_core.policies import clipper
from argus_core.policies.argus import Argus
from argus_core.policies.diffserve import DiffServe
from argus_core.policies.nirvana import Nirvana
from argus_core.policies.pac import Pac
from argus_core.policies.paper import Paper
from argus_core.policies.policy import Policy
from argus_core.policies.proteus import Proteus
from argus_core.policies.sommelier import Sommelier

POLICIES: Mapping[str, Callable[[], Policy]] = {
    "argus": Argus,
    "paper": Paper,
    "pac": Pac,
    "proteus": Proteus,
    "sommelier": Sommelier,
    "diffserve": DiffServe,
    "nirvana": Nirvana,
    "clipper-ha": clipper.highest_accuracy,
    "clipper-ht": clipper.highest_throughput,
}
"""What makes each policy, freshly; it then holds the state of one run. Argus's comes first."""


def make(name: str) -> Policy:
    """A fresh policy.

    Raises:
        InvalidRequest: there is none of that name.
    """
    factory = POLICIES.get(name)
    if factory is None:
        known = ", ".join(POLICIES)
        raise InvalidRequest.one("--policy", f"there is no policy {name!r}; there are {known}")
    return factory()
