"""Runs one part of an experiment: what its results file lacks, policy by policy.

Model: a policy's results are done when all its seeds are; then the file is written, so that who is
stopped loses at most the policies under way. Results under the same parameters are kept, and only
the policies that they lack are run, unless all shall run again.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import Executor
from dataclasses import dataclass, field

from argus_cli.simulate.progress import bar
from argus_cli.simulate.record import facts_of
from argus_core.policies.registry import POLICIES
from support import results
from support.asked import Asked
from support.results import Document
from support.runs import BEST, FIELDS, Answer, Build, Factory, Task, Told, answers, unable
from support.standing import COMPARED, VALUE
from support.views import WHOLE, View, whole

REGRET = "regret"
"""What a policy's value falls short of the bound by."""
_SHORT = 4
"""Digits of a level's share."""
_QUICK: Mapping[str | None, float] = {
    None: 1, "paper": 4, "pac": 4, "proteus": 3, "sommelier": 1, "diffserve": 1, "nirvana": 1,
    "clipper-ha": 1, "clipper-ht": 1,
}  # fmt: skip
"""What tasks take that are quicker than Argus; None is the bound."""
_COST = 8.0
"""What Argus takes: for the time left."""


@dataclass(frozen=True, kw_only=True)
class Part:
    """Policies in one setting."""

    name: str
    build: Build
    """Picklable, and made of named functions and plain values, which are its parameters."""
    policies: Mapping[str, Factory] = field(default_factory=lambda: POLICIES)
    """All that may run; ours first."""
    usual: Sequence[str] = ()
    """Those that do unless others are asked for; none named is all."""
    views: Mapping[str, View] = field(default_factory=lambda: {WHOLE: whole})
    judged: str = WHOLE
    """The view that goals are about."""
    bound: bool = False
    """Whether what nobody can beat is found too, for the view of the whole."""
    published: Mapping[str, Mapping[str, Mapping[str, float]]] = field(default_factory=dict)
    """By view, by row, by figure: what is shown beside."""


class Doing:
    """One part under way; the document has all of it when it is done."""

    def __init__(self, part: Part, asked: Asked, document: Document, label: str) -> None:
        self._part, self._asked, self._document, self._label = part, asked, document, label
        self._parameters = results.parameters(part.build, seeds=asked.seeds, views=list(part.views))

    def run(self, executor: Executor | None) -> None:
        """Run what is lacking.

        Raises:
            KeyboardInterrupt: it was stopped; what is done is in the document and the file.
        """
        found = self._kept()
        lacking = self._lacking(found)
        if lacking:
            scenario = self._part.build(0)
            refused = unable(scenario, {n: self._part.policies[n] for n in lacking if n})
            found["unable"] = {**found["unable"], **refused}
            found["scenario"] = facts_of(scenario)
            lacking = [name for name in lacking if name not in refused]
        if not lacking and not found["policies"]:
            return
        self._document["parts"][self._part.name] = found
        try:
            if lacking:
                self._do(found, lacking, executor)
        finally:
            _settle(found, self._part)

    def _kept(self) -> Document:
        """What the file has under the same parameters, or an empty part."""
        part = self._part
        found: Document = self._document["parts"].get(part.name, {})
        if found.get("parameters") != self._parameters:
            empty: Document = {"unable": {}, "bounds": None, "bound": None, "policies": {}}
            found = {"parameters": self._parameters, "scenario": None, **empty}
        return {**found, "judged": part.judged, "published": part.published}

    def _lacking(self, found: Document) -> list[str | None]:
        """Policies to run, and None for the bound."""
        part, again = self._part, self._asked.again
        names = self._asked.policies or part.usual or tuple(part.policies)
        known = {} if again else {**found["policies"], **found["unable"]}
        lacking: list[str | None] = [n for n in names if n in part.policies and n not in known]
        if part.bound and (found["bounds"] is None or (again and not self._asked.policies)):
            lacking.append(None)
        stale = {found["policies"][n]["code"] for n in names if n in found["policies"]}
        if not again and stale - {results.code()}:
            print(f"{part.name}: kept, though the code has changed since; --again runs it anew.")
        return lacking

    def _do(self, found: Document, lacking: list[str | None], executor: Executor | None) -> None:
        """Policy by policy; each is written as soon as it is done."""
        part = self._part
        seeds = range(self._asked.seeds)
        makes = {name: None if name is None else part.policies[name] for name in lacking}
        tasks = [
            Task(build=part.build, seed=seed, make=makes[name], views=part.views)
            for name in lacking
            for seed in seeds
        ]
        costs = [_QUICK.get(name, _COST) for name in lacking for _ in seeds]
        with bar(self._label) as progress:
            left = _Left(costs, progress)
            told: dict[int, Answer] = {}
            for at, answer in answers(tasks, executor, left.within):
                told[at] = answer
                left.done(at)
                which = at // len(seeds)
                mine = [told.get(which * len(seeds) + seed) for seed in seeds]
                if all(one is not None for one in mine):
                    _note(found, part, lacking[which], mine)
                    results.write(self._document, self._asked.out)


class _Left:
    """How much of a part is done, by what its tasks cost."""

    def __init__(self, costs: Sequence[float], progress: Callable[[float], None]) -> None:
        self._costs, self._progress, self._whole = costs, progress, sum(costs)
        self._done, self._next = 0.0, 0

    def done(self, at: int) -> None:
        """A task is."""
        self._done += self._costs[at]
        self._next = at + 1
        self._progress(self._done / self._whole)

    def within(self, share: float) -> None:
        """Of the one task under way, where they are done one by one."""
        self._progress((self._done + share * self._costs[self._next]) / self._whole)


def _note(found: Document, part: Part, name: str | None, mine: Sequence[Answer | None]) -> None:
    """Take up a policy's runs, or the bounds."""
    if name is None:
        found["bounds"] = [results.rounded(one) for one in mine if isinstance(one, float)]
        return
    runs = [one for one in mine if isinstance(one, Told)]
    levels = [level["name"] for level in found["scenario"]["levels"]]
    found["policies"][name] = {
        "date": results.today(),
        "code": results.code(),
        "seconds": results.rounded(sum(one.seconds for one in runs) / len(runs)),
        "views": {view: _view(runs, view, levels) for view in part.views},
    }


def _view(runs: Sequence[Told], view: str, levels: Sequence[str]) -> Document:
    by_field = {f: [one.figures[view][f] for one in runs] for f in (*FIELDS, BEST)}
    by_level = zip(*(one.levels[view] for one in runs), strict=True)
    shares = [results.rounded(sum(share) / len(runs), _SHORT) for share in by_level]
    return {
        "figures": {f: results.summed_up(values) for f, values in by_field.items()},
        "by_seed": {f: [results.rounded(value) for value in by_field[f]] for f in COMPARED},
        "levels": {name: share for name, share in zip(levels, shares, strict=True) if share},
    }


def _settle(found: Document, part: Part) -> None:
    """Have policies in the part's order, each with its regret."""
    done = found["policies"]
    found["policies"] = {name: done[name] for name in part.policies if name in done}
    found["unable"] = {name: why for name, why in found["unable"].items() if name not in done}
    _add_regret(found)


def _add_regret(part: Document) -> None:
    """What each policy's value falls short of the bound by."""
    bounds = part["bounds"]
    part["bound"] = None if bounds is None else results.summed_up(bounds)
    if bounds is None:
        return
    for found in part["policies"].values():
        whole_run = found["views"][WHOLE]
        short = [
            None if value is None else bound - value
            for bound, value in zip(bounds, whole_run["by_seed"][VALUE], strict=True)
        ]
        whole_run["figures"][REGRET] = results.summed_up(short)
