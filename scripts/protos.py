"""Generates services/argus_protos from protos/; `--check` only compares, and exits 1 if stale."""

from __future__ import annotations

import argparse
import filecmp
import re
import subprocess
import sys
import tempfile
from importlib.resources import files
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
SOURCE = ROOT / "protos"
TARGET = ROOT / "services" / "argus_protos"
PACKAGE = Path("argus/v1")
_MODULE = re.compile(r"(?<=^from )argus\.v1(?= import)|(?<=')argus\.v1(?=\.\w+_pb2')", re.MULTILINE)


def main() -> int:
    """Generate, or compare; returns the exit status."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--check", action="store_true", help="only say whether they are current")
    check = parser.parse_args().check
    with tempfile.TemporaryDirectory() as scratch:
        made = generate(Path(scratch))
        names = sorted(path.name for path in made.iterdir())
        if check:
            return _compare(made, names)
        target = TARGET / "v1"
        target.mkdir(parents=True, exist_ok=True)
        for stale in target.glob("*"):
            if stale.is_file():
                stale.unlink()
        for name in names:
            (target / name).write_bytes((made / name).read_bytes())
    print(f"{len(names)} files in {target.relative_to(ROOT)}")
    return 0


def generate(scratch: Path) -> Path:
    """Run protoc into `scratch`; returns the folder of the finished modules."""
    protos = sorted((SOURCE / PACKAGE).glob("*.proto"))
    includes = [SOURCE, files("grpc_tools") / "_proto"]
    command = [
        *(sys.executable, "-m", "grpc_tools.protoc"),
        *(f"-I{include}" for include in includes),
        *(f"--{kind}_out={scratch}" for kind in ("python", "mypy", "grpc_python", "mypy_grpc")),
        *map(str, protos),
    ]
    bin_folder = str(Path(sys.executable).parent)
    subprocess.run(command, check=True, env={"PATH": bin_folder})  # noqa: S603
    made = scratch / PACKAGE
    for path in made.iterdir():
        # protoc names modules after the proto package; ours live in argus_protos.
        path.write_text(re.sub(_MODULE, "argus_protos.v1", path.read_text()))
    (made / "__init__.py").write_text('"""Generated from protos/argus/v1 by `make protos`."""\n')
    return made


def _compare(made: Path, names: list[str]) -> int:
    target = TARGET / "v1"
    there = sorted(path.name for path in target.glob("*") if path.is_file())
    _, different, missing = filecmp.cmpfiles(made, target, names, shallow=False)
    stale = sorted({*different, *missing, *(set(there) - set(names))})
    for name in stale:
        print(f"stale: {(target / name).relative_to(ROOT)}; run `make protos`")
    return 1 if stale else 0


if __name__ == "__main__":
    sys.exit(main())
