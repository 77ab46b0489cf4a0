import json
import pickle
from functools import partial

import numpy as np
import pytest

import ablations
import azure
import day
import frontier
import paper
import report
import shapes
import traces
from argus_core.policies.argus import Argus
from argus_core.policies.clipper import highest_accuracy, highest_throughput
from argus_core.policies.registry import POLICIES
from argus_core.simulator.engine import simulate
from argus_core.simulator.summary import summarise
from simulator_support import still
from support import asked as options
from support import paper as setting
from support import results, runs, sheets
from support import shapes as small
from support.experiment import Experiment, run
from support.parts import REGRET, Part
from support.standing import QUALITY, VALUE, standing_of
from support.views import WHOLE, Always, Outage, whole

MODULES = (ablations, azure, day, frontier, paper, shapes, traces)
SCRIPTS = {module.__name__: module for module in MODULES}
OF_THEIR_OWN = {"ablations": set(ablations.policies())}
"""Policies of scripts that do not run those that are registered."""
EVERYWHERE = set(POLICIES) - {"diffserve", "nirvana"}
BUILD = partial(small.scenario, seconds=0.5, workers=1)
"""A dozen requests."""


# What is looked at


def test_an_outage_is_looked_at_from_its_beginning():
    scenario = setting.scenario(0, minutes=2, smaller=True, outage=True)
    ((start, end),) = Outage(seconds=30)(scenario)
    assert start == scenario.store.outages[0].start
    assert end == start + 30


def test_one_run_is_told_view_by_view():
    views = {WHOLE: whole, "early": Always(stretches=((0.0, 0.2),))}
    told = runs.do(runs.Task(build=BUILD, seed=3, make=Argus, views=views))
    scenario = BUILD(3)
    outcome = simulate(scenario, Argus(), clock=still)
    for name, within in ((WHOLE, None), ("early", [(0.0, 0.2)])):
        summary = summarise(scenario, outcome, within=within)
        assert all(told.figures[name][f] == getattr(summary, f) for f in runs.FIELDS)
    chosen = outcome.level[(scenario.arrivals < 0.2) & (outcome.level >= 0)]
    assert told.levels["early"] == [np.mean(chosen == level) for level in range(5)]
    assert told.figures["early"][runs.BEST] == told.levels["early"][0]


def test_a_scenario_that_makes_no_sense_is_told_by_its_field():
    broken = partial(small.scenario, seconds=0.5, workers=0)
    with pytest.raises(ValueError, match="workers"):
        runs.do(runs.Task(build=broken, seed=0, make=Argus, views={WHOLE: whole}))


# What is run, and what is kept


class Counted:
    """Makes policies, and remembers how many runs of each were begun."""

    def __init__(self):
        self.begun = []

    def policies(self, stops=None):
        return {"argus": self._make("argus", stops), "paper": self._make("paper", stops)}

    def _make(self, name, stops):
        def made():
            policy = {"argus": highest_accuracy, "paper": highest_throughput}[name]()
            place = policy.place

            def first(*given):
                policy.place = place
                self.begun.append(name)
                if name == stops:
                    raise KeyboardInterrupt
                return place(*given)

            policy.place = first
            return policy

        return made


@pytest.fixture
def counted():
    return Counted()


@pytest.fixture
def again(tmp_path, counted):
    """Runs an experiment of two parts with these options; tells which policies ran, in order."""

    def runs_with(*argv, build=BUILD, bound=False, stops=None):
        counted.begun.clear()
        parts = [
            Part(name=name, build=build, policies=counted.policies(stops), bound=bound)
            for name in ("one", "two")
        ]
        out = tmp_path / "results.json"
        asked = options.read(["--out", str(out), *argv], name="x", about="", seeds=1)
        try:
            run(Experiment(question="", parts=parts), asked)
        finally:
            runs_with.document = results.read(out)
        return list(counted.begun)

    return runs_with


def test_what_was_run_under_the_same_parameters_is_kept(again):
    assert again() == ["argus", "paper", "argus", "paper"]
    before = again.document["parts"]
    assert again() == []
    assert again.document["parts"] == before


def test_only_policies_that_are_lacking_are_run(again):
    assert again("--policies", "paper", "--parts", "two") == ["paper"]
    assert list(again.document["parts"]) == ["two"]
    assert again("--parts", "two") == ["argus"]
    assert list(again.document["parts"]["two"]["policies"]) == ["argus", "paper"]
    assert again() == ["argus", "paper"]
    assert list(again.document["parts"]) == ["one", "two"]


def test_what_is_asked_for_again_is_run_again_and_the_rest_is_kept(again):
    again()
    assert again("--again", "--policies", "argus", "--parts", "one") == ["argus"]
    assert set(again.document["parts"]["one"]["policies"]) == {"argus", "paper"}
    assert len(again("--again")) == 4


@pytest.mark.parametrize(
    ("argv", "changes"),
    [
        (["--seeds", "2"], {}),
        ([], {"build": partial(BUILD, workers=2)}),
    ],
)
def test_under_other_parameters_all_is_run_anew(again, argv, changes):
    again("--policies", "argus")
    assert set(again(*argv, "--policies", "paper", **changes)) == {"paper"}
    assert [set(part["policies"]) for part in again.document["parts"].values()] == [{"paper"}] * 2


def test_data_of_another_kind_are_other_parameters(again, monkeypatch, tmp_path):
    for folder, kind in ((tmp_path / "none", results.ALIKE), (tmp_path, results.RECORDED)):
        monkeypatch.setenv("ARGUS_DATA", str(folder))
        assert again("--policies", "argus") == ["argus", "argus"]
        assert again.document["parts"]["one"]["parameters"]["data"] == kind


def test_who_is_stopped_goes_on_where_it_was(again, capsys):
    with pytest.raises(SystemExit) as stopped:
        again(stops="paper")
    assert stopped.value.code == 130
    assert "goes on from there" in capsys.readouterr().out
    assert list(again.document["parts"]["one"]["policies"]) == ["argus"]
    assert again.document["goals"]
    assert again() == ["paper", "argus", "paper"]


def test_code_that_has_changed_is_told_of_and_nothing_is_run(again, monkeypatch, capsys):
    again()
    monkeypatch.setattr(results, "code", lambda: "other")
    assert again() == []
    assert "one: kept, though the code has changed" in capsys.readouterr().out
    again("--again", "--policies", "argus")
    notes = sheets.view_sheet(again.document["parts"]["one"], WHOLE).notes
    assert any("same code" in note for note in notes)


def test_regret_is_what_is_short_of_the_bound(again):
    again(bound=True)
    part = again.document["parts"]["one"]
    view = part["policies"]["argus"]["views"][WHOLE]
    short = part["bounds"][0] - view["by_seed"][VALUE][0]
    assert view["figures"][REGRET]["mean"] == pytest.approx(short, abs=1e-5)
    assert "regret" in sheets.view_sheet(part, WHOLE).head


def test_names_that_there_are_not_are_refused_with_those_that_there_are(again):
    with pytest.raises(SystemExit, match="no policy 'pac'; there are argus, paper"):
        again("--policies", "pac")
    with pytest.raises(SystemExit, match="no part 'three'; there are one, two"):
        again("--parts", "three")


def test_results_are_judged_as_they_are_written(again):
    again("--seeds", "2")
    part = again.document["parts"]["one"]
    written = standing_of(part, "one", WHOLE)
    assert written.seeds == 2
    assert written.less("argus", "paper", QUALITY).mean > 0
    assert {goal["part"] for goal in again.document["goals"]} == {"one", "two"}
    assert [found["baseline"] for found in again.document["against"]] == ["paper", "paper"]


# The scripts


@pytest.mark.parametrize("script", SCRIPTS)
def test_parts_can_be_sent_to_other_processes_and_told_apart_by_parameters(script):
    asked = options.read([], name=script, about="")
    parts = SCRIPTS[script].parts(asked)
    for part in parts:
        assert pickle.loads(pickle.dumps(part)).name == part.name
    told = [json.dumps(results.described(part.build)) for part in parts]
    assert len(set(told)) == len({part.name for part in parts}) == len(parts)


@pytest.mark.parametrize("script", SCRIPTS)
def test_every_experiment_runs(script, tmp_path, capsys):
    out = tmp_path / f"{script}.json"
    SCRIPTS[script].main(["--quick", "--out", str(out)])
    document = json.loads(out.read_text())
    for part in document["parts"].values():
        assert set(part["policies"]) >= OF_THEIR_OWN.get(script, EVERYWHERE)
        assert part["parameters"]["seeds"] == [0]
        assert part["scenario"]["requests"] > 0
    printed = capsys.readouterr().out
    assert all(name in printed for name in document["parts"])
    for name in ("from", "goals", "against", *(["shown"] if script in report.SHOWN else [])):
        assert report.block(f"{script}/{name}", tmp_path)


def test_pictures_are_drawn_beside_results_that_are_not_committed(tmp_path):
    out = tmp_path / "frontier.json"
    argv = ["--quick", "--parts", "paper-1.2", "--policies", "clipper-ht", "--out", str(out)]
    frontier.main(argv)
    assert (tmp_path / "frontier-paper.png").exists()
    assert not (tmp_path / "frontier-shapes.png").exists()


def test_other_processes_find_the_same(tmp_path):
    found = []
    for jobs in ("1", "2"):
        out = tmp_path / f"{jobs}.json"
        shapes.main(["--quick", "--policies", "clipper-ht", "--out", str(out), "--jobs", jobs])
        document = json.loads(out.read_text())
        found.append(document["parts"]["bursts"]["policies"]["clipper-ht"]["views"])
    assert found[0] == found[1]
