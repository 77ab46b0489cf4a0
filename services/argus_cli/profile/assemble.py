"""The profile's document, of the pieces that were measured."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from argus_cli.profile.ask import Ask, Judge
from argus_cli.profile.units import draw_units, start_units, switch_units, time_units
from argus_core.profile.document import ArgusProfile, parse_profile


def assemble(
    ask: Ask,
    found: Mapping[str, Any],
    *,
    judge: Judge,
    devices: Mapping[str, str],
    batches: Mapping[str, tuple[int, ...]],
) -> ArgusProfile:
    """The whole document. `found` is by key of the piece; all must be there.

    Args:
        ask: what was measured.
        found: what a journal keeps.
        judge: what workers say of the metric.
        devices: name of the device by GPU type.
        batches: that were timed, by GPU type.
    """
    timed = {
        gpu: {
            "device": name,
            "timings": _timings(ask, found, gpu, batches[gpu]),
            "switches": {unit.variant: found[unit.key] for unit in switch_units(ask, gpu)},
        }
        for gpu, name in devices.items()
    }
    return parse_profile(
        {
            "kind": "ArgusProfile",
            "version": 1,
            "ladder": [level.model_dump(by_alias=True) for level in ask.ladder],
            "devices": timed,
            "quality": _quality(ask, found, judge),
            "starts": _starts(ask, found),
        }
    )


def _timings(
    ask: Ask, found: Mapping[str, Any], gpu: str, batches: tuple[int, ...]
) -> dict[str, Any]:
    timings: dict[str, Any] = {level.name: {} for level in ask.ladder}
    for unit in time_units(ask, gpu, batches):
        timings[unit.level.name].setdefault(unit.size, {})[unit.batch] = found[unit.key]
    return timings


def _quality(ask: Ask, found: Mapping[str, Any], judge: Judge) -> dict[str, Any]:
    scores: dict[str, dict[str, Any]] = {prompt: {} for prompt in ask.prompts}
    for unit in draw_units(ask):
        scores[unit.prompt][unit.level.name] = found[unit.key]
    return {
        "metric": ask.metric,
        "comparison": judge.comparison,
        "scale": judge.scale,
        "best": ask.best,
        "prompts": [
            {
                "prompt": prompt,
                "seeds": ask.seeds,
                "scores": {level.name: by_level[level.name] for level in ask.full},
            }
            for prompt, by_level in scores.items()
        ],
    }


def _starts(ask: Ask, found: Mapping[str, Any]) -> list[dict[str, Any]]:
    return [
        {
            "prompt": unit.pair.prompt,
            "level": level.name,
            "from": unit.pair.origin,
            "relation": unit.pair.relation,
            "similarity": 1.0 if unit.pair.relation == "same" else 0.0,
            "seeds": ask.start_seeds,
            "scores": found[unit.key][level.name],
        }
        for unit in start_units(ask)
        for level in unit.levels
    ]
