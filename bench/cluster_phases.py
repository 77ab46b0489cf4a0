"""How long each phase of the proof on a real node takes, and whether it held.

    python bench/cluster_phases.py
    python bench/cluster_phases.py --phases faults upgrade

Builds the test cluster's programs and images (what is built is kept, and its phase then takes
nothing), starts a node, runs the node's tests one file after the other on it, and ends it. Prints a
table and writes JSON, in which the phases of other runs are kept; ends with 1 where one failed.
"""

from __future__ import annotations

import argparse
import os
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

from rich.console import Console
from rich.table import Table

from support import results

ROOT = Path(__file__).resolve().parents[1]
SCRIPTS, TESTS = ROOT / "scripts" / "cluster", ROOT / "tests" / "cluster"
RESULTS = results.FOLDER / "cluster_phases.json"
IMAGES = ROOT / ".cache" / "cluster" / "images"
BUILT = {
    "programs": ("build.sh",),
    "helm": ("build.sh", "helm", "kubeconform"),
    "base images": ("images.sh",),
    "images": ("argus-images.sh",),
}
"""Phases that build something which is kept; the script of each."""
TESTED = ("install", "moves", "faults", "upgrade", "rights", "namespaced", "console_pod")
"""Phases that are a file of tests each."""
NODE = ("node up", "images loaded", "node down")
LIMIT = 2400.0
"""Seconds that a phase may take."""


def main() -> None:
    """Run the phases that are asked for, in their order."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    names = [*BUILT, *TESTED]
    parser.add_argument("--phases", nargs="+", choices=names, default=names)
    asked = parser.parse_args().phases
    found = results.read(RESULTS).get("phases", {})
    for name, phase in phases(asked):
        found[name] = phase
        results.write({**results.origin(sys.argv), "phases": found}, RESULTS)
    show(found)
    sys.exit(any(phase["failed"] for phase in found.values()))


def phases(asked: Sequence[str]) -> Iterator[tuple[str, dict[str, Any]]]:
    """Those that are asked for, each as soon as it is over."""
    for name, (script, *arguments) in BUILT.items():
        if name in asked:
            yield name, timed(SCRIPTS / script, *arguments)
    if tests := [name for name in TESTED if name in asked]:
        yield from on_a_node(tests)


def on_a_node(tests: Sequence[str]) -> Iterator[tuple[str, dict[str, Any]]]:
    """The phases of a node that is started for these files of tests."""
    with tempfile.TemporaryDirectory() as state:
        settings = {"ARGUS_CLUSTER_RUN": state}
        yield "node up", timed(SCRIPTS / "up.sh", **settings)
        try:
            archives = sorted(map(str, IMAGES.glob("argus-*[a-z].tar")))
            yield "images loaded", timed(SCRIPTS / "load.sh", *archives, **settings)
            pytest = (sys.executable, "-m", "pytest", "-q", "-rA")
            on = {"ARGUS_CLUSTER_NODE": state, "ARGUS_CLUSTER_ALL": "1"}
            for name in tests:
                told = Path(state) / f"{name}.xml"
                file = (str(TESTS / f"test_{name}.py"), f"--junitxml={told}")
                phase = timed(*pytest, *file, **on, **settings)
                yield name, phase | ({"told": found} if (found := properties(told)) else {})
        finally:
            down = timed(SCRIPTS / "down.sh", "--wipe", **settings)
        yield "node down", down


def properties(report: Path) -> dict[str, str]:
    """What tests said of themselves (`record_property`); nothing where there is no report."""
    if not report.exists():
        return {}
    root = ElementTree.parse(report).getroot()  # noqa: S314 - pytest wrote it
    return {each.attrib["name"]: each.attrib["value"] for each in root.iter("property")}


def timed(*command: str | Path, **environment: str) -> dict[str, Any]:
    """Run a command; what it took, and the end of what it wrote where it failed."""
    print("==>", *(Path(word).name for word in map(str, command)), flush=True)
    began, spent = time.monotonic(), _cpu()
    done = subprocess.run(  # noqa: S603 - the commands are those above
        list(map(str, command)),
        check=False,
        capture_output=True,
        text=True,
        timeout=LIMIT,
        env={**os.environ, "PYTHON": sys.executable, **environment},
    )
    if done.returncode:
        print((done.stdout + done.stderr)[-4000:], file=sys.stderr, flush=True)
    return {
        "seconds": round(time.monotonic() - began, 1),
        "cpu_seconds": round(_cpu() - spent, 1),
        "failed": bool(done.returncode),
        "date": results.today(),
    }


def _cpu() -> float:
    """CPU seconds of all that was run and has ended."""
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def show(found: dict[str, Any]) -> None:
    """Print the table."""
    table = Table("phase", "seconds", "of CPU, without the node's own", "")
    for name in (*BUILT, *NODE[:2], *TESTED, NODE[2]):
        if phase := found.get(name):
            held = "FAILED" if phase["failed"] else "held"
            table.add_row(name, f"{phase['seconds']:.0f}", f"{phase['cpu_seconds']:.0f}", held)
    Console().print(table)


if __name__ == "__main__":
    main()
