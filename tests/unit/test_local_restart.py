from hypothesis import given
from hypothesis import strategies as st

from argus_cli.local.restart import RestartPolicy, restart_delay

POLICY = RestartPolicy(
    first_delay=0.5, factor=2, longest_delay=3, deaths=5, window=60, start_deaths=2
)


def delays(deaths, came_up=True):
    return [
        restart_delay(deaths[: i + 1], policy=POLICY, came_up=came_up) for i in range(len(deaths))
    ]


def test_delay_doubles_up_to_its_bound_then_gives_up():
    assert delays([0, 1, 2, 3, 4]) == [0.5, 1, 2, 3, None]


def test_deaths_out_of_the_window_are_forgiven():
    assert delays([0, 61, 122, 183, 244, 305]) == [0.5] * 6


def test_child_that_never_came_up_is_given_up_sooner():
    assert delays([0, 1], came_up=False) == [0.5, None]


@given(st.lists(st.floats(0, 1000), min_size=1, max_size=30).map(sorted), st.booleans())
def test_delay_is_positive_and_bounded(deaths, came_up):
    delay = restart_delay(deaths, policy=POLICY, came_up=came_up)
    assert delay is None or 0.5 <= delay <= 3


@given(st.lists(st.floats(0, 59.9), min_size=5, max_size=30).map(sorted))
def test_too_many_deaths_within_the_window_always_give_up(deaths):
    assert restart_delay(deaths, policy=POLICY, came_up=True) is None
