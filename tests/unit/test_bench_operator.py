"""Rows of what clusters cost the operator: one for as many clusters and workers, the last."""

import json

from operator_scale import keep


def row(clusters, cpu, *, pods_run=False):
    return {"clusters": clusters, "workers_each": 1, "pods_run": pods_run, "cpu": cpu}


def test_a_row_takes_the_place_of_the_one_of_as_many_clusters(tmp_path):
    out = tmp_path / "rows.json"
    for one in (row(100, 1.0), row(1, 0.1), row(100, 2.0, pods_run=True), row(100, 1.5)):
        keep(one, out)
    rows = json.loads(out.read_text())["rows"]
    told = [(one["clusters"], one["pods_run"], one["cpu"]) for one in rows]
    assert told == [(1, False, 0.1), (100, False, 1.5), (100, True, 2.0)]
    assert all({"command", "date", "machine"} <= one.keys() for one in rows)
