"""All boards, and the files that they are installed from."""

from __future__ import annotations

from argus_dashboards import fleet, overview, parts, quality, router
from argus_dashboards.draw import Board, text

BOARDS: tuple[Board, ...] = (
    overview.BOARD,
    quality.BOARD,
    fleet.BOARD,
    router.BOARD,
    parts.PREDICTOR,
    parts.WORKER,
    parts.OPERATOR,
)

_FOLDERS = ("charts/argus/files/dashboards", "manifests/dashboards")


def files() -> dict[str, str]:
    """By path within the repository, for those with Helm and those without: what Grafana reads."""
    texts = {board.name: text(board) for board in BOARDS}
    return {f"{folder}/{name}.json": made for folder in _FOLDERS for name, made in texts.items()}
