"""`argus simulate` and `argus compare` as they are typed, on the small studio."""

import json
import subprocess
import sys
from dataclasses import fields, replace

import numpy as np
import pytest
from PIL import Image

from argus_cli.simulate.figures import COMPARED, FIGURES, Figure
from argus_cli.simulate.statistics import interval
from argus_cli.simulate.told import heading, verdict
from argus_core.simulator.summary import Summary
from simulate_support import comparison, run, summary
from simulator_support import scenario

SHORT = "--trace", "constant", "--duration", "10s", "--slo", "2s", "--policy", "clipper-ht"
SIDE_BY_SIDE = (*SHORT[:-2], "--seeds", "2", "--jobs", "1")


def test_commands_start_without_what_is_slow_to_import():
    slow = "numpy", "scipy", "matplotlib", "plotly", "highspy", "argus_core.simulator.engine"
    code = f"import sys, argus_cli.main; print([m for m in {slow!r} if m in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_simulate_prints_every_figure_and_what_it_took_for_granted(argus):
    status, said, _ = argus("simulate", *SHORT)
    assert status == 0
    assert all(figure.title in said for figure in FIGURES)
    assert "constant: " in said
    words = " ".join(said.split())
    assert "--qualities takes measured ones" in words
    assert "--switch says what it costs" in words
    _, said, _ = argus("simulate", *SHORT, "--switch", "1s")
    assert "--switch" not in said


def test_simulate_writes_a_record_a_picture_and_a_page(argus, tmp_path):
    folder = tmp_path / "new" / "out"
    status, _, told = argus("simulate", *SHORT, "--out", str(folder))
    assert status == 0
    assert "result.json" in told
    record = json.loads((folder / "result.json").read_text())
    assert record["command"] == " ".join(["argus simulate", *SHORT, "--out", str(folder)])
    assert {"python", "numpy", "highspy"} <= record["versions"].keys()
    assert record["scenario"]["workers"] == {"cpu": 2}
    assert record["scenario"]["levels"][0]["name"] == "large-24"
    assert record["summary"].keys() == {"seed", *(f.name for f in fields(Summary))}
    assert len(record["series"]["start"]) == len(record["series"]["quality"])
    assert np.asarray(Image.open(folder / "run.png")).std() > 5
    assert "Plotly.newPlot" in (folder / "run.html").read_text("utf-8")


def test_json_is_all_that_simulate_prints_and_repeats_itself(argus):
    _, one, _ = argus("simulate", *SHORT, "--json")
    _, again, _ = argus("simulate", *SHORT, "--json")
    one, again = (json.loads(text)["summary"] for text in (one, again))
    assert one.pop("seconds") > 0 < again.pop("seconds")
    assert one == again
    _, other, _ = argus("simulate", *SHORT, "--seed", "1", "--json")
    assert json.loads(other)["summary"]["requests"] != one["requests"]


def test_compare_shows_all_that_can_work_and_says_why_the_others_cannot(argus):
    status, said, _ = argus("compare", *SIDE_BY_SIDE, "--bound")
    assert status == 0
    rows = {line.split()[0]: line for line in said.splitlines() if "±" in line}
    able = "argus", "paper", "pac", "proteus", "sommelier", "clipper-ha", "clipper-ht", "bound"
    assert set(able) <= rows.keys()
    assert "less argus" in said
    assert "Left out: diffserve (" in said
    assert "Left out: nirvana (" in said


def test_compare_writes_every_run_and_means_with_intervals(argus, tmp_path):
    arguments = *SIDE_BY_SIDE, "--policies", "clipper-ha,clipper-ht", "--seed", "5"
    status, _, _ = argus("compare", *arguments, "--out", str(tmp_path))
    assert status == 0
    record = json.loads((tmp_path / "compare.json").read_text())
    assert record["seeds"] == [5, 6]
    assert list(record["policies"]) == ["clipper-ha", "clipper-ht"]
    told = record["policies"]["clipper-ht"]
    values = [run["value"] for run in told["runs"]]
    assert told["figures"]["value"]["mean"] == pytest.approx(np.mean(values))
    assert told["figures"]["value"]["low"] < min(values)
    first = [run["value"] for run in record["policies"]["clipper-ha"]["runs"]]
    assert told["value_less_first"]["mean"] == pytest.approx(np.mean(values) - np.mean(first))
    assert record["bound"] is None
    assert np.asarray(Image.open(tmp_path / "compare.png")).std() > 5
    assert "Plotly.newPlot" in (tmp_path / "compare.html").read_text("utf-8")


def test_compare_prints_json_alone_if_asked_to(argus):
    _, said, _ = argus("compare", *SIDE_BY_SIDE, "--policies", "clipper-ht", "--bound", "--json")
    record = json.loads(said)
    assert len(record["bound"]["by_seed"]) == 2


@pytest.mark.parametrize(
    "arguments",
    [
        ["simulate", "--policy", "nobody"], ["simulate", "--policy", "nirvana"],
        ["simulate", "--seed", "-1"], ["simulate", "--trace", "nowhere"],
        ["simulate", "--out", "/dev/null/x"], ["simulate", "--retries", "101"],
        ["compare", "--policies", "argus,nobody"], ["compare", "--policies", "nirvana,diffserve"],
        ["compare", "--seeds", "0"], ["compare", "--jobs", "0"], ["compare", "--seed", "-1"],
        ["compare", "--interval", "never"],
    ],
)  # fmt: skip
def test_a_wrong_option_is_named_and_is_usage(argus, arguments):
    command, option, value = arguments
    status, _, said = argus(command, "--duration", "10s", option, value)
    assert status == 2
    assert said.startswith(f"error: {option}:")


def test_the_bound_goes_with_no_retries(argus):
    arguments = "--policies", "clipper-ht", "--bound", "--retries", "1"
    status, _, said = argus("compare", *SIDE_BY_SIDE, *arguments)
    assert status == 2
    assert said.startswith("error: --bound:")


# How figures are written


def test_every_figure_of_a_summary_is_shown():
    shown = [figure.field for figure in FIGURES]
    assert sorted(shown) == sorted(f.name for f in fields(Summary) if f.name != "policy")
    assert all(figure.short for figure in COMPARED)


def test_figures_are_written_with_scale_digits_and_unit():
    share = Figure(field="violations", title="violations", scale=100, digits=1, unit="%")
    assert share.write(0.1234) == "12.3%"
    assert share.write(None) == share.write_interval(None) == "-"
    assert share.write_interval(interval([0.1])) == "10.0"
    assert share.write_interval(interval([0.1, 0.1]), signed=True) == "+10.0 ±0.0"
    assert Figure(field="requests", title="requests").write(12_345) == "12,345"


def test_the_verdict_tells_apart_what_the_seeds_tell_apart():
    found = comparison("paper", "argus", "pac", "proteus")
    shifts = {"paper": (0, 0, 0), "argus": (1, 2, 3), "pac": (-1, 0, 1), "proteus": (-3, -2, -2)}
    runs = tuple(run(n, i, value=0.5 + s / 100) for n in shifts for i, s in enumerate(shifts[n]))
    sentence = "By value, paper is better than proteus; not told apart from argus, pac."
    assert verdict(replace(found, runs=runs)) == sentence
    surer = tuple(
        replace(r, summary=summary(r.policy, value=0.9)) if r.policy == "argus" else r for r in runs
    )
    assert "not told apart from pac; worse than argus." in verdict(replace(found, runs=surer))


def test_the_heading_tells_load_deadline_and_gpus():
    given = scenario(np.linspace(0, 600, 1201), workers=("h100", "a10", "h100"))
    assert heading(given) == (
        "test: 1,201 requests in 10 min, 2 a second, deadline 10 s, on 2 x h100, 1 x a10"
    )
    assert "in 0 s" in heading(scenario())
    assert "in 5.0 h" in heading(scenario([18_000.0]))
