"""Judging images in the worker's spare time.

Model: lives on the event loop; one thread of its own finds metrics, opens images and scores, for
one request at a time. Invariants:

- no turn begins while the worker draws or is not ready, and one under way is given up between two
  images once it does;
- requests that wait for their turn are bounded in number, and each waits no longer than its call;
- a metric stays loaded until another is asked for.
"""

from __future__ import annotations

import asyncio
import io
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from math import isfinite

import torch
from PIL import Image, UnidentifiedImageError

from argus_core.errors import ArgusError, DeadlineMissed, InvalidRequest, Unavailable
from argus_metrics import Metric, find_metric
from argus_protos.v1 import cluster_pb2, worker_pb2
from argus_worker import failures

MOST_IMAGES = 16
MOST_PIXELS = 8192 * 8192
"""Of one image."""
MOST_WAITING = 8
"""Requests, the one under way included."""
DRAWING_RETRY = 1.0
"""Seconds after which a worker that draws may have time."""
_FORMATS = ("PNG", "WEBP", "JPEG")


class Scorer:
    """Scores for one worker; `refusal` says why the worker has no time now, or nothing."""

    def __init__(
        self,
        refusal: Callable[[], str],
        *,
        device: str,
        threads: int,
        find: Callable[[str], Metric] | None = None,
    ) -> None:
        self._refusal = refusal
        self._find = find or (lambda name: find_metric(name, device=device))
        self._thread = ThreadPoolExecutor(
            1, "scoring", initializer=torch.set_num_threads, initargs=(threads,)
        )
        self._turn, self._waiting = asyncio.Lock(), 0
        self._name = ""
        self._metric: Metric | None = None

    async def score(
        self, request: worker_pb2.ScoreRequest, *, time_left: float
    ) -> worker_pb2.ScoreResponse:
        """Judge what is asked within `time_left` seconds.

        Raises:
            InvalidRequest: there is nothing to judge it by, or an image is not one.
            NotFound: no such metric.
            NotBuilt: the metric lacks a package or model.
            Unavailable: the worker draws, is not ready, or too many wait.
            DeadlineMissed: the time is over.
            Exhausted: the memory does not suffice.
        """
        _check(request)
        self._require_spare_time()
        if self._waiting >= MOST_WAITING:
            raise Unavailable(f"{self._waiting} others wait to score", retry_after=DRAWING_RETRY)
        self._waiting += 1
        try:
            async with asyncio.timeout(time_left):
                return await self._in_turn(request)
        except TimeoutError as error:
            raise DeadlineMissed("the deadline passed before all was scored") from error
        finally:
            self._waiting -= 1

    def close(self) -> None:
        """Begin nothing more; what runs is left to end by itself."""
        self._thread.shutdown(wait=False, cancel_futures=True)

    async def _in_turn(self, request: worker_pb2.ScoreRequest) -> worker_pb2.ScoreResponse:
        async with self._turn:
            self._require_spare_time()
            loop, over = asyncio.get_running_loop(), threading.Event()
            try:
                return await loop.run_in_executor(self._thread, self._work, request, over.is_set)
            finally:
                # The thread may be at it still, where nobody waits for it any more.
                over.set()

    def _require_spare_time(self) -> None:
        if refusal := self._refusal():
            raise Unavailable(refusal, retry_after=DRAWING_RETRY)

    def _work(
        self, request: worker_pb2.ScoreRequest, over: Callable[[], bool]
    ) -> worker_pb2.ScoreResponse:
        try:
            return self._judge(request, over)
        except Exception as error:  # noqa: BLE001 - raised again, as the caller shall see it
            if failures.is_out_of_memory(error):
                self._name, self._metric = "", None
                failures.free_memory()
            raise failures.to_caller(error) from None

    def _judge(
        self, request: worker_pb2.ScoreRequest, over: Callable[[], bool]
    ) -> worker_pb2.ScoreResponse:
        metric = self._fetch(request.metric)
        held_against = len(request.images) if metric.needs_reference else 0
        if len(request.references) != held_against:
            problem = f"{request.metric} needs {held_against}, got {len(request.references)}"
            raise InvalidRequest.one("references", problem)
        response = worker_pb2.ScoreResponse(
            comparison=getattr(worker_pb2, f"COMPARISON_{metric.comparison.name}"),
            scale=metric.scale,
            needs_reference=metric.needs_reference,
        )
        for index, image in enumerate(request.images):
            if over():
                break
            self._require_spare_time()
            opened = _open(image, f"images[{index}]")
            references = [
                _open(reference, f"references[{index}]", size=opened.size)
                for reference in request.references[index : index + 1]
            ]
            scores = metric.score([request.prompt], [opened], references)
            if len(scores) != 1 or not isfinite(scores[0]):
                raise ArgusError(f"metric {request.metric!r} gave {scores}, not a score")
            response.scores.extend(scores)
        return response

    def _fetch(self, name: str) -> Metric:
        if self._metric is None or self._name != name:
            self._metric = None
            self._metric, self._name = self._find(name), name
        return self._metric


def _check(request: worker_pb2.ScoreRequest) -> None:
    if not request.metric:
        raise InvalidRequest.one("metric", "must not be empty")
    for field in ("images", "references"):
        count = len(getattr(request, field))
        if count > MOST_IMAGES:
            raise InvalidRequest.one(field, f"at most {MOST_IMAGES}, got {count}")


def _open(
    image: cluster_pb2.Image, field: str, *, size: tuple[int, int] | None = None
) -> Image.Image:
    """The picture, RGB; its size is checked before its pixels are made.

    Raises:
        InvalidRequest: it is too large, of another size than asked for, or no picture at all.
    """
    try:
        picture = Image.open(io.BytesIO(image.data), formats=_FORMATS)
        if picture.width * picture.height > MOST_PIXELS:
            raise InvalidRequest.one(field, f"at most {MOST_PIXELS} pixels, got {picture.size}")
        if size not in (None, picture.size):
            raise InvalidRequest.one(field, f"is of {picture.size}, its image of {size} pixels")
        return picture.convert("RGB")
    except (
        UnidentifiedImageError,
        Image.DecompressionBombError,
        OSError,
        SyntaxError,
        ValueError,
    ) as error:
        raise InvalidRequest.one(field, f"is not a sound PNG, WEBP or JPEG: {error}") from error
