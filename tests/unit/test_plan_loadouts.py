from itertools import combinations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from argus_core.errors import InvalidRequest
from argus_core.planning.loadouts import Footprint, maximal_loadouts

GIB = 2**30


def footprint(variant, own, working=0, **shared):
    return Footprint(variant=variant, components={variant: own, **shared}, working=working)


def fits(held, memory):
    resident = {}
    for one in held:
        for name, size in one.components.items():
            resident[name] = max(size, resident.get(name, 0))
    return sum(resident.values()) + max((one.working for one in held), default=0) <= memory


sizes = st.tuples(st.integers(1, 9), st.integers(0, 4), st.integers(0, 3))


@given(st.lists(sizes, max_size=6), st.integers(0, 20))
def test_loadouts_are_exactly_the_sets_that_fit_and_cannot_grow(rows, memory):
    prints = [
        footprint(f"v{i}", own, working, **({"vae": shared} if shared else {}))
        for i, (own, shared, working) in enumerate(rows)
    ]
    every = [set(c) for k in range(1, 7) for c in combinations(range(len(prints)), k)]
    fitting = [s for s in every if fits([prints[i] for i in s], memory)]
    maximal = [s for s in fitting if not any(s < other for other in fitting)]
    found = maximal_loadouts(prints, memory)
    assert sorted(found) == sorted(tuple(f"v{i}" for i in sorted(s)) for s in maximal)


def test_kin_share_what_they_have_in_common():
    kin = [
        footprint("sdxl", 5 * GIB, encoders=2 * GIB),
        footprint("ssd-1b", 3 * GIB, encoders=2 * GIB),
    ]
    assert maximal_loadouts(kin, 10 * GIB) == (("sdxl", "ssd-1b"),)
    assert maximal_loadouts(kin, 9 * GIB) == (("sdxl",), ("ssd-1b",))


def test_the_largest_working_memory_counts_once():
    prints = [footprint("a", 4, working=3), footprint("b", 4, working=3)]
    assert maximal_loadouts(prints, 11) == (("a", "b"),)
    assert maximal_loadouts(prints, 10) == (("a",), ("b",))


def test_a_bound_on_their_number_still_leaves_every_variant_a_loadout():
    prints = [footprint(f"v{i:02}", 1) for i in range(20)]
    found = maximal_loadouts(prints, 10, at_most=16)
    assert len(found) <= 20
    assert {v for loadout in found for v in loadout} == {f.variant for f in prints}
    assert all(len(loadout) == 10 for loadout in found)


def test_what_fits_nowhere_is_in_no_loadout():
    assert maximal_loadouts([footprint("big", 9), footprint("small", 1)], 5) == (("small",),)
    assert maximal_loadouts([], 5) == ()


@pytest.mark.parametrize(
    ("prints", "memory", "field"),
    [([], -1, "memory"), ([footprint("a", -1)], 5, r"footprints\[a\]"),
     ([footprint("a", 1)] * 2, 5, "footprints")],
)  # fmt: skip
def test_nonsense_is_refused_by_name(prints, memory, field):
    with pytest.raises(InvalidRequest, match=field):
        maximal_loadouts(prints, memory)
