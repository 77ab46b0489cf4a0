"""How much of what an oracle gains, choosing levels by prediction recovers.

    python bench/heads.py --profile bench/results/heads_profile.json.gz

Every caption is predicted by what was trained without it: in five folds, and, for the harder set,
without any caption that has a certain word or a certain count of a certain shape. Gain is mean true
quality above the best mix that does not look at captions, at the same mean seconds.

The oracle must know each caption's true quality, and a dozen pictures do not tell it: an oracle
that picks by the pictures it is judged by sees luck as quality. So the truth is modelled: a
caption's chances at the levels are normal about the prediction, with the covariance that residuals
have beyond the pictures' own noise, given what its pictures showed. Truths drawn from that judge
both the oracle, who knows them, and the predictions. As a check without the model of truth, an
oracle that is shown half of the pictures picks, and the other half judges.
"""

from __future__ import annotations

import argparse
import gzip
import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from argus_core.profile.document import ArgusProfile, parse_profile
from argus_predictor.encoder import Encoder
from argus_predictor.features import tokens
from argus_predictor.training import calibration, judging, samples_of
from argus_predictor.training.families import ALL
from argus_predictor.training.fitting import fit_scorer
from argus_predictor.training.network import Recipe, thread
from argus_predictor.training.report import seconds_of
from argus_predictor.training.samples import Samples
from support.heads import Truth, scores_of

RESULTS = Path(__file__).parent / "results" / "heads.json"
OURS = "networks"
HARD: dict[str, Callable[[str], bool]] = {
    "without the word purple": lambda prompt: "purple" in tokens(prompt),
    "without two squares": lambda prompt: _counted(prompt, "two", "squares"),
}
_FOLDS, _DRAWS = 5, 200

Rows = NDArray[np.int64]


def main() -> None:
    """Fit, judge, write."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--profile", type=Path, default=RESULTS.with_name("heads_profile.json.gz"))
    parser.add_argument("--out", type=Path, default=RESULTS)
    parser.add_argument("--draws", type=int, default=_DRAWS, help="of truths and captions")
    asked = parser.parse_args()
    thread()
    profile = parse_profile(json.loads(gzip.decompress(asked.profile.read_bytes())))
    samples = samples_of(profile, Encoder.load().embed)
    groups = {"unseen captions": _folds(len(samples))}
    groups |= {name: [_having(samples, has)] for name, has in HARD.items()}
    found = {name: _part(profile, samples, rows, asked.draws) for name, rows in groups.items()}
    document = {"question": __doc__.splitlines()[0], "captions": len(samples),
                "levels": samples.levels, "parts": found}  # fmt: skip
    asked.out.write_text(json.dumps(document, indent=1) + "\n")
    for name, part in found.items():
        print(name, json.dumps({k: v for k, v in part.items() if k not in {"costs", "gains"}}))


def _part(profile: ArgusProfile, samples: Samples, groups: list[Rows], draws: int) -> Any:
    rows = np.concatenate(groups)
    asked = samples.taken(rows)
    seconds = seconds_of(profile, samples.levels)
    assert seconds is not None, "the profile was timed"
    values, deviation, strange = _networks(samples, groups)
    families = {name: _by_group(samples, groups, name) for name in ALL if name != OURS}
    families[OURS] = calibration.relative(asked, values)
    truth = Truth.fitted(values, [scores_of(profile)[row] for row in rows])
    rng = np.random.default_rng(0)
    shares = [truth.recovered(families[OURS], seconds, rng) for _ in range(draws)]
    recovered = {
        name: float(np.mean([truth.recovered(p, seconds, rng)[0] for _ in range(draws // 10)]))
        for name, p in families.items()
    }
    drawn = [truth.drawn(rng) for _ in range(draws // 10)]
    return {
        "captions": len(rows),
        "recovered": float(np.mean([share for share, _, _ in shares])),
        "interval_95": np.quantile([share for share, _, _ in shares], (0.025, 0.975)).tolist(),
        "gain": float(np.mean([ours for _, ours, _ in shares])),
        "oracle_gain": float(np.mean([oracle for _, _, oracle in shares])),
        "half_shown": truth.half_shown(families[OURS], seconds, rng),
        "same_pictures_oracle": float(judging.gain(truth.measured, truth.measured, seconds).mean()),
        "recovered_by_family": recovered,
        "errors": {name: judging.errors(np.clip(p, 0, 1), asked.qualities, asked.noise).tolist()
                   for name, p in families.items()},
        "worth": _worth(families, asked, seconds),
        "deviation": deviation, "strangeness": strange,
        "costs": judging.costs(seconds).tolist(),
        "gains": {name: np.mean([judging.gain(p, t, seconds) for t in drawn], axis=0).tolist()
                  for name, p in families.items()}
        | {"oracle": np.mean([judging.gain(t, t, seconds) for t in drawn], axis=0).tolist()},
    }  # fmt: skip


def _networks(samples: Samples, groups: list[Rows]) -> tuple[Any, float, float]:
    """Outputs for each group by training on the others; mean deviation by a spread so fitted."""
    parts, deviations, strange = [], [], []
    for rows in groups:
        rest, left = samples.taken(np.setdiff1d(np.arange(len(samples)), rows)), samples.taken(rows)
        vocabulary, scorer = fit_scorer(rest, recipe=Recipe())
        outputs = scorer.outputs(vocabulary.features(left.prompts), left.embeddings)
        parts.append(outputs.values)
        strange.append(outputs.strangeness.mean())
        deviations.append(outputs.doubt[:, 1:].mean())
    return np.concatenate(parts), float(np.sqrt(np.mean(deviations))), float(np.mean(strange))


def _by_group(samples: Samples, groups: list[Rows], family: str) -> Any:
    every = np.arange(len(samples))
    return np.concatenate(
        [ALL[family](samples.taken(np.setdiff1d(every, rows)), samples.taken(rows))
         for rows in groups]
    )  # fmt: skip


def _worth(families: dict[str, Any], asked: Samples, seconds: Any) -> dict[str, dict[str, float]]:
    """By price of a second and family: mean of measured quality less what its seconds cost."""
    return {
        f"{price:g}": {
            name: judging.worth(p, asked.qualities, seconds, price) for name, p in families.items()
        }
        for price in (1.0, 3.0, 6.0, 12.0)
    }


def _folds(count: int) -> list[Rows]:
    return np.array_split(np.random.default_rng(0).permutation(count), _FOLDS)


def _having(samples: Samples, has: Callable[[str], bool]) -> Rows:
    return np.array([row for row, prompt in enumerate(samples.prompts) if has(prompt)], np.int64)


def _counted(prompt: str, count: str, shape: str) -> bool:
    """Whether a group has this count of this shape; nothing that is trained knows of groups."""
    return any(group[:1] == [count] and shape in group[1:] for group in _groups(tokens(prompt)))


def _groups(words: list[str]) -> Iterator[list[str]]:
    group: list[str] = []
    for word in words:
        if word in {"a", "two", "three", "four"}:
            yield group
            group = []
        group.append(word)
    yield group


if __name__ == "__main__":
    main()
