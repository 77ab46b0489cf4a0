"""`python -m argus_alerts --target 0.9`: when somebody is told of it, and what is lost by then."""

from __future__ import annotations

import argparse

from argus_alerts.burn import BUDGET, DAY, HOUR, MINUTE, WATCHES, Watch, limit


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(prog="python -m argus_alerts", description=__doc__)
    parser.add_argument("--target", type=_target, required=True, help="above 0, below 1")
    print(table(parser.parse_args().target))


def table(target: float) -> str:
    """What is said of a target."""
    budget = 1 - target
    head = (
        f"{'watch':6} {'severity':9} {'burn':>5} {'bad':>6}  {'over':>6}  "
        f"{'all bad: told after':>20} {'budget gone':>12}"
    )
    lines = [
        f"Of 30 days' images {budget:.3g} may be bad; no burn exceeds {1 / budget:.4g}.",
        head,
    ]
    return "\n".join([*lines, *(_line(watch, budget) for watch in WATCHES)])


def _line(watch: Watch, budget: float) -> str:
    burn = limit(watch.factor, 1 - budget)
    bad = burn * budget
    after = bad * watch.long
    return (
        f"{watch.name:6} {watch.severity.value:9} {burn:>5.3g} {bad:>6.1%}  "
        f"{_spoken(watch.long):>6}  {_spoken(after):>20} {after / budget / BUDGET:>12.1%}"
    )


def _spoken(seconds: float) -> str:
    for unit, length in (("d", DAY), ("h", HOUR), ("min", MINUTE)):
        if seconds >= length:
            return f"{seconds / length:.3g} {unit}"
    return f"{seconds:.2g} s"


def _target(text: str) -> float:
    value = float(text)
    if not 0 < value < 1:
        raise argparse.ArgumentTypeError("must be above 0 and below 1")
    return value


if __name__ == "__main__":
    main()
