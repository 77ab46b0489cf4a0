"""Ladders of documents that state none."""

import pytest

from argus_cli.commands.ladder import _facts
from argus_cli.rungs import problems
from argus_core.errors import InvalidRequest
from argus_core.habits import HABITS, levels
from argus_core.latents import in_full
from argus_core.spec import is_automatic, parse_cluster
from argus_worker import families

HEAD = {"apiVersion": "argus.dev/v1alpha1", "kind": "ArgusCluster", "metadata": {"name": "c"}}
STORE = {"latentStore": {"url": "directory:/latents"}}


def document(*variants, **spec):
    """Without a ladder; variants are names and families."""
    named = [
        {"name": name, "model": "m", "family": family, "dtype": "bfloat16"}
        for name, family in variants
    ]
    pools = [{"name": "p", "workers": 2, "gpuType": "h100"}]
    return {**HEAD, "spec": {"pools": pools, "variants": named, **spec}}


def test_there_is_a_habit_for_every_family_that_comes_with_argus():
    assert HABITS.keys() == set(families.names())


@pytest.mark.parametrize("family", HABITS)
def test_what_is_commonly_drawn_can_be_drawn(family):
    facts = _facts(family)
    size = {"width": facts.max_side, "height": facts.min_side}
    spec = parse_cluster(document(("v", family), defaultSize=size, **STORE)).spec
    assert list(problems(spec, _facts, lambda _: None)) == []


def test_a_ladder_falls_from_the_first_variants_most_steps():
    spec = parse_cluster(document(("a", "sdxl"), ("b", "sdxl-turbo"))).spec
    assert spec.ladder[0].name == "a-30"
    assert {level.variant for level in spec.ladder} == {"a", "b"}
    assert [level.quality for level in spec.ladder] == sorted(
        (level.quality for level in spec.ladder), reverse=True
    )
    seconds = {level.name: level.seconds["h100"] for level in spec.ladder}
    assert seconds["a-30"] > seconds["a-12"] > seconds["b-4"]


def test_steps_are_skipped_only_where_there_is_a_store_and_a_level_that_leaves_latents():
    assert not any(
        level.skipped_steps for level in parse_cluster(document(("a", "sdxl"))).spec.ladder
    )
    spec = parse_cluster(document(("a", "sdxl"), ("b", "sdxl-turbo"), **STORE)).spec
    skipping = [level for level in spec.ladder if level.skipped_steps]
    assert [level.name for level in skipping] == ["a-30-k8", "a-30-k15"]
    assert all(in_full(level, spec.ladder) for level in skipping)


def test_every_pool_has_seconds():
    (level, *_) = levels([("a", "shapes")], gpu_types=["l4", "cpu"], pixels=48 * 48, stored=False)
    assert level["seconds"].keys() == {"l4", "cpu"}


def test_a_family_that_is_not_known_asks_for_a_ladder():
    with pytest.raises(InvalidRequest, match="spec.ladder: give one.* other is not known"):
        parse_cluster(document(("known", "sdxl"), ("other", "of-their-own")))


def test_a_name_without_room_for_its_steps_asks_for_a_ladder():
    with pytest.raises(InvalidRequest, match="spec.ladder: give one"):
        parse_cluster(document(("a" * 63, "sdxl")))


def test_what_is_filled_in_is_told_from_what_was_stated():
    left_out = document(("a", "sdxl"))
    assert is_automatic(left_out)
    written = parse_cluster(left_out).model_dump(mode="json", by_alias=True, exclude_none=True)
    assert not is_automatic(written)
    assert parse_cluster(written).spec.ladder == parse_cluster(left_out).spec.ladder
