"""The budget: every pod of a pool is charged to it, whatever the pod does.

Pure. A pod counts once, among terminating, failed, pending, starting, switching and ready, in this
order of precedence; that it is outdated, or not the pool's own, is counted besides.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from argus_core.states import WorkerPhase
from argus_operator.pods import Pod, Trouble

_ON_THE_WAY = (WorkerPhase.DRAINING, WorkerPhase.LOADING)


@dataclass(frozen=True, kw_only=True)
class Account:
    """A pool's workers by what they do."""

    pool: str
    wanted: int
    """The budget."""
    ready: int = 0
    switching: int = 0
    starting: int = 0
    pending: int = 0
    failed: int = 0
    terminating: int = 0
    outdated: int = 0
    """Of an older template; counted besides."""
    strangers: int = 0
    """Pods that carry the pool's labels and are nobody's or another's; counted besides."""

    @property
    def charged(self) -> int:
        """Pods that there are."""
        return (
            self.ready
            + self.switching
            + self.starting
            + self.pending
            + self.failed
            + self.terminating
        )

    @property
    def exceeded(self) -> int:
        """Pods beyond the budget; 0 for none."""
        return max(0, self.charged - self.wanted)

    @property
    def away(self) -> int:
        """Workers of the budget that do not serve now."""
        return max(0, self.wanted - self.ready)


def standing(pod: Pod, phase: WorkerPhase | None) -> str:
    """Under which of an account's headings a pod is counted.

    `phase` is what the worker says of itself; None where it is not heard. Its word counts: whether
    Kubernetes finds the pod ready does not.
    """
    if pod.terminating or phase is WorkerPhase.STOPPING:
        return "terminating"
    if pod.trouble in (Trouble.FAILED, Trouble.CRASHING) or phase is WorkerPhase.FAILED:
        return "failed"
    if not pod.running:
        return "pending"
    if phase is WorkerPhase.READY:
        return "ready"
    return "switching" if phase in _ON_THE_WAY else "starting"


def account(
    pool: str,
    wanted: int,
    pods: Iterable[Pod],
    phases: Mapping[str, WorkerPhase | None],
    *,
    owner: str,
    revision: str,
) -> Account:
    """Count a pool's pods.

    Args:
        pool: its name.
        wanted: its size.
        pods: all that carry its labels.
        phases: by pod's name, what the worker says of itself.
        owner: name of the StatefulSet whose pods they shall be.
        revision: of its newest template; empty where that is not known.
    """
    counted = dict.fromkeys(
        ("ready", "switching", "starting", "pending", "failed", "terminating"), 0
    )
    outdated = strangers = 0
    for pod in pods:
        counted[standing(pod, phases.get(pod.name))] += 1
        outdated += is_outdated(pod, revision)
        strangers += pod.owner != owner
    return Account(pool=pool, wanted=wanted, outdated=outdated, strangers=strangers, **counted)


def is_outdated(pod: Pod, revision: str) -> bool:
    """Whether a pod was made by an older template and will be replaced."""
    return bool(revision) and not pod.terminating and pod.revision != revision


def _unheard(pod: Pod, phases: Mapping[str, WorkerPhase | None]) -> bool:
    """Whether a worker may well serve, though it is not heard: we may just have begun to listen."""
    return pod.ready and standing(pod, phases.get(pod.name)) == "starting"


def next_to_replace(
    pods: Iterable[Pod],
    phases: Mapping[str, WorkerPhase | None],
    *,
    revision: str,
    wanted: int,
    most_unavailable: int,
    spoken: bool | None = None,
) -> list[Pod]:
    """Outdated pods that are deleted now, so that the newest template takes their places.

    Those that serve nothing go at once, also those that start for ever: the newest template may
    be what mends them. One that serves goes only while no more than `most_unavailable` of the
    workers are away, whyever they are; by name, the last first. One that is not heard and that
    Kubernetes finds ready counts as away, and is left alone. One that no router can
    speak with any more goes at once, too.

    Args:
        pods: of a pool.
        phases: by pod's name, what the worker says of itself.
        revision: of the newest template.
        wanted: the pool's size.
        most_unavailable: workers that may be away for this.
        spoken: whether routers that are ready speak mutual TLS with workers; None where there are
            none, or some that do and others that do not.
    """
    pods = sorted(pods, key=lambda pod: (len(pod.name), pod.name), reverse=True)
    serving = [pod for pod in pods if standing(pod, phases.get(pod.name)) == "ready"]
    old = [pod for pod in pods if is_outdated(pod, revision)]
    deaf = [pod for pod in old if spoken is not None and pod.secured != spoken]
    rest = [pod for pod in old if pod not in deaf]
    idle = [pod for pod in rest if pod not in serving and not _unheard(pod, phases)]
    room = most_unavailable - (wanted - len(serving))
    return [*deaf, *idle, *[pod for pod in rest if pod in serving][: max(0, room)]]
