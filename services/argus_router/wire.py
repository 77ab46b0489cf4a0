"""Between the router's own words and the protos'."""

from __future__ import annotations

from argus_core.choice import Decision, Option
from argus_core.spec import ClusterSpec, ImageSize, Level, Pool
from argus_protos.v1 import cluster_pb2, images_pb2
from argus_router.answer import Start
from argus_router.job import Job
from argus_router.request import Band, Format, Request
from argus_rpc.convert import duration, seconds

_BANDS = {
    images_pb2.PRIORITY_UNSPECIFIED: Band.NORMAL,
    images_pb2.PRIORITY_LOW: Band.LOW,
    images_pb2.PRIORITY_NORMAL: Band.NORMAL,
    images_pb2.PRIORITY_HIGH: Band.HIGH,
}
_FORMATS: dict[int, Format] = {
    cluster_pb2.IMAGE_FORMAT_UNSPECIFIED: Format.PNG,
    **{int(known): known for known in Format},
}


def size(pixels: ImageSize) -> cluster_pb2.Size:
    """A size as a message."""
    return cluster_pb2.Size(width=pixels.width, height=pixels.height)


def pool(budget: Pool) -> cluster_pb2.Pool:
    """A pool as a message."""
    return cluster_pb2.Pool(name=budget.name, gpu_type=budget.gpu_type, workers=budget.workers)


def schedule(level: Level) -> cluster_pb2.Schedule:
    """How a level denoises, as a message."""
    return cluster_pb2.Schedule(
        steps=level.steps,
        skipped_steps=level.skipped_steps,
        guidance_scale=level.guidance_scale,
        step_cache=level.step_cache or "",
    )


def level_message(level: Level, spec: ClusterSpec) -> cluster_pb2.Level:
    """A level of the ladder as a message; its seconds are those of the slowest pool."""
    slowest = max(level.seconds[pool.gpu_type] for pool in spec.pools)
    return cluster_pb2.Level(
        name=level.name,
        variant=level.variant,
        schedule=schedule(level),
        prior_quality=level.quality,
        seconds_per_image=duration(slowest),
    )


def level_seconds(level: Level, gpu_type: str, measured: float | None) -> cluster_pb2.LevelSeconds:
    """What an image of a level takes: as stated, and as measured where any was."""
    return cluster_pb2.LevelSeconds(
        level=level.name,
        gpu_type=gpu_type,
        stated=duration(level.seconds[gpu_type]),
        measured=None if measured is None else duration(measured),
    )


def request_of(message: images_pb2.GenerateRequest, tenant: str) -> Request:
    """The request in a message; only what has no meaning at all is refused by `agree` later."""
    return Request(
        prompt=message.prompt,
        negative_prompt=message.negative_prompt,
        size=(message.size.width, message.size.height) if message.HasField("size") else None,
        count=message.count or 1,
        seed=message.seed if message.HasField("seed") else None,
        deadline=seconds(message.deadline) if message.HasField("deadline") else None,
        minimum_quality=message.minimum_quality if message.HasField("minimum_quality") else None,
        level=message.level or None,
        band=_BANDS.get(message.priority),
        preview_every_steps=message.preview_every_steps,
        progress=not message.without_progress,
        format=_FORMATS.get(message.format),
        explain=message.explain,
        tenant=tenant,
    )


def decision_message(decision: Decision, *, explain: bool) -> images_pb2.Decision:
    """A decision as a message; with every level weighed where `explain`."""
    return images_pb2.Decision(
        level=decision.level.name,
        variant=decision.level.variant,
        reason=decision.reason,
        predicted_quality=decision.quality,
        price=decision.price,
        expected_completion=duration(decision.completion),
        options=[_option(option) for option in decision.options] if explain else [],
    )


def job_decision(job: Job) -> images_pb2.Decision:
    """The decision of a job, explained where its request asks for that."""
    return begun(job.settled, job.start, explain=job.terms.request.explain)


def begun(decision: Decision, start: Start | None, *, explain: bool) -> images_pb2.Decision:
    """A decision, and what the image begins from by it; None for noise."""
    message = decision_message(decision, explain=explain)
    if start is not None:
        message.start_similarity = start.similarity
        like = f"a latent of a prompt like it (similarity {start.similarity:.2f})"
        message.reason += f"; it begins {start.step} steps on, from {like}"
    return message


def _option(option: Option) -> images_pb2.Option:
    candidate = option.candidate
    completion = candidate.completion
    return images_pb2.Option(
        level=candidate.level.name,
        predicted_quality=candidate.quality,
        expected_completion=None if completion is None else duration(completion),
        rejected=option.rejected,
    )
