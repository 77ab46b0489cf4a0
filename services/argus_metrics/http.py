"""A metric of the user's own, behind HTTP.

It is asked by `POST` with JSON, `prompts`, `images` and `references`, the latter two as base64 of
PNG files, and answers JSON: `scores`, one for each image, `comparison` (see
`argus_core.quality.Comparison`), and, where they are not 1 and false, `scale` and
`needs_reference`. Asked without images, it tells what it is like. 400 and 422 say that it cannot
judge what it was sent; other errors, that it may later.
"""

from __future__ import annotations

import base64
import io
import json
import time
from collections.abc import Sequence
from http.client import HTTPException, HTTPResponse
from typing import Any
from urllib.error import HTTPError
from urllib.parse import urlsplit
from urllib.request import HTTPRedirectHandler, Request, build_opener

from PIL.Image import Image
from pydantic import BaseModel, ConfigDict, FiniteFloat, ValidationError

from argus_core.errors import ArgusError, InvalidRequest, Unavailable
from argus_core.quality import Comparison

PATIENCE = 60.0
"""Seconds for one answer."""
MOST_BYTES = 64 * 1024
"""Of one answer."""
RETRY = 5.0
"""Seconds after which a service that failed is worth another try."""


class _Answer(BaseModel):
    model_config = ConfigDict(extra="ignore", frozen=True)

    scores: list[FiniteFloat]
    comparison: Comparison
    scale: FiniteFloat = 1.0
    needs_reference: bool = False


class _NoRedirects(HTTPRedirectHandler):
    """A service must not send its caller elsewhere."""

    def redirect_request(self, *_args: Any, **_kwargs: Any) -> None:
        """None: the redirect is an error."""


class HttpMetric:
    """Asks the service at `url`, and once when it is made; no answer takes over `patience` seconds.

    Raises:
        InvalidRequest: the URL is none.
        Unavailable: the service does not answer.
    """

    def __init__(self, url: str, *, patience: float = PATIENCE) -> None:
        parts = urlsplit(url)
        if parts.scheme not in ("http", "https") or not parts.hostname or "@" in parts.netloc:
            raise InvalidRequest.one("metric", f"{url!r} is no http URL without a user")
        self._url, self._patience = url, patience
        self._opener = build_opener(_NoRedirects())
        told = self._ask([], [], [])
        self.comparison, self.scale = told.comparison, told.scale
        self.needs_reference = told.needs_reference

    def score(
        self, prompts: Sequence[str], images: Sequence[Image], references: Sequence[Image]
    ) -> list[float]:
        """See `Metric`."""
        return list(self._ask(prompts, images, references).scores)

    def _ask(
        self, prompts: Sequence[str], images: Sequence[Image], references: Sequence[Image]
    ) -> _Answer:
        asked = {
            "prompts": list(prompts),
            "images": [_png(image) for image in images],
            "references": [_png(image) for image in references],
        }
        try:
            answer = _Answer.model_validate_json(self._post(json.dumps(asked).encode()))
        except ValidationError as error:
            first = error.errors()[0]
            where = ".".join(map(str, first["loc"])) or "the answer"
            raise ArgusError(f"{self._url}: {where}: {first['msg']}") from error
        if len(answer.scores) != len(images):
            raise ArgusError(f"{self._url}: {len(answer.scores)} scores of {len(images)} images")
        return answer

    def _post(self, body: bytes) -> bytes:
        ends = time.monotonic() + self._patience
        headers = {"Content-Type": "application/json", "Accept": "application/json"}
        request = Request(self._url, body, headers, method="POST")  # noqa: S310 - checked above
        try:
            with self._opener.open(request, timeout=self._patience) as response:
                return self._read(response, ends)
        except HTTPError as error:
            with error:
                if error.code in (400, 422):
                    said = error.read(500).decode(errors="replace")
                    raise InvalidRequest.one("images", f"{self._url} refuses: {said}") from error
                problem = f"{self._url} answered {error.code}"
            raise Unavailable(problem, retry_after=RETRY) from error
        except (OSError, HTTPException) as error:
            raise Unavailable(f"{self._url}: {error}", retry_after=RETRY) from error

    def _read(self, response: HTTPResponse, ends: float) -> bytes:
        """All of an answer; a service that sends drop by drop is given up in time as well."""
        body = bytearray()
        while more := response.read1(MOST_BYTES):
            body += more
            if len(body) > MOST_BYTES:
                raise ArgusError(f"{self._url} answered over {MOST_BYTES} bytes")
            if time.monotonic() > ends:
                raise TimeoutError(f"no whole answer within {self._patience:g} s")
        return bytes(body)


def _png(image: Image) -> str:
    file = io.BytesIO()
    image.save(file, "PNG", compress_level=1)
    return base64.b64encode(file.getvalue()).decode()
