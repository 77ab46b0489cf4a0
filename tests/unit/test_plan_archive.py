"""What is kept of the history of plans between two processes."""

import pytest

from argus_control import archive
from argus_control.history import MOST
from argus_core.errors import ArgusError
from argus_protos.v1 import cluster_pb2, control_pb2


def record(number, reason="because"):
    plan = cluster_pb2.Plan(id=number, reason=reason, forecast_rate=2.5)
    told = control_pb2.PlanRecord(plan=plan, followed=True, changes=True)
    told.alternatives.add(name="hold", description="keep what the workers hold", cost=0.25)
    told.moves.add(pool="cpu", workers=1, to=["tiny"])
    return told


def test_what_is_written_is_read_again(tmp_path):
    file = tmp_path / "plans.jsonl"
    records = [record(n) for n in range(1, 4)]
    archive.write(file, records)
    assert archive.read(file) == records
    archive.write(file, records[1:])
    assert archive.read(file) == records[1:]
    assert [path.name for path in tmp_path.iterdir()] == ["plans.jsonl"]


def test_the_newest_are_kept_within_the_size():
    records = [record(n, reason="x" * 300) for n in range(1, 101)]
    text = archive.pack(records, most=10_000)
    kept = archive.unpack(text)
    assert len(text.encode()) <= 10_000
    assert kept == records[-len(kept) :]
    assert 10 < len(kept) < 40
    assert archive.pack(records[:1], most=10) == ""


def test_a_full_history_fits_into_a_file():
    records = [record(n, reason="moves 1 worker " * 20) for n in range(1, MOST + 1)]
    for each in records:
        for name in ("best level only", "one worker fewer moved", "one worker more moved"):
            each.alternatives.add(name=name, description="y" * 80, cost=0.1)
    assert len(archive.unpack(archive.pack(records))) == MOST


def test_a_line_that_is_no_record_costs_only_itself(tmp_path):
    file = tmp_path / "plans.jsonl"
    archive.write(file, [record(1), record(2)])
    first, second = file.read_text().splitlines()
    later = second.replace("{", '{"addedLater": 7, ', 1)
    file.write_text(f"{first}\n{first[:40]}\n{later}\n")
    assert [r.plan.id for r in archive.read(file)] == [1, 2]


def test_no_file_and_no_text_are_no_history(tmp_path):
    assert archive.read(tmp_path / "none.jsonl") == []
    (tmp_path / "binary").write_bytes(b"\xff\xfe")
    assert archive.read(tmp_path / "binary") == []


def test_what_cannot_be_written_is_told(tmp_path):
    with pytest.raises(ArgusError, match="cannot be kept"):
        archive.write(tmp_path / "missing" / "plans.jsonl", [record(1)])
