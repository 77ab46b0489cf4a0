from collections import Counter

from hypothesis import given
from hypothesis import strategies as st

from argus_core.spec import parse_cluster
from argus_core.spread import choices, spread, spread_cluster

names = st.lists(st.text("abc", min_size=1, max_size=4), min_size=1, max_size=20, unique=True)
sizes = st.integers(1, 40)


@given(names, sizes)
def test_every_variant_is_held_and_every_worker_holds_one(variants, workers):
    loadouts = spread(variants, workers)
    assert len(loadouts) == workers
    assert all(loadouts)
    assert {name for loadout in loadouts for name in loadout} == set(variants)


@given(names, sizes)
def test_no_one_bears_two_more_than_another(variants, workers):
    loadouts = spread(variants, workers)
    held = Counter(name for loadout in loadouts for name in loadout)
    assert max(held.values()) - min(held.values()) <= 1
    assert max(map(len, loadouts)) - min(map(len, loadouts)) <= 1


@given(names, sizes)
def test_a_loadout_has_no_twins_and_keeps_the_variants_order(variants, workers):
    for loadout in spread(variants, workers):
        assert list(loadout) == sorted(set(loadout), key=variants.index)


def test_fewer_workers_than_variants_hold_several_each():
    assert spread(["large", "small", "tiny"], 2) == (("large", "tiny"), ("small",))


def test_more_workers_than_variants_repeat_the_dearest_first():
    assert spread(["large", "small"], 3) == (("large",), ("small",), ("large",))


def test_each_pool_is_spread_by_itself():
    variants = [{"name": name, "model": "builtin:x", "family": "shapes"} for name in ("a", "b")]
    level = {"steps": 4, "quality": 1, "seconds": {"cpu": 1}}
    document = {
        "apiVersion": "argus.dev/v1alpha1",
        "kind": "ArgusCluster",
        "metadata": {"name": "two-pools"},
        "spec": {
            "pools": [{"name": "one", "workers": 1}, {"name": "three", "workers": 3}],
            "variants": variants,
            "ladder": [{"name": f"l{v['name']}", "variant": v["name"], **level} for v in variants],
        },
    }
    assert spread_cluster(parse_cluster(document).spec) == {
        "one": (("a", "b"),),
        "three": (("a",), ("b",), ("a",)),
    }


@given(names, sizes)
def test_choices_are_as_large_as_the_spread_s_largest_and_can_hold_every_variant(variants, workers):
    offered = choices(variants, workers)
    largest = max(len(loadout) for loadout in spread(variants, workers))
    assert max(len(loadout) for loadout in offered) == largest
    assert {name for loadout in offered for name in loadout} == set(variants)
    assert len(offered) == len(set(offered)) <= 64
    assert all(sorted(loadout, key=variants.index) == list(loadout) for loadout in offered)


def test_fewer_workers_than_variants_may_hold_any_as_many():
    assert choices(["a", "b", "c"], 2) == (("a", "b"), ("a", "c"), ("b", "c"))
    assert choices(["a", "b", "c"], 1) == (("a", "b", "c"),)
    assert choices(["a", "b"], 4) == (("a",), ("b",))
