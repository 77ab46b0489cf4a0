"""Profile documents for tests, small ones."""

from __future__ import annotations

LADDER = [
    {"name": "dear", "variant": "big", "steps": 8, "guidanceScale": 2.0},
    {"name": "begun", "variant": "big", "steps": 8, "skippedSteps": 4, "guidanceScale": 2.0},
    {"name": "cheap", "variant": "small", "steps": 4, "guidanceScale": 2.0},
]


def timing(seconds=0.1, samples=4, **more):
    return {"seconds": seconds, "deviation": 0.0, "samples": samples, **more}


def device(name="cpu", seconds=0.1, samples=4):
    by_size = {"48x48": {"1": timing(seconds, samples)}}
    return {
        "device": name,
        "timings": {level["name"]: by_size for level in LADDER},
        "switches": {"big": timing(1.0)},
    }


def row(prompt, seeds, dear, cheap):
    return {"prompt": prompt, "seeds": seeds, "scores": {"dear": dear, "cheap": cheap}}


def document(**changes):
    return {
        "kind": "ArgusProfile",
        "version": 1,
        "ladder": LADDER,
        "devices": {"cpu": device()},
        "quality": {
            "metric": "shapes",
            "comparison": "difference",
            "best": "dear",
            "prompts": [row("a", [0, 1], [1, 1], [1, 0]), row("b", [0, 1], [1, 0], [0, 0])],
        },
        "starts": [
            {"prompt": "a", "level": "begun", "from": "b", "seeds": [0], "scores": [0.5],
             "relation": "near"}
        ],
        **changes,
    }  # fmt: skip
