"""An experiment: named parts that are run, kept in one results file, shown, and judged.

Goals and comparisons are made from what the file says, so that they are the same whether all was
run at once or piecemeal.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import asdict, dataclass

from argus_cli.simulate.page import Sheet
from support import results, sheets
from support.asked import Asked
from support.goals import Judged, general, regret
from support.parts import Doing, Part
from support.results import Document
from support.runs import processes
from support.standing import OURS, Standing, against, standing_of
from support.views import WHOLE

_STOPPED = 130
"""Exit status of a process that Ctrl-C ended."""


@dataclass(frozen=True, kw_only=True)
class Experiment:
    """All that one script runs."""

    question: str
    parts: Sequence[Part]
    judged: bool = True
    """Whether the goals that hold everywhere are judged, and baselines held to the abstract."""
    goals: Callable[[Document], Iterable[Judged]] = lambda _: ()
    """Its own; of the parts."""
    shown: Callable[[Document], Iterable[tuple[str, Sheet]]] = lambda _: ()
    """Tables besides those of the parts; of the parts."""


def run(experiment: Experiment, asked: Asked) -> Document:
    """Run what is not there yet, print all, and write the results file.

    Raises:
        SystemExit: it was stopped, or asked for what there is not; finished policies are kept.
    """
    document, chosen = _opened(experiment, asked), _chosen(experiment, asked)
    try:
        _run(chosen, asked, document)
    except KeyboardInterrupt:
        _finish(experiment, document, asked)
        print(f"\nStopped. What is done is in {asked.out}; the same command goes on from there.")
        raise SystemExit(_STOPPED) from None
    _finish(experiment, document, asked)
    for title, sheet in _shown(experiment, document):
        sheets.show(sheet, title=title)
    print(f"Figures in {asked.out}")
    return document


def _run(chosen: Sequence[Part], asked: Asked, document: Document) -> None:
    with processes(asked.jobs) as executor:
        for i, part in enumerate(chosen, start=1):
            Doing(part, asked, document, f"{part.name} ({i} of {len(chosen)})").run(executor)
            if part.name in document["parts"]:
                _show_part(part.name, document["parts"][part.name])


def _finish(experiment: Experiment, document: Document, asked: Asked) -> None:
    document["parts"] = _ordered(experiment, document["parts"])
    _judge(experiment, document)
    results.write(document, asked.out)


def _opened(experiment: Experiment, asked: Asked) -> Document:
    """The file's parts that the experiment still has, in its order, under a new head."""
    return {
        "question": experiment.question,
        **results.origin(asked.command),
        "parts": _ordered(experiment, results.read(asked.out).get("parts", {})),
        "goals": [],
        "against": [],
    }


def _ordered(experiment: Experiment, parts: Document) -> Document:
    return {part.name: parts[part.name] for part in experiment.parts if part.name in parts}


def _chosen(experiment: Experiment, asked: Asked) -> Sequence[Part]:
    names = [part.name for part in experiment.parts]
    _require_known("part", asked.parts, names)
    policies = (policy for part in experiment.parts for policy in part.policies)
    _require_known("policy", asked.policies, policies)
    return [part for part in experiment.parts if not asked.parts or part.name in asked.parts]


def _require_known(kind: str, asked: Iterable[str], known: Iterable[str]) -> None:
    known = list(dict.fromkeys(known))
    if missing := [name for name in asked if name not in known]:
        sys.exit(f"There is no {kind} {missing[0]!r}; there are {', '.join(known)}.")


def _show_part(name: str, part: Document) -> None:
    scenario = part["scenario"]
    for view in part["parameters"]["views"]:
        title = f"\n{name}, {view}: {scenario['name']}, {scenario['requests']:,} requests"
        sheets.show(sheets.view_sheet(part, view), title=title)


def _judge(experiment: Experiment, document: Document) -> None:
    """Judge by what the file says."""
    document["against"] = []
    goals = list(experiment.goals(document["parts"]))
    for name, part in document["parts"].items():
        if experiment.judged and OURS in part["policies"]:
            standing = standing_of(part, name, part["judged"])
            goals += general(standing)
            document["against"] += _against(standing)
            if part["bounds"] is not None:
                goals.append(regret(standing_of(part, name, WHOLE)))
    document["goals"] = [asdict(goal) for goal in goals]


def _against(standing: Standing) -> Iterator[Document]:
    """Ours held to each baseline, as plain data."""
    for name in standing.baselines:
        found = against(standing, name)
        differences = {f: results.told(d) for f, d in found.differences.items()}
        yield {**asdict(found), "differences": differences, "seeds": standing.seeds}


def _shown(experiment: Experiment, document: Document) -> Iterator[tuple[str, Sheet]]:
    yield from experiment.shown(document["parts"])
    if document["against"]:
        title = "\nArgus held to each baseline, beside the claims of the paper's abstract"
        yield title, sheets.against_sheet(document["against"])
    if document["goals"]:
        yield "\nGoals", sheets.goals_sheet(document["goals"])
