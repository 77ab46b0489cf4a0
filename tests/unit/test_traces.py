import numpy as np
import pytest

from argus_cli.simulate.traces import arrivals_of, read_trace
from argus_core.errors import InvalidRequest
from argus_core.simulator.arrivals import LOOKALIKES


@pytest.fixture
def file(tmp_path):
    def write(text):
        path = tmp_path / "trace.csv"
        path.write_bytes(text if isinstance(text, bytes) else text.encode())
        return path

    return write


@pytest.fixture
def recorded(file):
    """A thousand requests, one each half second from 100 s on, each of its own prompt."""
    lines = [f"{100 + i / 2},{i}" for i in range(1000)]
    return str(file("\n".join(["arrival_s,prompt_id", *lines])))


def arrivals(given, *, rate=None, duration=None, seed=0):
    rng = np.random.default_rng(seed)
    return arrivals_of("--trace", str(given), rate=rate, duration=duration, rng=rng)


def mean_rate(found):
    return (len(found) - 1) / (found[-1] - found[0])


def problem(call):
    with pytest.raises(InvalidRequest) as error:
        call()
    (violation,) = error.value.violations
    return violation


def test_arrivals_without_prompts(file):
    trace = read_trace("--trace", file("arrival_s\n0\n1.5\n1.5\n"))
    assert trace.arrivals.tolist() == [0, 1.5, 1.5]
    assert trace.prompt_ids is None
    assert trace.rates is None


def test_arrivals_out_of_order_are_sorted_with_their_prompts(file):
    trace = read_trace("--trace", file("arrival_s,prompt_id\n2,7\n1,8\n2,9\n"))
    assert trace.arrivals.tolist() == [1, 2, 2]
    assert trace.prompt_ids.tolist() == [8, 7, 9]


def test_other_columns_are_let_be(file):
    text = "checkpoint,arrival_s,num_images\nM0000,4,x\n,5,\n"
    assert read_trace("--trace", file(text)).arrivals.tolist() == [4, 5]


def test_rates_by_the_minute(file):
    trace = read_trace("--trace", file("minute,requests_per_minute\n5,60\n6,0\n7,90\n"))
    assert trace.rates.tolist() == [1, 0, 1.5]
    assert trace.step == 60
    assert trace.arrivals is None


def test_a_byte_order_mark_is_no_part_of_a_column(file):
    assert read_trace("--trace", file("\ufeffarrival_s\n3\n")).arrivals.tolist() == [3]


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("", "has no column 'arrival_s'"),
        ("when\n1\n", "has no column 'arrival_s'"),
        ("minute\n1\n", "'requests_per_minute'"),
        ("arrival_s\n", "one or more rows"),
        ("arrival_s\n1\nsoon\n", "line 3: arrival_s is not a number"),
        ("arrival_s\n-1\n", "line 2: arrival_s must be 0 or more"),
        ("arrival_s\nnan\n", "line 2: arrival_s must be 0 or more"),
        ("arrival_s\n1e999\n", "line 2: arrival_s must be 0 or more"),
        ("arrival_s,prompt_id\n1\n", "line 2: prompt_id is not a number"),
        ("arrival_s,prompt_id\n1,2.5\n", "line 2: prompt_id must be a whole number"),
        ("arrival_s,prompt_id\n1,-2\n", "line 2: prompt_id must be 0 or more"),
        ("minute,requests_per_minute\n0,5\n2,5\n", "line 3: minute must be 1, not 2"),
        ("minute,requests_per_minute\n0,-5\n", "line 2: requests_per_minute must be 0 or more"),
        (b"arrival_s\n\xff\n", "must be UTF-8"),
        ("arrival_s\n" + "1" * 200_000, "must be CSV"),
    ],
)
def test_errors_name_the_option_the_file_and_the_line(file, text, told):
    path = file(text)
    found = problem(lambda: read_trace("--trace", path))
    assert found.field == "--trace"
    assert str(path) in found.problem
    assert told in found.problem


def test_a_missing_file_is_told_with_the_lookalikes_there_are(tmp_path):
    assert "bursty" in problem(lambda: arrivals("burtsy")).problem
    assert "No such file" in problem(lambda: arrivals(tmp_path / "none.csv")).problem


def test_a_trace_as_it_is(recorded):
    found, prompts = arrivals(recorded)
    assert found[0] == 100
    assert prompts.tolist() == list(range(1000))


def test_a_lower_rate_thins_and_keeps_the_times(recorded):
    found, prompts = arrivals(recorded, rate=1.0)
    assert mean_rate(found) == pytest.approx(1.0, rel=0.1)
    assert np.array_equal(found, 100 + prompts / 2)


def test_a_higher_rate_presses_the_same_requests_into_less_time(recorded):
    found, prompts = arrivals(recorded, rate=20.0)
    assert mean_rate(found) == pytest.approx(20.0, rel=0.01)
    assert prompts.tolist() == list(range(1000))


def test_a_duration_cuts_after_the_rate_is_met(recorded):
    found, prompts = arrivals(recorded, rate=20.0, duration=30.0)
    assert found[-1] < 30
    assert 0 < len(found) == len(prompts) < 1000


def test_a_curve_is_scaled_to_the_rate_and_keeps_its_shape(file):
    path = file("minute,requests_per_minute\n" + "".join(f"{i},{i % 2}\n" for i in range(100)))
    found, prompts = arrivals(path, rate=5.0)
    assert prompts is None
    assert len(found) / 6000 == pytest.approx(5.0, rel=0.05)
    assert ((found // 60).astype(int) % 2 == 1).all()


def test_a_recorded_curve_ends_though_more_is_asked_for(file):
    path = file("minute,requests_per_minute\n0,600\n1,600\n")
    assert arrivals(path, duration=1000)[0][-1] < 120


def test_a_lookalike_begins_anew_where_more_is_asked_for():
    found, _ = arrivals("constant", rate=0.1, duration=20_000)
    assert found[-1] > 19_000
    assert len(found) == pytest.approx(2000, rel=0.1)


@pytest.mark.parametrize("name", LOOKALIKES)
def test_lookalikes_meet_the_rate(name):
    rates, step = LOOKALIKES[name](np.random.default_rng(0))
    rate = 5000 / (len(rates) * step)
    found, _ = arrivals(name, rate=rate)
    assert len(found) == pytest.approx(5000, rel=0.06)


def test_same_seed_same_arrivals(recorded):
    for given in (recorded, "azure"):
        first, second = (arrivals(given, rate=1.0, seed=2)[0] for _ in range(2))
        assert np.array_equal(first, second)


@pytest.mark.parametrize("value", [0.0, -1.0, float("nan"), float("inf")])
def test_rate_and_duration_must_be_above_0(recorded, value):
    assert problem(lambda: arrivals(recorded, rate=value)).field == "--rate"
    assert problem(lambda: arrivals(recorded, duration=value)).field == "--duration"


def test_what_cannot_be_scaled_is_told(file):
    at_once = file("arrival_s\n5\n5\n")
    assert problem(lambda: arrivals(at_once, rate=1.0)).field == "--rate"
    silent = file("minute,requests_per_minute\n0,0\n1,0\n")
    assert problem(lambda: arrivals(silent, rate=1.0)).field == "--rate"


def test_a_run_without_a_request_is_told(recorded, file):
    assert "not one request" in problem(lambda: arrivals(recorded, duration=99.0)).problem
    silent = file("minute,requests_per_minute\n0,0\n")
    assert "not one request" in problem(lambda: arrivals(silent)).problem


def test_absurd_loads_are_refused_before_they_fill_the_memory():
    assert problem(lambda: arrivals("constant", rate=1e12)).field == "--trace"
