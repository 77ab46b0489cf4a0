import json
import os
import stat
import subprocess
import sys
from dataclasses import replace

import pytest

from argus_cli.local.runtime import (
    AlreadyRunning,
    State,
    claim,
    find_cluster,
    read_state,
    release,
    runtime_dir,
    started,
    write_state,
    write_whole,
)
from argus_core.errors import InvalidRequest, NotFound

ME = os.getpid()


def mine(name="studio", **fields):
    return State(name=name, pid=ME, started=started(ME), **fields)


def test_claimed_cluster_is_found_with_what_was_written(tmp_path):
    claim("studio", tmp_path)
    state = mine(grpc="127.0.0.1:1", workers={"cpu-0": "127.0.0.1:2"})
    write_state(state, tmp_path)
    assert find_cluster(None, tmp_path) == find_cluster("studio", tmp_path) == state


def test_claim_of_a_live_cluster_is_refused(tmp_path):
    claim("studio", tmp_path)
    with pytest.raises(AlreadyRunning, match=str(ME)):
        claim("studio", tmp_path)


def test_state_of_a_dead_process_is_stale_and_taken_over(tmp_path):
    dead = subprocess.Popen([sys.executable, "-c", ""])
    dead.wait()
    (tmp_path / "studio").mkdir()
    write_state(replace(mine(), pid=dead.pid), tmp_path)
    assert find_cluster(None, tmp_path) is None
    claim("studio", tmp_path)
    assert find_cluster(None, tmp_path).pid == ME


def test_state_whose_pid_belongs_to_another_process_now_is_stale(tmp_path):
    (tmp_path / "studio").mkdir()
    write_state(replace(mine(), started=1.0), tmp_path)
    assert read_state("studio", tmp_path) is None


@pytest.mark.parametrize("text", ["", "{", "[]", '{"name": "studio"}', '{"colour": 1}'])
def test_mangled_state_counts_as_absent(tmp_path, text):
    (tmp_path / "studio").mkdir()
    (tmp_path / "studio" / "state.json").write_text(text)
    assert find_cluster(None, tmp_path) is None


def test_released_cluster_is_gone_with_its_folder(tmp_path):
    claim("studio", tmp_path)
    release("studio", tmp_path)
    assert not (tmp_path / "studio").exists()
    assert find_cluster(None, tmp_path) is None


def test_several_clusters_must_be_told_apart(tmp_path):
    for name in ("one", "two"):
        claim(name, tmp_path)
    assert find_cluster("two", tmp_path).name == "two"
    with pytest.raises(InvalidRequest, match="one, two"):
        find_cluster(None, tmp_path)


def test_unknown_name_tells_what_runs(tmp_path):
    claim("one", tmp_path)
    with pytest.raises(NotFound, match="running: one"):
        find_cluster("two", tmp_path)


def test_failed_write_leaves_the_old_file(tmp_path):
    path = tmp_path / "x.json"
    write_whole(path, [1])
    with pytest.raises(TypeError):
        write_whole(path, object())
    assert json.loads(path.read_text()) == [1]
    assert [p.name for p in tmp_path.iterdir()] == ["x.json"]


def test_runtime_dir_is_the_users_own(tmp_path):
    folder = runtime_dir({"XDG_RUNTIME_DIR": str(tmp_path)})
    assert folder == tmp_path / "argus"
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700
    assert runtime_dir({}).name == f"argus-{os.getuid()}"
