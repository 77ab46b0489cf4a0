"""A ladder is held to what families can do, and the field that asks for more is named."""

import json
import shutil
from pathlib import Path

import diffusers
import pytest
import torch
import yaml
from huggingface_hub.utils import filter_repo_objects
from safetensors.torch import save_file

from argus_cli import weighing
from argus_cli.commands.ladder import _facts, _folder
from argus_cli.rungs import HISTORY, problems, unweighed
from argus_core.spec import Variant, parse_cluster
from argus_worker import sources
from argus_worker.components import resumable

ROOT = Path(__file__).parents[2]
SAMPLES = sorted((ROOT / "manifests/samples").glob("*.yaml"))
SHORTEST = ROOT / "tests/corpus/valid/shortest.yaml"


def document(family="sdxl", model="some/model", dtype="bfloat16", spec=None, **level):
    """A cluster of one variant and one level, with changes to either."""
    rung = {"name": "only", "variant": "v", "steps": 4, "quality": 1.0, "seconds": {"h100": 1.0}}
    spec = {
        "pools": [{"name": "p", "workers": 1, "gpuType": "h100"}],
        "variants": [{"name": "v", "model": model, "family": family, "dtype": dtype}],
        "ladder": [{**rung, **level}],
        **(spec or {}),
    }
    head = {"apiVersion": "argus.dev/v1alpha1", "kind": "ArgusCluster", "metadata": {"name": "c"}}
    return parse_cluster({**head, "spec": spec}).spec


def found(spec):
    return {(problem.field, problem.problem) for problem in problems(spec, _facts, _folder)}


def fields(spec):
    return sorted(field for field, _ in found(spec))


STORE = {"latentStore": {"url": "directory:/tmp/latents"}}


@pytest.mark.parametrize("path", [*SAMPLES, SHORTEST], ids=lambda path: path.stem)
def test_every_sample_can_be_drawn(path):
    assert not found(parse_cluster(yaml.safe_load(path.read_text())).spec)


@pytest.mark.parametrize(
    ("changed", "field"),
    [
        ({"family": "unheard-of"}, "spec.variants[0].family"),
        ({"family": "pixart", "dtype": "float16"}, "spec.variants[0].dtype"),
        ({"family": "sdxl-turbo", "steps": 5}, "spec.ladder[0].steps"),
        ({"family": "flux-schnell", "steps": 8}, "spec.ladder[0].steps"),
        ({"family": "sdxl-lightning", "guidanceScale": 2}, "spec.ladder[0].guidanceScale"),
        ({"stepCache": "taylorseer"}, "spec.ladder[0].stepCache"),
        ({"family": "qwen-image", "stepCache": "magcache"}, "spec.ladder[0].stepCache"),
        ({"spec": {"defaultSize": {"width": 1000, "height": 1024}}}, "spec.defaultSize.width"),
        ({"spec": {"defaultSize": {"width": 1024, "height": 128}}}, "spec.defaultSize.height"),
        ({"spec": {"defaultSize": {"width": 2048, "height": 2048}}}, "spec.defaultSize"),
    ],
)
def test_what_a_family_cannot_do_is_told_by_field(changed, field):
    if changed.get("family") == "sdxl-turbo":
        changed = {**changed, "spec": {"defaultSize": {"width": 512, "height": 512}}}
    assert fields(document(**changed)) == [field]


def test_families_without_loras_refuse_them():
    variant = {"name": "v", "model": "m/m", "family": "pixart", "loras": [{"model": "some/lora"}]}
    assert fields(document(spec={"variants": [variant]})) == ["spec.variants[0].loras"]


@pytest.mark.parametrize("family", ["sdxl-lightning", "z-image", "flux2-klein", "sana-sprint"])
def test_families_of_few_steps_have_none_to_skip(family):
    spec = document(family=family, skippedSteps=2, spec=STORE)
    assert any("few steps" in text for _, text in found(spec))


def ladder(**skipping):
    level = {"variant": "v", "steps": 20, "quality": 1.0, "seconds": {"h100": 1.0}}
    full = {**level, "name": "full", "guidanceScale": 5}
    return {"ladder": [full, {**full, "name": "cut", "skippedSteps": 8, **skipping}]}


def test_cached_starts_are_let_pass_where_all_is_given():
    assert not found(document(spec={**STORE, **ladder()}))


@pytest.mark.parametrize("changed", [{"steps": 21}, {"guidanceScale": 4}])
def test_latents_must_come_from_a_level_of_the_same_schedule(changed):
    ((field, text),) = found(document(spec={**STORE, **ladder(**changed)}))
    assert field == "spec.ladder[1].skippedSteps"
    assert "leaves latents" in text


def test_cached_starts_need_a_store():
    ((field, text),) = found(document(spec=ladder()))
    assert (field, "latentStore" in text) == ("spec.ladder[1].skippedSteps", True)


def test_the_scheduler_that_public_models_come_with_counts():
    ((_, text),) = found(document(family="pixart", spec={**STORE, **ladder()}))
    assert "DPMSolverMultistepScheduler needs its history" in text


def test_a_folders_own_scheduler_counts_for_more(tmp_path):
    config = tmp_path / "scheduler" / "scheduler_config.json"
    config.parent.mkdir()
    for name, refused in (("DDIMScheduler", False), ("PNDMScheduler", True)):
        config.write_text(json.dumps({"_class_name": name}))
        spec = document(family="pixart", model=str(tmp_path), spec={**STORE, **ladder()})
        assert bool(found(spec)) == refused


@pytest.mark.parametrize("name", HISTORY)
def test_schedulers_told_to_keep_history_do(name):
    """The list holds against diffusers: what is refused here, the worker would refuse, too."""
    assert not resumable(getattr(diffusers, name)())


@pytest.fixture
def folder(tmp_path):
    """A model of 3000 weights, 2000 of them in the transformer's matrices."""
    index = {"_class_name": "P", "transformer": ["d", "T"], "vae": ["d", "V"], "gone": [None, None]}
    (tmp_path / "model_index.json").write_text(json.dumps(index))
    for part, shapes in (("transformer", [(20, 100)]), ("vae", [(10, 10, 5)]), ("other", [(9, 9)])):
        (tmp_path / part).mkdir()
        tensors = {str(i): torch.zeros(shape) for i, shape in enumerate([*shapes, (500,)])}
        save_file(tensors, tmp_path / part / "w.safetensors", metadata={"format": "pt"})
    return tmp_path


@pytest.mark.parametrize(
    ("fields", "takes"),
    [
        ({}, 3500 * 4),
        ({"dtype": "bfloat16"}, 3500 * 2),
        ({"dtype": "bfloat16", "quantization": "int8"}, 2000 + 1500 * 2),
    ],
)
def test_weights_are_weighed_by_the_heads_of_their_files(folder, fields, takes):
    variant = Variant(name="v", model=str(folder), family="flux", **fields)
    assert weighing.weights(folder, variant) == takes


@pytest.mark.parametrize(
    "name",
    ["w.fp16", "w.non_ema", "w.bf16-00001-of-00002", "w-00001-of-00002.fp16"],
)
def test_a_copy_is_neither_weighed_nor_downloaded(folder, monkeypatch, name):
    shutil.copy(folder / "vae" / "w.safetensors", folder / "vae" / f"{name}.safetensors")
    variant = Variant(name="v", model=str(folder), family="flux")
    assert weighing.weights(folder, variant) == 3500 * 4

    def download(_repository, *, allow_patterns, ignore_patterns, **_how):
        here = [str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file()]
        fetched.extend(
            filter_repo_objects(
                here, allow_patterns=allow_patterns, ignore_patterns=ignore_patterns
            )
        )
        return str(folder)

    fetched = []
    monkeypatch.setattr(sources, "snapshot_download", download)
    sources.resolve(Variant(name="v", model="some/model", family="flux"))
    assert "vae/w.safetensors" in fetched
    assert f"vae/{name}.safetensors" not in fetched


def test_models_of_the_hub_are_weighed_where_they_were_downloaded(folder, tmp_path, monkeypatch):
    hub = tmp_path / "hub"
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_CACHE", str(hub))
    spec = document(model="some/model", family="flux")
    assert [variant.name for variant in unweighed(spec, _folder)] == ["v"]
    kept, commit = hub / "models--some--model", "0" * 40
    shutil.copytree(folder, kept / "snapshots" / commit, ignore=lambda *_: {"hub"})
    (kept / "refs").mkdir()
    (kept / "refs" / "main").write_text(commit)
    assert not list(unweighed(spec, _folder))


def test_what_is_no_file_of_weights_weighs_nothing(folder):
    (folder / "vae" / "w.safetensors").write_bytes(b"\xff" * 64)
    variant = Variant(name="v", model=str(folder), family="flux")
    assert weighing.weights(folder, variant) == 2500 * 4
    assert weighing.weights(folder / "nowhere", variant) == 0


def test_weights_must_fit_the_gpu_of_some_pool(folder, monkeypatch):
    monkeypatch.setitem(weighing.GPU_BYTES, "h100", 6000.0)
    spec = document(model=str(folder), family="flux", dtype="bfloat16")
    problems = dict(found(spec))
    assert "its weights take 0.0 GB of memory, and h100 has 0" in problems["spec.variants[0].model"]
    two = {"pools": [{"name": n, "workers": 1, "gpuType": n} for n in ("h100", "unheard")]}
    seconds = {"h100": 1.0, "unheard": 1.0}
    roomy = document(model=str(folder), family="flux", spec=two, seconds=seconds)
    assert "spec.variants[0].model" not in fields(roomy)
