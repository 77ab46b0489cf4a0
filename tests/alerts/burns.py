"""Cases of the error budgets' alerts: a target of 0.99 unless said otherwise."""

from __future__ import annotations

from alerts.cases import Case

_LATENCY, _AVAILABILITY, _QUALITY = (
    "ArgusLatencyBudgetBurn",
    "ArgusAvailabilityBudgetBurn",
    "ArgusQualityBudgetBurn",
)
_OBJECTIVES = {_LATENCY: "latency", _AVAILABILITY: "availability", _QUALITY: "quality"}


def _series(
    alert: str, good: str, bad: str, *, target: float = 0.99, minutes: int, instance: str = "a"
) -> dict[str, str]:
    objective = _OBJECTIVES[alert]
    of = f'objective="{objective}",instance="{instance}"'
    return {
        f'argus_slo_images_total{{{of},verdict="good"}}': good,
        f'argus_slo_images_total{{{of},verdict="bad"}}': bad,
        f"argus_slo_target_ratio{{{of}}}": f"{target}x{minutes}",
        **_watched(minutes),
    }


def _watched(minutes: int) -> dict[str, str]:
    """What else a healthy cluster shows, so that no target is missed."""
    return {
        'argus_control_workers{phase="ready"}': f"2x{minutes}",
        "argus_worker_slots": f"1x{minutes}",
    }


def _objective(alert: str) -> list[Case]:
    """What each objective is held to by itself."""
    fast = {"watch": "fast"}
    return [
        Case(
            alert=alert,
            rule="hours without bad images are silent",
            series=_series(alert, "0+60x240", "0x240", minutes=240),
            silent=(5, 60, 240),
        ),
        Case(
            alert=alert,
            rule="a fifth of all bad pages within the hour, and stops soon after it is over",
            series=_series(
                alert, "0+60x60 3648+48x60 6540+60x120", "0x60 12+12x60 732x120", minutes=240
            ),
            labels=fast,
            fires=(115, 121),
            silent=(60, 65, 130, 240),
        ),
        Case(
            alert=alert,
            rule="two bad of three images at night wake nobody",
            series=_series(alert, "0x60 1x120", "0x60 2x120", minutes=180),
            silent=(62, 90, 180),
        ),
        Case(
            alert=alert,
            rule="a gap of half an hour without scrapes is no burn",
            series=_series(alert, "0+60x60 _x30 5460+60x90", "0x60 _x30 0x90", minutes=180),
            silent=(61, 75, 91, 95, 180),
        ),
        Case(
            alert=alert,
            rule="a restart: a router that counts from nothing is no burn",
            series={
                **_series(alert, "0+60x60 0+60x60", "5x60 0x60", minutes=120),
                **_series(alert, "_x60 0+60x60", "_x60 0x60", minutes=120, instance="b"),
            },
            silent=(61, 65, 120),
        ),
        Case(
            alert=alert,
            rule="a gap in the middle of a burn does not end it for good",
            series=_series(alert, "0+48x90 _x5 4560+48x60", "0+12x90 _x5 1140+12x60", minutes=155),
            labels=fast,
            fires=(80, 105, 150),
        ),
        Case(
            alert=alert,
            rule="at a target of 0.9 no burn reaches 14.4, and total failure pages all the same",
            series=_series(alert, "0x120", "0+60x120", target=0.9, minutes=120),
            labels=fast,
            fires=(60, 120),
        ),
        Case(
            alert=alert,
            rule="at a target of 0.9 a third of bad images is below the scaled page",
            series=_series(alert, "0+40x120", "0+20x120", target=0.9, minutes=120),
            labels=fast,
            silent=(60, 120),
        ),
    ]


def _watches(alert: str) -> list[Case]:
    """Who hears of it, and how soon: the watches are the same for every objective."""
    fast, slow, ticket = ({"watch": name} for name in ("fast", "slow", "long"))
    return [
        Case(
            alert=alert,
            rule="ten times the pace pages within six hours, by the slow watch alone",
            series=_series(alert, "0+54x200", "0+6x200", minutes=200),
            labels=slow,
            fires=(120, 200),
        ),
        Case(
            alert=alert,
            rule="ten times the pace is too slow for the fast watch",
            series=_series(alert, "0+54x200", "0+6x200", minutes=200),
            labels=fast,
            silent=(60, 120, 200),
        ),
        Case(
            alert=alert,
            rule="twice the pace is a ticket, and no page",
            series=_series(alert, "0+98x200", "0+2x200", minutes=200),
            labels=ticket,
            fires=(120, 200),
        ),
        Case(
            alert=alert,
            rule="twice the pace pages nobody",
            series=_series(alert, "0+98x200", "0+2x200", minutes=200),
            labels={"severity": "page"},
            silent=(60, 120, 200),
        ),
    ]


CASES = [*_watches(_LATENCY), *(case for alert in _OBJECTIVES for case in _objective(alert))]
