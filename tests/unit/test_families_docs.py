"""The pages about families say what is so."""

import re
from pathlib import Path

import pytest
import torch
import yaml
from diffusers import EulerDiscreteScheduler
from typer.testing import CliRunner

from argus_cli.commands.ladder import _facts
from argus_cli.main import app
from argus_cli.rungs import problems
from argus_core.errors import InvalidRequest
from argus_core.spec import Variant, parse_cluster
from argus_worker import batch
from argus_worker.families import find_family, names
from argus_worker.sample import Sample
from engine_support import BETAS, hold, order, save_sdxl

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs/families.md").read_text()


def test_the_example_of_a_new_family_draws(tmp_path):
    (code,) = re.findall(r"```python\n(.*?)```", PAGE, re.DOTALL)
    space = {}
    exec(compile(code, "docs/families.md", "exec"), space)
    folder = save_sdxl(tmp_path / "model", EulerDiscreteScheduler(**BETAS))
    held = hold(
        Variant(name="hyper", model=str(folder), family="sdxl-hyper"),
        find={"sdxl-hyper": space["HyperFamily"]}.__getitem__,
    )
    with torch.inference_mode():
        sample = Sample(order(held, steps=8, guidance=1.0), device=torch.device("cpu"))
        while not sample.finished:
            sample.advance(batch.predict([sample])[0])
        assert held.family.decode(sample.latent).size == (32, 32)
    with pytest.raises(InvalidRequest, match="must be 1 to 8"):
        order(held, steps=9, guidance=1.0)


def test_the_table_tells_every_family_as_it_is():
    rows = re.findall(r"^\| `(.+?)` \|.*?\| 1 to (\d+) \| (\w+) \| (\w+)", PAGE, re.MULTILINE)
    told = {name: (int(steps), guided, starts) for name, steps, guided, starts in rows}
    for name in names():
        facts = find_family(name).FACTS
        steps, guided, starts = told.pop(name)
        assert (steps, guided == "yes") == (facts.max_steps, facts.guided), name
        assert (starts != "no") == facts.resumable, name
    assert not told


def test_the_check_prints_what_the_page_says(tmp_path, monkeypatch):
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_CACHE", str(tmp_path))
    shells = re.findall(r"```console\n\$ argus (.+?)\n(.+?)\n```", PAGE, re.DOTALL)
    (shown, answer), (wrong, problem) = shells
    good = CliRunner().invoke(app, shown.replace("manifests", f"{ROOT}/manifests").split())
    assert (good.exit_code, good.output.strip()) == (0, answer)
    document = yaml.safe_load((ROOT / "manifests/samples/open-80gb.yaml").read_text())
    spec = document["spec"]
    spec["variants"] = [v for v in spec["variants"] if v["name"] == "schnell"]
    spec["ladder"] = [{**lv, "steps": 8} for lv in spec["ladder"] if lv["variant"] == "schnell"]
    path = tmp_path / "wrong.yaml"
    path.write_text(yaml.safe_dump(document))
    bad = CliRunner().invoke(app, wrong.replace("wrong.yaml", str(path)).split())
    assert (bad.exit_code, bad.output.strip()) == (1, problem)


VARIANTS = re.findall(r"```yaml\n(variants:.*?)```", PAGE, re.DOTALL)


@pytest.mark.parametrize("text", VARIANTS, ids=["loras", "eight bits"])
def test_examples_of_variants_are_sound_ladders(text):
    document = yaml.safe_load((ROOT / "manifests/samples/open-80gb.yaml").read_text())
    variants = yaml.safe_load(text)["variants"]
    rung = {"guidanceScale": 1, "quality": 1, "seconds": {"h100": 1}, "steps": 8}
    document["spec"].update(
        variants=variants,
        ladder=[{**rung, "name": v["name"], "variant": v["name"]} for v in variants],
    )
    assert not list(problems(parse_cluster(document).spec, _facts, lambda _variant: None))
