"""Boards, panel by panel, and their queries as Grafana sends them."""

from __future__ import annotations

from collections.abc import Sequence

from argus_dashboards.draw import Board, Figure, Graph, Query
from support import boards
from support.boards import Shown


def panels(board: Board) -> list[Graph | Figure]:
    """All of a board's, row by row."""
    return [panel for _, row in board.rows for panel in row]


def queries(panel: Graph | Figure) -> Sequence[Query]:
    """A panel's."""
    return panel.queries


def filled(expr: str) -> str:
    """A query with all variables set, for all clusters and the last half minute."""
    expr = boards.filled(expr, Shown(since=0, until=60, interval=7.5), 15)
    assert "$" not in expr
    return expr
