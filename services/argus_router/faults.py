"""What follows from faults: who is ejected, what is refused, how long a worker may keep silent.

The arithmetic is `argus_core.outlier`, `quarantine` and `hedge`; here it is put to workers and
jobs, and each thing that happens is counted, and told in the log once.

Model: lives on the router's event loop; nothing here waits.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from enum import StrEnum

from argus_core.errors import ArgusError
from argus_core.hedge import Late, pays
from argus_core.outlier import Outliers
from argus_core.quarantine import Quarantine
from argus_core.spec import ClusterSpec
from argus_router.fleet import Fleet, Worker
from argus_router.job import Job
from argus_router.outlook import Outlook
from argus_router.run import Run

log = logging.getLogger(__name__)


class Fault(StrEnum):
    """What happened, as it is counted."""

    LOST = "lost"
    """An attempt, and the worker or the way to it is doubted."""
    HUNG = "hung"
    """An attempt that was given up since its worker told nothing."""
    EJECTED = "ejected"
    RETURNED = "returned"
    """A worker, after it was ejected."""
    QUARANTINED = "quarantined"
    """A prompt."""
    REFUSED = "refused"
    """An image of a prompt in quarantine."""
    HEDGED = "hedged"
    """An image that is drawn a second time."""
    HEDGE_WON = "hedge_won"
    """The second was there first."""


class Quarantined(ArgusError):
    """Workers were lost whenever this was drawn; ask for something else, or much later."""

    code = "FAILED_PRECONDITION"


class Faults:
    """See the module."""

    def __init__(
        self,
        spec: ClusterSpec,
        *,
        fleet: Fleet,
        outlook: Outlook,
        clock: Callable[[], float],
        tell: Callable[[Fault], None] = lambda _fault: None,
    ) -> None:
        self._terms = terms = spec.router.faults
        self._fleet, self._outlook, self._clock, self._tell = fleet, outlook, clock, tell
        self._quarantine = Quarantine(
            losses=terms.quarantine_losses, seconds=terms.quarantine_seconds
        )
        self._outliers = Outliers(
            after=terms.eject_after,
            share=terms.eject_share,
            seconds=terms.eject_seconds,
            most=terms.max_ejected_share,
        )

    def require(self, job: Job, images: int) -> None:
        """Make sure that what a request asks for is not in quarantine.

        Raises:
            Quarantined: it is.
        """
        if not len(self._quarantine):
            return
        if left := self._quarantine.held(fingerprint(job), self._clock()):
            for _ in range(images):
                self._tell(Fault.REFUSED)
            raise quarantined(left)

    def patience(self, job: Job, worker: Worker) -> float:
        """Seconds for which a worker may tell nothing of a job before it is given up."""
        longest = self._outlook.longest(job, worker)
        return max(self._terms.hang_floor_seconds, self._terms.hang_factor * longest)

    def drawn(self, job: Job, run: Run) -> None:
        """An attempt ended well."""
        run.worker.warming = False
        self._outliers.fine(run.worker.address, self._clock())
        if len(self._quarantine):
            self._quarantine.fine(fingerprint(job))
        if run.second:
            self._tell(Fault.HEDGE_WON)

    def lost(self, job: Job, run: Run, error: ArgusError) -> bool:
        """An attempt was lost, and its worker is doubted; whether the prompt is held now."""
        worker, now = run.worker, self._clock()
        log.warning("worker %s lost %s: %s", worker.name, job.request_id, error)
        self._tell(Fault.HUNG if run.given_up else Fault.LOST)
        held = self._quarantine.lost(fingerprint(job), worker.address, now)
        if held:
            self._tell(Fault.QUARANTINED)
            log.error(
                "what %s asks for is refused for %g s: different workers were lost with it",
                job.request_id,
                self._terms.quarantine_seconds,
            )
        self._blame(worker, now, grave=run.given_up)
        self._fleet.doubt(worker)
        return held

    def gone(self, worker: Worker) -> None:
        """A worker has left the roster."""
        self._outliers.gone(worker.address)

    def held_for(self, job: Job) -> float:
        """Seconds for which a job's prompt is in quarantine; 0 where it is not."""
        return self._quarantine.held(fingerprint(job), self._clock())

    def helper(self, run: Run) -> Worker | None:
        """An idle worker that should draw a job too, now that another is late with it."""
        job, now = run.job, self._clock()
        longest = self._outlook.longest(job, run.worker)
        if not self._terms.hedge or now - run.began <= longest or job.start is not None:
            return None
        variant = job.settled.level.variant
        idle = [w for w in self._fleet if w.idle and w is not run.worker]
        able = [w for w in idle if variant in w.loadout]
        if not able:
            return None
        helper = min(able, key=lambda w: (len(w.loadout), w.address))
        late = Late(
            elapsed=now - run.began,
            longest=longest,
            remaining=job.deadline - now,
            seconds=self._outlook.longest(job, helper),
            quality=job.settled.quality,
            price=job.settled.price,
        )
        slots = self._outlook.crew.all_slots
        if not pays(late, idle=sum(w.free for w in idle), slots=slots):
            return None
        self._tell(Fault.HEDGED)
        return helper

    def _blame(self, worker: Worker, now: float, *, grave: bool) -> None:
        seconds = self._outliers.failed(worker.address, now, of=len(self._fleet), grave=grave)
        if not seconds:
            return
        self._tell(Fault.EJECTED)
        log.warning("worker %s gets nothing for %g s: it failed too often", worker.name, seconds)
        self._fleet.eject(worker, seconds, lambda: self._returned(worker))

    def _returned(self, worker: Worker) -> None:
        self._tell(Fault.RETURNED)
        log.info("worker %s is let back in", worker.name)


def fingerprint(job: Job) -> int:
    """Of what a job asks for, whoever asks and with whatever seed."""
    request, size = job.terms.request, job.terms.size
    return hash((request.prompt, request.negative_prompt, size.width, size.height))


def quarantined(seconds: float) -> Quarantined:
    """What to tell a client whose prompt is in quarantine for so long."""
    return Quarantined(
        f"different workers were lost while they drew this; it is refused for {seconds:.0f} s"
    )
