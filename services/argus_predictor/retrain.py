"""Retraining while serving: in a process of its own, at the least priority, never for the worse.

Model: a task looks now and then whether enough was learnt since the last time; where quality has
drifted from what was predicted, less is enough. Then the labels are
written out and `python -m argus_predictor.training` makes a head of the profile and them, and says
whether it is better than the one in use on prompts that neither was trained on. Only such a head is
put to use. A training that fails is tried again with the next labels, not before.
"""

from __future__ import annotations

import asyncio
import logging
import os
import shutil
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path

from argus_predictor.service import Predictor
from argus_predictor.status import NOT_BETTER, WRITTEN

log = logging.getLogger(__name__)

_LOOK = 60.0
"""Seconds between looks."""
ENOUGH, ENOUGH_DRIFTED = 500, 100
"""New labels that are worth a training, and where some level's quality has drifted."""
_LONGEST = 1800.0
"""Seconds that a training may take."""
_LEAST = 19
"""Priority that gives way to all others."""


def is_due(labels: int, drifted: bool) -> bool:  # noqa: FBT001 - told in order
    """Whether so many new labels are worth a training; fewer are where quality has drifted."""
    return labels >= (ENOUGH_DRIFTED if drifted else ENOUGH)


class Retraining:
    """See the module."""

    def __init__(
        self,
        predictor: Predictor,
        *,
        profile: Path,
        scratch: Path,
        look: float = _LOOK,
        due: Callable[[int, bool], bool] = is_due,
    ) -> None:
        """`profile` is what the head in use was trained on; `scratch` is for what is under way."""
        assert predictor.labels is not None
        assert predictor.versions is not None
        self._predictor, self._profile, self._scratch = predictor, profile, scratch
        self._labels, self._versions = predictor.labels, predictor.versions
        self._look, self._due, self._seen = look, due, 0
        self.looked = False
        """Whether labels count from now on: those that there were before do not."""

    async def run(self) -> None:
        """Look and train, for ever."""
        _, self._seen = await self._count(0)
        self.looked = True
        while True:
            await asyncio.sleep(self._look)
            count, last = await self._count(self._seen)
            if self._due(count, bool(self._predictor.drifted)):
                self._seen = last
                await self.train()

    async def train(self) -> bool:
        """Train once; whether the new head is in use now."""
        folder = Path(tempfile.mkdtemp(dir=self._scratch, prefix="training-"))
        try:
            lines = folder / "labels.jsonl"
            await self._predictor.desk.do(lambda: self._labels.write(lines), within=60.0)
            status = await self._run(folder, lines)
            if status == WRITTEN:
                head = await asyncio.to_thread(self._versions.copy, folder / "head")
                await self._predictor.swap(head)
                return True
            outcome = "refused" if status == NOT_BETTER else "failed"
            self._predictor.metrics.heads.labels(outcome).inc()
            log.info("the head trained anew is not put to use: %s", outcome)
        except Exception:
            self._predictor.metrics.heads.labels("failed").inc()
            log.exception("training anew failed; the head in use stays")
        finally:
            shutil.rmtree(folder, ignore_errors=True)
        return False

    async def _count(self, number: int) -> tuple[int, int]:
        return await self._predictor.desk.do(lambda: self._labels.count_after(number), within=60.0)

    async def _run(self, folder: Path, lines: Path) -> int:
        command = [sys.executable, "-m", "argus_predictor.training", str(self._profile)]
        command += ["--labels", str(lines), "--out", str(folder / "head")]
        if self._predictor.head is not None:
            command += ["--against", str(self._versions.folder_of(self._predictor.head.version))]
        with (folder / "log").open("wb") as log_file:
            process = await asyncio.create_subprocess_exec(
                *command, stdout=log_file, stderr=log_file
            )
            os.setpriority(os.PRIO_PROCESS, process.pid, _LEAST)
            try:
                async with asyncio.timeout(_LONGEST):
                    status = await process.wait()
            except BaseException:
                process.kill()
                await process.wait()
                raise
        if status not in (WRITTEN, NOT_BETTER):
            said = (folder / "log").read_text(errors="replace")[-500:]
            log.warning("training ended with %d: %s", status, said)
        return status
