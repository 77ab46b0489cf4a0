"""The choice of level: the rule, its exceptions, and that it explains itself."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from argus_core.choice import Ask, Candidate, PricePolicy, roomiest
from argus_core.errors import ArgusError, DeadlineMissed, Exhausted, InvalidRequest, Unavailable
from argus_core.spec import Level

POLICY = PricePolicy()


def candidate(
    name="a",
    *,
    quality=1.0,
    wait=0.0,
    seconds=1.0,
    fresh=True,
    skipped=0,
    has_start=False,
    price=0.0,
    squeezed=None,
    longest=0.0,
):
    level = Level(
        name=name,
        variant=f"v-{name}",
        steps=20,
        skipped_steps=skipped,
        quality=quality,
        seconds={"cpu": 1.0},
    )
    return Candidate(
        level=level,
        quality=quality,
        wait=wait,
        seconds=seconds,
        fresh=fresh,
        has_start=has_start,
        price=price,
        squeezed=squeezed,
        longest=longest,
    )


def chosen(*candidates, remaining=10.0, **asks):
    return POLICY.choose(Ask(remaining=remaining, **asks), candidates)


def rejections(decision):
    return {option.candidate.level.name: option.rejected for option in decision.options}


GOOD = candidate("good", quality=1.0, seconds=5.0)
FAIR = candidate("fair", quality=0.8, seconds=2.0)
POOR = candidate("poor", quality=0.5, seconds=0.5)


def test_best_level_in_time_is_taken():
    assert chosen(GOOD, FAIR, POOR).level.name == "good"
    assert chosen(GOOD, FAIR, POOR, remaining=3.0).level.name == "fair"
    assert chosen(GOOD, FAIR, POOR, remaining=0.5).level.name == "poor"


def test_quality_predicted_for_the_prompt_goes_before_the_order_of_the_ladder():
    assert chosen(candidate("dear", quality=0.7), candidate("cheap", quality=0.8)).level.name == (
        "cheap"
    )


def test_of_equal_quality_the_quicker_is_taken_and_then_the_dearer():
    slow, quick = candidate("slow", seconds=2.0), candidate("quick", seconds=1.0)
    assert chosen(slow, quick).level.name == "quick"
    assert chosen(candidate("first"), candidate("second")).level.name == "first"


def test_waiting_counts_and_degrades():
    busy = candidate("busy", quality=1.0, seconds=1.0, wait=9.5)
    assert chosen(busy, POOR).level.name == "poor"


def test_completion_counts_from_arrival():
    assert chosen(candidate(wait=2.0, seconds=1.0), elapsed=4.0).completion == 7.0


def test_every_level_is_explained_best_first():
    held_by_none = candidate("gone", quality=0.9, wait=None)
    cached = candidate("cached", quality=0.95, skipped=5)
    decision = chosen(GOOD, held_by_none, cached, FAIR, POOR, remaining=3.0, minimum_quality=0.6)
    reasons = rejections(decision)
    assert list(reasons) == ["good", "cached", "gone", "fair", "poor"]
    assert "late" in reasons["good"]
    assert "latent" in reasons["cached"]
    assert "no worker holds v-gone" in reasons["gone"]
    assert reasons["fair"] == ""
    assert "below the minimum" in reasons["poor"]
    assert "fair" in decision.reason
    assert "good" in decision.reason


def test_pinned_level_is_honoured_though_better_ones_are_free():
    decision = chosen(GOOD, FAIR, level="fair")
    assert decision.level.name == "fair"
    assert "asks for fair" in rejections(decision)["good"]


def test_level_with_skipped_steps_opens_with_a_latent_to_start_from():
    cached = candidate("cached", quality=0.95, skipped=5, has_start=True)
    assert chosen(cached, FAIR).level.name == "cached"


def test_nothing_in_time_is_exhausted_until_the_backlog_has_shrunk():
    with pytest.raises(Exhausted) as caught:
        chosen(
            candidate("a", wait=20.0, seconds=1.0),
            candidate("b", quality=0.5, wait=12.0, seconds=0.5),
        )
    assert caught.value.retry_after == pytest.approx(2.5)
    later = candidate("b", quality=0.5, wait=12.0 - caught.value.retry_after, seconds=0.5)
    assert chosen(later).level.name == "b"


def test_deadline_shorter_than_any_level_is_missed_not_retried():
    with pytest.raises(DeadlineMissed):
        chosen(GOOD, FAIR, remaining=1.0)


def test_deadline_that_is_over_is_missed():
    with pytest.raises(DeadlineMissed):
        chosen(candidate(wait=3.0), remaining=-1.0)


def test_idle_worker_is_tried_where_the_estimate_may_be_wrong():
    doubtful = candidate("a", seconds=60.0, fresh=False)
    assert chosen(doubtful).level.name == "a"
    with pytest.raises(DeadlineMissed):
        chosen(candidate("a", seconds=60.0, fresh=True))
    with pytest.raises(DeadlineMissed):
        chosen(candidate("a", seconds=60.0, fresh=False, wait=1.0))


def test_no_worker_holding_it_is_unavailable_not_invalid():
    with pytest.raises(Unavailable, match="v-a"):
        chosen(candidate("a", wait=None))
    with pytest.raises(Unavailable, match="v-good"):
        chosen(candidate("good", wait=None), POOR, minimum_quality=0.9)
    with pytest.raises(Unavailable, match="v-good"):
        chosen(candidate("good", wait=None), POOR, level="good")


@pytest.mark.parametrize(
    ("asks", "field"),
    [
        ({"level": "none-such"}, "level"),
        ({"minimum_quality": 0.99}, "minimum_quality"),
        ({"level": "cached"}, "level"),
    ],
)
def test_what_can_never_be_served_names_its_field(asks, field):
    cached = candidate("cached", quality=1.0, skipped=3)
    with pytest.raises(InvalidRequest) as caught:
        chosen(FAIR, POOR, cached, **asks)
    assert [v.field for v in caught.value.violations] == [field]


def priced(price):
    return [
        candidate("good", quality=1.0, seconds=5.0, price=price),
        candidate("fair", quality=0.8, seconds=2.0, price=price),
        candidate("poor", quality=0.5, seconds=0.5, price=price),
    ]


@pytest.mark.parametrize(
    ("price", "level"), [(0.0, "good"), (0.05, "good"), (0.1, "fair"), (0.3, "poor")]
)
def test_a_rising_price_moves_a_prompt_down_the_ladder(price, level):
    decision = chosen(*priced(price))
    assert decision.level.name == level
    assert decision.price == price


def test_prices_are_told_with_the_sums_that_decided():
    decision = chosen(*priced(0.1))
    assert decision.reason == (
        "fair is worth 0.600 (0.800 less 2.00 s at 0.100); "
        "good only 0.500 (1.000 less 5.00 s at 0.100)"
    )
    assert "0.450 (0.500 less 0.50 s at 0.100)" in rejections(decision)["poor"]
    assert list(rejections(decision)) == ["fair", "good", "poor"]


def test_a_price_of_one_variant_moves_prompts_to_another():
    dear = candidate("dear", quality=1.0, price=0.3)
    free = candidate("free", quality=0.8)
    assert chosen(dear, free).level.name == "free"


def test_no_price_moves_a_prompt_below_its_minimum_quality():
    assert chosen(*priced(9.0), minimum_quality=0.7).level.name == "fair"


def test_late_levels_are_taken_where_they_are_in_time_once_all_ahead_are_quick():
    waiting = candidate("a", wait=12.0, seconds=2.0, squeezed=1.0)
    decision = chosen(waiting, candidate("b", quality=0.5, wait=20.0, squeezed=19.0))
    assert decision.level.name == "a"
    assert "quickest" in decision.reason


def test_levels_that_would_make_others_late_are_left():
    decision = chosen(GOOD, FAIR, POOR, room=2.5)
    assert decision.level.name == "fair"
    assert "others" in decision.reason
    assert "others" in rejections(decision)["good"]


def test_where_none_leaves_room_the_quickest_is_taken():
    assert chosen(GOOD, FAIR, POOR, room=0.1, strained=0.2).level.name == "poor"


def test_where_none_leaves_room_others_have_less_in_hand_before_prompts_are_drawn_badly():
    assert chosen(GOOD, FAIR, POOR, room=0.1, strained=2.5).level.name == "fair"


def test_level_that_lately_took_too_long_is_left_near_the_deadline():
    moody = candidate("moody", quality=0.9, seconds=4.0, longest=7.0)
    decision = chosen(moody, FAIR, POOR, remaining=6.0)
    assert decision.level.name == "fair"
    assert "lately" in decision.reason
    assert "may well take 7.00 s" in rejections(decision)["moody"]
    assert chosen(moody, FAIR, POOR, remaining=8.0).level.name == "moody"
    assert chosen(moody, remaining=6.0).level.name == "moody"


def test_admission_asks_for_the_level_with_most_time_to_spare():
    slow = candidate("slow", wait=1.0, seconds=4.0, squeezed=0.5)
    quick = candidate("quick", wait=5.0, seconds=0.5)
    ask = Ask(remaining=10.0)
    assert roomiest(ask, [slow, quick]).level.name == "slow"
    assert roomiest(Ask(remaining=1.0), [slow, quick]).level.name == "quick"
    assert roomiest(Ask(remaining=0.1), [slow, quick]) is None
    assert roomiest(ask, [candidate(wait=None)]) is None


def candidates_of(rows):
    return [
        candidate(
            f"l{index}",
            quality=quality,
            wait=wait,
            seconds=seconds,
            fresh=fresh,
            skipped=skipped,
            has_start=has_start,
            price=price,
        )
        for index, (quality, wait, seconds, fresh, skipped, has_start, price) in enumerate(rows)
    ]


LADDERS = st.lists(
    st.tuples(
        st.floats(0, 1),
        st.none() | st.floats(0, 30),
        st.floats(0.01, 30),
        st.booleans(),
        st.sampled_from([0, 0, 5]),
        st.booleans(),
        st.sampled_from([0.0, 0.0, 0.01, 0.1, 1.0]),
    ),
    min_size=1,
    max_size=8,
).map(candidates_of)
ASKS = st.builds(
    Ask,
    remaining=st.floats(-1, 40),
    elapsed=st.floats(0, 10),
    minimum_quality=st.floats(0, 1),
    level=st.none() | st.sampled_from(["l0", "l1"]),
)


@given(LADDERS, ASKS)
def test_what_is_taken_is_open_in_time_and_worth_most_of_those(ladder, ask):
    decision = choice_or_refusal(ask, ladder)
    if isinstance(decision, ArgusError):
        assert isinstance(decision, InvalidRequest | Exhausted | DeadlineMissed | Unavailable)
        assert decision.retry_after is None or decision.retry_after > 0
        return
    taken = next(c for c in ladder if c.level.name == decision.level.name)
    assert ask.level in (None, taken.level.name)
    assert taken.quality >= ask.minimum_quality
    assert taken.wait is not None
    assert taken.has_start or not taken.level.skipped_steps
    in_time = [c for c in ladder if not _shut(ask, c) and c.completion <= ask.remaining]
    if in_time:
        assert taken.completion <= ask.remaining
        assert taken.worth == max(c.worth for c in in_time)
    else:
        assert not taken.fresh
        assert taken.wait == 0
    reasons = rejections(decision)
    assert sorted(reasons) == sorted(c.level.name for c in ladder)
    assert [name for name, reason in reasons.items() if not reason] == [taken.level.name]


@given(LADDERS, ASKS)
def test_refusal_means_that_no_level_is_open_in_time(ladder, ask):
    if isinstance(choice_or_refusal(ask, ladder), ArgusError):
        assert not [c for c in ladder if not _shut(ask, c) and c.completion <= ask.remaining]


def choice_or_refusal(ask, ladder):
    try:
        return POLICY.choose(ask, ladder)
    except ArgusError as error:
        return error


def _shut(ask, c):
    return (
        (ask.level is not None and c.level.name != ask.level)
        or c.quality < ask.minimum_quality
        or c.wait is None
        or (c.level.skipped_steps > 0 and not c.has_start)
    )
