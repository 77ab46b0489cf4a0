"""One attempt under way: a job at a worker."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field
from typing import Any

from argus_router.fleet import Worker
from argus_router.job import Job


@dataclass(eq=False, kw_only=True)
class Run:
    """See the module. Times are seconds on the router's clock."""

    job: Job
    worker: Worker
    began: float
    heard: float
    """When the worker last told something of it."""
    patience: float
    """Seconds without a word after which it is given up."""
    had: float
    """Of its worker's time: `Worker.each` when it began, until it ends; then what it had."""
    second: bool = False
    """Whether it was begun while another was under way."""
    given_up: bool = False
    task: asyncio.Task[Any] | None = field(default=None, repr=False)

    def cancel(self) -> None:
        """End it; the work ends at the worker's next step."""
        if self.task is not None:
            self.task.cancel()
