"""What boards are made of: rows of graphs and figures over one Prometheus and a choice of cluster.

A query may say `$where`: the labels by which a cluster's own series are chosen.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import count

from grafana_foundation_sdk.builders import common, dashboard, prometheus, stat, timeseries
from grafana_foundation_sdk.cog.encoder import JSONEncoder
from grafana_foundation_sdk.models import dashboard as dashboard_models
from grafana_foundation_sdk.models.common import (
    BigValueColorMode,
    LegendDisplayMode,
    LegendPlacement,
    StackingMode,
    TooltipDisplayMode,
)
from grafana_foundation_sdk.models.dashboard import (
    DashboardCursorSync,
    DashboardLinkType,
    DataSourceRef,
    VariableRefresh,
)

SOURCE = DataSourceRef(type_val="prometheus", uid="${datasource}")
_WHERE = 'namespace=~"$namespace", cluster=~"$cluster"'
_WIDTH, _HEIGHT = 24, 8
_CHANGES = "max by (cluster) (argus_router_plan_changes_total{$where}%s)"
PLANS = f"{_CHANGES % ''} > {_CHANGES % ' offset $__interval'}"
"""Where workers came to hold something else, once each: a step ago it was one change fewer."""
_PLANS_STEP = "5s"
"""Between two looks for them, at least; Grafana's own minute would put marks too far off."""
COLOURS = {
    "outcome": {
        "ok": "green",
        "scored": "green",
        "swapped": "green",
        "used": "green",
        "missed": "yellow",
        "invalid": "yellow",
        "cancelled": "blue",
        "interrupted": "orange",
        "closed": "orange",
        "late": "orange",
        "refused": "purple",
        "shed": "purple",
        "dropped": "purple",
        "failed": "red",
    },
    "phase": {
        "ready": "green",
        "loading": "yellow",
        "draining": "orange",
        "starting": "blue",
        "failed": "red",
        "lost": "red",
    },
    "state": {"ready": "green", "unready": "orange", "ejected": "red", "budget": "text"},
}
"""By label: what its values mean is shown in the same colour everywhere; others take turns."""


@dataclass(frozen=True, kw_only=True)
class Query:
    """A query, and what its series are called: `{{label}}` stands for a label's value."""

    expr: str
    legend: str
    exemplars: bool = False
    """Whether the traces of single requests are shown on it."""
    quiet: bool = False
    """Whether it may well say nothing: of faults, and of what not every cluster has."""

    @property
    def colours(self) -> Mapping[str, str]:
        """Of its series, by name, where they are told apart by a label that has colours."""
        return COLOURS.get(self.legend.strip("{}"), {})


@dataclass(frozen=True, kw_only=True)
class Graph:
    """One or more queries over time."""

    title: str
    description: str
    """What it shows, and when to worry."""
    unit: str
    """As Grafana names it; `short` for a count, `none` for another plain number."""
    queries: Sequence[Query]
    stacked: bool = False
    most: float | None = None
    """Where the axis ends."""
    below_zero: bool = False
    """Whether the axis may begin below 0."""


@dataclass(frozen=True, kw_only=True)
class Figure:
    """One number, as it is now."""

    title: str
    description: str
    unit: str
    queries: Sequence[Query]
    """Whose first is what the figure is about."""


@dataclass(frozen=True, kw_only=True)
class Board:
    """A dashboard."""

    name: str
    """Of its file; its uid is this behind `argus-`."""
    title: str
    description: str
    rows: Sequence[tuple[str, Sequence[Graph | Figure]]]
    plans: bool = False
    """Whether changes of plans are marked on its graphs."""


def where(expr: str) -> str:
    """A query with the chosen cluster's labels in it."""
    return expr.replace("$where", _WHERE)


def text(board: Board) -> str:
    """The board as Grafana reads it."""
    drawn = (
        dashboard.Dashboard(f"Argus: {board.title}")
        .uid(f"argus-{board.name}")
        .description(board.description)
        .tags(["argus"])
        .time("now-1h", "now")
        .refresh("30s")
        .tooltip(DashboardCursorSync.CROSSHAIR)
        .link(
            dashboard.DashboardLink("Argus")
            .type(DashboardLinkType.DASHBOARDS)
            .tags(["argus"])
            .as_dropdown(True)
            .include_vars(True)
            .keep_time(True)
        )
        .with_variable(
            dashboard.DatasourceVariable("datasource").label("Prometheus").type("prometheus")
        )
        .with_variable(_choice("namespace", "up"))
        .with_variable(_choice("cluster", 'up{namespace=~"$namespace"}'))
    )
    if board.plans:
        drawn.annotation(
            dashboard.AnnotationQuery()
            .name("Changes of plans")
            .datasource(SOURCE)
            .enable(True)
            .icon_color("orange")
            .expr(where(PLANS))
        )
    number = count(1)
    for title, panels in board.rows:
        drawn.with_row(dashboard.Row(title).id(next(number)))
        span = _WIDTH // len(panels)
        for panel in panels:
            if isinstance(panel, Graph):
                drawn.with_panel(_graph(panel).id(next(number)).span(span))
            else:
                drawn.with_panel(_figure(panel).id(next(number)).span(span))
    made = json.loads(JSONEncoder(sort_keys=True).encode(drawn.build()))
    for annotation in made["annotations"].get("list", ()):
        annotation["step"] = _PLANS_STEP  # Grafana knows it, its builders do not.
    return json.dumps(made, sort_keys=True, indent=1) + "\n"


def _choice(label: str, of: str) -> dashboard.QueryVariable:
    return (
        dashboard.QueryVariable(label)
        .label(label.capitalize())
        .datasource(SOURCE)
        .query(f"label_values({of}, {label})")
        .refresh(VariableRefresh.ON_TIME_RANGE_CHANGED)
        .multi(True)
        .include_all(True)
        .all_value(".*")
    )


def _graph(graph: Graph) -> timeseries.Panel:
    panel = (
        timeseries.Panel()
        .title(graph.title)
        .description(graph.description)
        .unit(graph.unit)
        .datasource(SOURCE)
        .height(_HEIGHT)
        .fill_opacity(30 if graph.stacked else 0)
        .tooltip(common.VizTooltipOptions().mode(TooltipDisplayMode.MULTI))
        .legend(
            common.VizLegendOptions()
            .display_mode(LegendDisplayMode.LIST)
            .placement(LegendPlacement.BOTTOM)
            .show_legend(True)
        )
    )
    if not graph.below_zero:
        panel.min(0)
    if graph.stacked:
        panel.stacking(common.StackingConfig().mode(StackingMode.NORMAL))
    if graph.most is not None:
        panel.max(graph.most)
    if graph.unit == "short":
        panel.axis_soft_max(1)  # Where all is 0, an axis of whole numbers.
    if all(query.quiet for query in graph.queries):
        panel.no_value("None")
    for query in graph.queries:
        for name, colour in query.colours.items():
            panel.override_by_name(name, [_coloured(colour)])
    for letter, query in zip("ABCDEFGH", graph.queries, strict=False):
        panel.with_target(_target(letter, query).exemplar(query.exemplars))
    return panel


def _coloured(colour: str) -> dashboard_models.DynamicConfigValue:
    fixed = {"mode": "fixed", "fixedColor": colour}
    return dashboard_models.DynamicConfigValue(id_val="color", value=fixed)


def _target(letter: str, query: Query) -> prometheus.Dataquery:
    return prometheus.Dataquery().ref_id(letter).expr(where(query.expr)).legend_format(query.legend)


def _figure(figure: Figure) -> stat.Panel:
    panel = (
        stat.Panel()
        .title(figure.title)
        .description(figure.description)
        .unit(figure.unit)
        .datasource(SOURCE)
        .height(_HEIGHT // 2)
        .color_mode(BigValueColorMode.NONE)
    )
    for letter, query in zip("ABCDEFGH", figure.queries, strict=False):
        panel.with_target(_target(letter, query).instant())
    return panel
