"""A whole profile over scripted workers: what is asked of them, and what becomes of it."""

import json

import pytest

from argus_cli.document import load_document
from argus_cli.profile import work
from argus_cli.profile.crew import Given
from argus_cli.profile.journal import Journal
from argus_cli.profile.options import asked
from argus_cli.profile.run import Watching, profiled
from argus_core.errors import InvalidRequest, NotFound, Unavailable
from argus_core.spec import ArgusCluster
from profile_workers import ScriptedWorker, listening

ROOT_SAMPLE = "shapes-cached.yaml"


class Stopped(Exception):
    """As if the process had ended here."""


@pytest.fixture(autouse=True)
def _at_once(monkeypatch):
    monkeypatch.setattr(work, "PAUSE", 0.0)


@pytest.fixture(scope="module")
def spec(pytestconfig):
    document = load_document(pytestconfig.rootpath / "manifests" / "samples" / ROOT_SAMPLE)[1]
    assert isinstance(document, ArgusCluster)
    return document.spec


def ask_of(spec, **changes):
    told = {
        "prompts": None, "captions": 4, "seeds": 2, "first_seed": 5, "starts": 2, "metric": None,
        "batches": "1,2", "sizes": None, "samples": 2, **changes,
    }  # fmt: skip
    return asked(spec, **told)


async def measured(spec, ask, journal, *workers, watching=None):
    async with listening(*workers) as addresses:
        with Journal(journal, ask.told()) as kept:
            return await profiled(ask, spec, Given(addresses), kept, watching)


@pytest.fixture
def journal(tmp_path):
    return tmp_path / "journal"


async def test_every_level_prompt_and_pair_is_in_the_profile(spec, journal):
    ask = ask_of(spec)
    found = await measured(spec, ask, journal, ScriptedWorker(), ScriptedWorker("x"))
    device = found.devices["cpu"]
    assert list(device.timings) == [level.name for level in spec.ladder]
    assert {batch for t in device.timings.values() for batch in t["48x48"]} == {1, 2}
    assert {name: s.seconds for name, s in device.switches.items()} == {
        "shapes-large": 0.25, "shapes-small": 0.25, "shapes-tiny": 0.25,
    }  # fmt: skip
    assert [row.prompt for row in found.quality.prompts] == list(ask.prompts)
    assert {row.seeds for row in found.quality.prompts} == {(5, 6)}
    assert len(found.starts) == 3 * len(ask.pairs)


async def test_a_start_goes_on_from_the_latent_of_its_origin_seed_and_step(spec, journal):
    ask, worker = ask_of(spec, seeds=1), ScriptedWorker()
    await measured(spec, ask, journal, worker)
    begun = [r for r in worker.drawn if r.HasField("start") and r.seed == 5]
    wanted = {(pair.prompt, f"{k} of {pair.origin} 5") for pair in ask.pairs for k in (6, 12, 18)}
    assert {(r.prompt, r.start.data.decode()) for r in begun} == wanted
    assert all(r.schedule.skipped_steps == r.start.step for r in begun)


async def test_interrupted_anywhere_and_gone_on_with_it_ends_with_the_same(spec, tmp_path):
    ask = ask_of(spec, captions=2, starts=1, seeds=1, samples=1)
    whole = await measured(spec, ask, tmp_path / "whole", ScriptedWorker())
    pieces = len((tmp_path / "whole").read_text().splitlines()) - 1
    for end in range(1, pieces, 5):
        left = iter(range(end))

        def stop(_unit, left=left):
            if next(left, None) is None:
                raise Stopped

        worker, watching = ScriptedWorker(), Watching(done=stop)
        with pytest.raises(Stopped):
            await measured(spec, ask, tmp_path / f"{end}", worker, watching=watching)
        again = []
        found = await measured(
            spec, ask, tmp_path / f"{end}", ScriptedWorker(), watching=Watching(done=again.append)
        )
        assert len(again) == pieces - end - 1
        assert (found.quality, found.starts) == (whole.quality, whole.starts)


async def test_who_draws_changes_no_score(spec, tmp_path):
    ask = ask_of(spec)
    one = await measured(spec, ask, tmp_path / "1", ScriptedWorker())
    workers = [ScriptedWorker(name) for name in "abc"]
    three = await measured(spec, ask, tmp_path / "3", *workers)
    assert all(worker.judged for worker in workers)
    assert (one.quality, one.starts) == (three.quality, three.starts)


async def test_levels_are_timed_by_one_worker_while_all_others_rest(spec, journal):
    workers = [ScriptedWorker("a", lingers=0.5), ScriptedWorker("b")]
    at = []
    phases = Watching(began=lambda phase: at.append((phase, [len(w.drawn) for w in workers])))
    await measured(spec, ask_of(spec), journal, *workers, watching=phases)
    drawn = dict(at)["drawing and judging"]
    assert drawn[0] > 0
    assert drawn[1] == 0
    assert workers[0].most_at_once == 2


async def test_a_lost_worker_s_pieces_are_taken_by_another(spec, tmp_path):
    ask = ask_of(spec)
    whole = await measured(spec, ask, tmp_path / "whole", ScriptedWorker())
    weak, left = ScriptedWorker("weak"), iter(range(60))

    def tire(_request):
        weak.lost = next(left, None) is None

    weak.refuse = tire
    found = await measured(spec, ask, tmp_path / "robbed", weak, ScriptedWorker("strong"))
    assert weak.lost
    assert (found.quality, found.starts) == (whole.quality, whole.starts)


async def test_with_all_workers_lost_it_ends_and_keeps_what_is_done(spec, journal):
    worker, left = ScriptedWorker(), iter(range(40))

    def tire(_request):
        worker.lost = next(left, None) is None

    worker.refuse = tire
    with pytest.raises(Unavailable, match="no worker is left"):
        await measured(spec, ask_of(spec), journal, worker)
    assert len(journal.read_text().splitlines()) > 3


async def test_batches_that_a_worker_does_not_take_are_left_out(spec, journal):
    found = await measured(spec, ask_of(spec), journal, ScriptedWorker(slots=1))
    assert {b for t in found.devices["cpu"].timings.values() for b in t["48x48"]} == {1}


async def test_a_metric_that_needs_references_gets_the_best_level_s_of_the_same_seed(spec, journal):
    worker = ScriptedWorker(needs_reference=True)
    ask = ask_of(spec, captions=2, starts=1)
    await measured(spec, ask, journal, worker)
    for request in (r for r in worker.judged if r.images):
        for image, reference in zip(request.images, request.references, strict=True):
            variant, steps, prompt, seed, start = json.loads(reference.data)
            assert (variant, steps, start) == ("shapes-large", 24, None)
            assert [prompt, seed] == json.loads(image.data)[2:4]


async def test_an_unknown_metric_is_told_before_anything_is_drawn(spec, journal):
    worker = ScriptedWorker()
    with pytest.raises(NotFound, match="there is only shapes"):
        await measured(spec, ask_of(spec, metric="taste"), journal, worker)
    assert worker.drawn == []


async def test_a_worker_of_an_unknown_pool_is_refused(spec, journal):
    with pytest.raises(InvalidRequest, match="'gpu'; the document has cpu"):
        await measured(spec, ask_of(spec), journal, ScriptedWorker(pool="gpu"))


async def test_workers_of_a_type_must_have_one_device(spec, journal):
    workers = [ScriptedWorker("a", device="one"), ScriptedWorker("b", device="two")]
    with pytest.raises(InvalidRequest, match="different devices: one, two"):
        await measured(spec, ask_of(spec), journal, *workers)
