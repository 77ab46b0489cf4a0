"""The page about the console: its commands run as they stand, and every option it names exists."""

import json
import os
import re
from pathlib import Path

import yaml

from argus_console.__main__ import _parser
from argus_console.console import Console, Routers
from helpers import eventually
from router_support import ScriptedWorker, staged
from service.test_client_docs import run

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs" / "console.md").read_text()


async def test_every_command_for_programs_is_answered(tmp_path):
    (commands,) = re.findall(r"^```bash\n(.*?)^```", PAGE, re.DOTALL | re.MULTILINE)
    what_if, draw = commands.replace("\\\n", "").splitlines()
    worker = ScriptedWorker("w0", "large", "tiny")
    worker.automatic = True
    async with staged(worker) as stage:
        console = Console(Routers(addresses=[stage.grpc]))
        env = {**os.environ, "CONSOLE": await console.start()}
        try:
            await eventually(lambda: console.scene.there)
            told = json.loads(await run("bash", "-c", what_if, env=env))
            assert (told["now"]["gpus"], told["then"]["gpus"]) == (2, 1)
            drawn = await run("bash", "-c", draw, env=env)
            assert re.findall(r"^event: (\w+)$", drawn, re.MULTILINE) == ["accepted", "picture"]
        finally:
            await console.stop()


def test_options_and_values_that_the_page_names_exist():
    options = {option for action in _parser()._actions for option in action.option_strings}
    named = set(re.findall(r"--(?:router|keys|api|control|tls)[a-z-]*", PAGE))
    assert named
    assert named <= options
    values = yaml.safe_load((ROOT / "charts" / "argus" / "values.yaml").read_text())["console"]
    assert set(re.findall(r"--set console\.(\w+)", PAGE)) <= values.keys()


def test_the_versions_of_what_the_page_is_made_with_are_those_it_has():
    vendor = ROOT / "services" / "argus_console" / "page" / "vendor"
    assert {path.name for path in vendor.iterdir()} == {
        "htm.LICENSE", "htm.mjs", "preact.LICENSE", "preact.mjs", "versions.json",
    }  # fmt: skip
    versions = json.loads((vendor / "versions.json").read_text())
    for name, version in versions.items():
        assert re.search(rf"\[{name}\]\S+ {re.escape(version)}", PAGE, re.IGNORECASE)
