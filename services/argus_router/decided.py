"""What was decided for a request and why, in a line of the log; see `router.loggedShare`."""

from __future__ import annotations

import logging

from argus_router.answer import Prediction
from argus_router.job import Job

log = logging.getLogger(__name__)


def tell(job: Job, prediction: Prediction, *, prompts: bool) -> None:
    """Log a request's first decision: of its first image, as it stands on arrival."""
    job.context.run(log.info, "%s", line(job, prediction, prompts=prompts))


def line(job: Job, prediction: Prediction, *, prompts: bool) -> str:
    """The decision in a sentence: every level's predicted quality, and what spoke against it."""
    decision = job.decision
    source = f"priors ({prediction.fallback})" if prediction.fallback else prediction.model_version
    qualities = ", ".join(f"{level} {quality:.3f}" for level, quality in job.qualities.items())
    said = [f"{job.terms.request.count} images, tenant {job.terms.request.tenant or 'none'}"]
    if prompts:
        said.append(f"prompt {job.terms.request.prompt!r}")
    said.append(f"quality by {source}: {qualities}")
    if decision is None:
        said.append("undecided: no worker holds a variant for it")
        return "; ".join(said)
    price, seconds = decision.price, decision.completion
    said.append(f"{decision.level.name} at a price of {price:.4f}, done in {seconds:.2f} s: "
                f"{decision.reason}")  # fmt: skip
    said += [f"not {o.candidate.level.name}: {o.rejected}" for o in decision.options if o.rejected]
    return "; ".join(said)
