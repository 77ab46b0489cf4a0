"""A real Prometheus on loopback, and promtool, as scripts/cluster builds them."""

from __future__ import annotations

import asyncio
import os
import shutil
import subprocess
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

import aiohttp
import yaml

from argus_cli.local.ports import free_port

ROOT = Path(__file__).resolve().parents[2]
_BIN = Path(os.environ.get("ARGUS_CLUSTER_CACHE", ROOT / ".cache" / "cluster")) / "bin"
_START = 60.0
"""Seconds until it answers."""
_PATIENCE = 30.0
"""Seconds that an answer may take."""

Sample = tuple[dict[str, str], float]
"""Labels, and a value."""


def find(program: str) -> str | None:
    """Path of `prometheus` or `promtool`; None where there is none."""
    return shutil.which(program, path=f"{_BIN}:{os.environ['PATH']}")


def missing(program: str) -> str:
    """What to say where there is none."""
    return f"{program} is missing: run 'make cluster-tools' (needs Go)"


@dataclass(frozen=True, kw_only=True)
class Exemplar:
    """A single event that a series counted: when, its value, and what is said of it."""

    at: float
    value: float
    labels: Mapping[str, str]
    series: Mapping[str, str]
    """Labels of the series that counted it."""


class Prometheus:
    """One that runs; `url` is its API's root."""

    def __init__(self, url: str, log: Path, http: aiohttp.ClientSession) -> None:
        self.url, self.log, self._http = url, log, http

    async def query(self, expression: str, at: float | None = None) -> list[Sample]:
        """An expression's value now, or then, by series; a scalar's has no labels.

        Raises:
            ValueError: Prometheus does not take the expression.
        """
        time = {} if at is None else {"time": f"{at:.3f}"}
        data = await self._get("query", query=expression, **time)
        if data["resultType"] == "scalar":
            return [({}, float(data["result"][1]))]
        return [(row["metric"], float(row["value"][1])) for row in data["result"]]

    async def ranged(
        self, expression: str, since: float, until: float, step: float
    ) -> list[dict[str, Any]]:
        """An expression over time, by series: `metric` are its labels, `values` times and values.

        Raises:
            ValueError: Prometheus does not take the expression.
        """
        data = await self._get(
            "query_range",
            query=expression,
            start=f"{since:.3f}",
            end=f"{until:.3f}",
            step=f"{step:.3f}",
        )
        return cast("list[dict[str, Any]]", data["result"])

    async def exemplars(self, expression: str, since: float, until: float) -> list[Exemplar]:
        """Exemplars of the series that an expression reads, oldest first."""
        data = await self._get(
            "query_exemplars", query=expression, start=f"{since:.3f}", end=f"{until:.3f}"
        )
        return sorted(
            (Exemplar(at=one["timestamp"], value=float(one["value"]), labels=one["labels"],
                      series=row["seriesLabels"])
             for row in data for one in row["exemplars"]),
            key=lambda one: one.at,
        )  # fmt: skip

    async def alerts(self, state: str = "firing") -> list[dict[str, Any]]:
        """Alerts in a state, `firing` or `pending`, with labels and annotations."""
        alerts = (await self._get("alerts"))["alerts"]
        return [alert for alert in alerts if alert["state"] == state]

    async def names(self) -> set[str]:
        """Names of all metrics that it has scraped or recorded."""
        return set(await self._get("label/__name__/values"))

    async def targets(self) -> list[dict[str, Any]]:
        """What it scrapes, and how that went."""
        return cast("list[dict[str, Any]]", (await self._get("targets"))["activeTargets"])

    async def _get(self, path: str, **parameters: str) -> Any:
        async with self._http.get(f"{self.url}/api/v1/{path}", params=parameters) as response:
            said = await response.json()
        if said["status"] != "success":
            raise ValueError(said["error"])
        return said["data"]


@asynccontextmanager
async def prometheus(
    folder: Path,
    *,
    targets: Path | Sequence[Path | Mapping[str, Any]],
    rules: Sequence[Path] = (),
    interval: float = 1.0,
    how: Mapping[str, Any] | None = None,
) -> AsyncIterator[Prometheus]:
    """A Prometheus of an empty folder's own, ended with the block.

    Args:
        folder: for its data, configuration and log.
        targets: a file as `file_sd_configs` reads it, such as `argus up` writes; or several, and
            groups of targets as such a file has them.
        rules: files of rules.
        interval: seconds between scrapes, and between evaluations.
        how: more of the scrape configuration, such as `scheme`.

    Raises:
        AssertionError: it ended, or did not answer in time; with its log.
    """
    program = find("prometheus")
    assert program is not None, missing("prometheus")
    port = free_port()
    command = [
        program,
        f"--config.file={_configured(folder, targets, rules, interval, how)}",
        f"--storage.tsdb.path={folder / 'data'}",
        f"--web.listen-address=127.0.0.1:{port}",
        "--query.lookback-delta=5m",
        "--log.level=warn",
        "--enable-feature=exemplar-storage",
    ]
    log = folder / "prometheus.log"
    with log.open("wb") as out:
        process = subprocess.Popen(command, stdout=out, stderr=out)  # noqa: S603, ASYNC220
    try:
        timeout = aiohttp.ClientTimeout(total=_PATIENCE)
        async with aiohttp.ClientSession(timeout=timeout) as http:
            found = Prometheus(f"http://127.0.0.1:{port}", log, http)
            await _answers(found, process, http)
            yield found
    finally:
        process.kill()
        process.wait()


async def _answers(
    found: Prometheus, process: subprocess.Popen[bytes], http: aiohttp.ClientSession
) -> None:
    try:
        async with asyncio.timeout(_START):
            while not await _ready(found.url, http):
                assert process.poll() is None, found.log.read_text()
                await asyncio.sleep(0.05)
    except TimeoutError as error:
        raise AssertionError(found.log.read_text()) from error


async def _ready(url: str, http: aiohttp.ClientSession) -> bool:
    try:
        async with http.get(f"{url}/-/ready") as response:
            return response.status == 200
    except aiohttp.ClientError:
        return False


def _configured(
    folder: Path,
    targets: Path | Sequence[Path | Mapping[str, Any]],
    rules: Sequence[Path],
    interval: float,
    how: Mapping[str, Any] | None,
) -> Path:
    told = [targets] if isinstance(targets, Path) else targets
    files = [str(one) for one in told if isinstance(one, Path)]
    found = {
        "file_sd_configs": [{"files": files, "refresh_interval": "1s"}] if files else [],
        "static_configs": [dict(one) for one in told if not isinstance(one, Path)],
    }
    pace = f"{round(interval * 1000)}ms"
    configuration = {
        "global": {
            "scrape_interval": pace,
            "scrape_timeout": pace,
            "evaluation_interval": pace,
        },
        "rule_files": [str(rule) for rule in rules],
        "scrape_configs": [{"job_name": "argus", "honor_labels": True, **found, **(how or {})}],
    }
    file = folder / "prometheus.yaml"
    file.write_text(yaml.safe_dump(configuration, sort_keys=False))
    return file
