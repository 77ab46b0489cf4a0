import os
import stat
import subprocess
import sys
from dataclasses import replace

import pytest

from argus_cli.local import runtime
from argus_core.errors import ArgusError


@pytest.fixture(autouse=True)
def base(tmp_path, monkeypatch):
    """A runtime folder of the test's own."""
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(tmp_path))
    return tmp_path


@pytest.fixture
def other():
    """Another process that lives."""
    process = subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE)
    yield process
    process.communicate(b"\n")


def running(name="studio", **fields):
    pid, started = runtime.this_process()
    fields = {"grpc": "127.0.0.1:1", "http": "http://127.0.0.1:2", "workers": {}} | fields
    return runtime.Running(**({"name": name, "pid": pid, "started": started} | fields))


def began(process):
    return runtime.psutil.Process(process.pid).create_time()


def test_published_cluster_is_found_as_it_was_last_told():
    runtime.publish(running())
    runtime.publish(running(workers={"cpu-0": "127.0.0.1:3"}))
    assert runtime.find() == running(workers={"cpu-0": "127.0.0.1:3"})


def test_withdrawn_cluster_is_found_no_more():
    runtime.publish(running())
    runtime.withdraw("studio", os.getpid())
    runtime.withdraw("studio", os.getpid())
    assert runtime.find() is None


def test_withdrawing_leaves_the_cluster_of_another_process(other):
    theirs = running(pid=other.pid, started=began(other))
    runtime.publish(theirs)
    runtime.withdraw("studio", os.getpid())
    assert runtime.find() == theirs


def test_dead_cluster_is_passed_over():
    dead = subprocess.Popen([sys.executable, "-c", ""])
    dead.wait()
    runtime.publish(running("a-dead-one", pid=dead.pid))
    runtime.publish(running("b-live-one"))
    assert runtime.find().name == "b-live-one"


def test_process_that_has_inherited_the_id_of_a_dead_one_is_not_the_cluster(other):
    runtime.publish(replace(running(pid=other.pid), started=1.0))
    assert runtime.find() is None


@pytest.mark.parametrize("text", ["", "{", "[]", '{"name": "studio"}', '{"colour": 1}'])
def test_mangled_file_counts_as_none(base, text):
    (base / "argus").mkdir()
    (base / "argus" / "studio.json").write_text(text)
    assert runtime.find() is None


def test_name_of_a_live_cluster_is_refused_and_that_of_a_dead_one_is_not(other):
    runtime.publish(running(pid=other.pid, started=began(other)))
    runtime.refuse_twin("another")
    with pytest.raises(runtime.AlreadyRunning, match=str(other.pid)):
        runtime.refuse_twin("studio")
    runtime.publish(running(pid=other.pid, started=1.0))
    runtime.refuse_twin("studio")


def test_folder_is_open_to_its_user_alone(base):
    assert runtime.folder() == base / "argus"
    assert stat.S_IMODE((base / "argus").stat().st_mode) == 0o700


def test_folder_that_leads_elsewhere_is_not_trusted(base):
    (base / "elsewhere").mkdir()
    (base / "argus").symlink_to(base / "elsewhere")
    with pytest.raises(ArgusError, match="not yours"):
        runtime.folder()
