"""Predicted against measured quality, by level."""

from __future__ import annotations

from argus_dashboards.draw import Board, Graph, Query
from argus_dashboards.queries import mean, quantile, rate, share, total

_SCORE = "argus_quality_score"
_ERROR = "avg by (level) (argus_predictor_quality_error{$where})"
_MARGIN = "avg by (level) (argus_predictor_quality_error_margin{$where})"
_PREDICTED = mean(_SCORE, "level")

BOARD = Board(
    name="quality",
    title="Quality",
    description="What images are predicted to be worth, and what a judged sample of them is.",
    plans=True,
    rows=(
        (
            "What users get",
            (
                Graph(
                    title="Predicted quality of what is drawn",
                    description="Mean over all levels, and the worst tenth. It falls where the "
                    "load makes cheaper levels worth more.",
                    unit="percentunit",
                    most=1,
                    queries=(
                        Query(
                            expr=f"sum(rate({_SCORE}_sum{{$where}}[$__rate_interval])) / "
                            f"(sum(rate({_SCORE}_count{{$where}}[$__rate_interval])) > 0)",
                            legend="mean",
                        ),
                        Query(expr=quantile(_SCORE, 0.1), legend="p10"),
                    ),
                ),
                Graph(
                    title="Images by level",
                    description="Each level's share of the images drawn.",
                    unit="percentunit",
                    stacked=True,
                    most=1,
                    queries=(Query(expr=share(f"{_SCORE}_count", "level"), legend="{{level}}"),),
                ),
            ),
        ),
        (
            "Predicted against measured",
            (
                Graph(
                    title="Predicted, by level",
                    description="Mean of what is drawn at each level.",
                    unit="percentunit",
                    most=1,
                    queries=(Query(expr=_PREDICTED, legend="{{level}}"),),
                ),
                Graph(
                    title="Measured, by level",
                    description="The prediction and the mean error of the latest labels. Where the "
                    "two part, predictions are corrected at once.",
                    unit="percentunit",
                    most=1,
                    queries=(
                        Query(
                            expr=f"({_PREDICTED}) + on (level) ({_ERROR})",
                            legend="{{level}}",
                            quiet=True,
                        ),
                    ),
                ),
            ),
        ),
        (
            "Where the two part",
            (
                Graph(
                    title="Error of predictions",
                    description="Measured less predicted, of the latest labels, in quality.",
                    unit="percentunit",
                    below_zero=True,
                    queries=(Query(expr=_ERROR, legend="{{level}}", quiet=True),),
                ),
                Graph(
                    title="Error, in margins",
                    description="The same, of what may be luck: beyond 1 or -1 it is none.",
                    unit="none",
                    below_zero=True,
                    queries=(
                        Query(expr=f"{_ERROR} / ({_MARGIN} > 0)", legend="{{level}}", quiet=True),
                    ),
                ),
                Graph(
                    title="Drifted levels",
                    description="1 where the error is beyond luck, and large enough to matter: "
                    "the head is trained anew, or should be.",
                    unit="short",
                    queries=(
                        Query(
                            expr="max by (level) (argus_predictor_quality_drifted{$where})",
                            legend="{{level}}",
                            quiet=True,
                        ),
                    ),
                ),
            ),
        ),
        (
            "Where figures come from",
            (
                Graph(
                    title="Images judged",
                    description="Labels of the sample that is judged on spare worker time, by "
                    "level. Without any, measured quality is not known.",
                    unit="cps",
                    queries=(
                        Query(
                            expr=rate("argus_predictor_labels_total", "level"),
                            legend="{{level}}",
                            quiet=True,
                        ),
                    ),
                ),
                Graph(
                    title="Sample of images to be judged",
                    description="scored was judged; dropped and interrupted gave way to work.",
                    unit="cps",
                    queries=(
                        Query(
                            expr=rate("argus_router_judged_total", "outcome"),
                            legend="{{outcome}}",
                            quiet=True,
                        ),
                    ),
                ),
                Graph(
                    title="Prompts without a prediction of their own",
                    description="The ladder's means stood in. Worry about timeout and lost.",
                    unit="reqps",
                    queries=(
                        Query(
                            expr=rate("argus_predictor_fallback_total", "reason"),
                            legend="{{reason}}",
                            quiet=True,
                        ),
                    ),
                ),
                Graph(
                    title="Heads",
                    description="Trained anew and swapped in, refused as they were worse, failed.",
                    unit="short",
                    queries=(
                        Query(
                            expr=total("argus_predictor_heads_total", "outcome"),
                            legend="{{outcome}}",
                        ),
                    ),
                ),
            ),
        ),
    ),
)
