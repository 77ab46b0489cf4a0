import asyncio
import os
import signal
import sys
import textwrap

import pytest

from argus_cli.local.child import describe_exit, tail
from argus_cli.local.restart import RestartPolicy
from argus_cli.local.supervisor import ChildSpec, ChildState, GaveUp, Supervisor
from helpers import eventually

QUICK = RestartPolicy(
    first_delay=0.01, factor=2, longest_delay=0.05, deaths=3, window=60, start_deaths=2
)
SERVE = """
    import json, signal, sys, time
    print(json.dumps({"address": "127.0.0.1:1"}), flush=True)
    time.sleep(600)
"""


def spec(tmp_path, code=SERVE, name="child", **options):
    command = (sys.executable, "-c", textwrap.dedent(code))
    return ChildSpec(name=name, command=lambda: command, log=tmp_path / f"{name}.log", **options)


def exists(pid):
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True


@pytest.fixture
async def supervisor():
    made = Supervisor(policy=QUICK)
    yield made
    await made.stop()


async def up(supervisor, name="child"):
    await eventually(lambda: supervisor.views[name].state == ChildState.UP, timeout=20)
    return supervisor.views[name]


async def test_child_is_up_once_it_said_where_it_listens(supervisor, tmp_path):
    supervisor.start(spec(tmp_path))
    view = await up(supervisor)
    assert view.said == {"address": "127.0.0.1:1"}
    assert exists(view.pid)


async def test_killed_child_is_restarted(supervisor, tmp_path):
    supervisor.start(spec(tmp_path))
    first = (await up(supervisor)).pid
    os.kill(first, signal.SIGKILL)
    await eventually(lambda: supervisor.views["child"].restarts == 1, timeout=20)
    view = await up(supervisor)
    assert view.pid != first
    assert view.reason == "killed by SIGKILL"


async def test_child_that_keeps_dying_is_given_up_with_its_log(supervisor, tmp_path):
    supervisor.start(spec(tmp_path, SERVE.replace("time.sleep(600)", "sys.exit('no more ink')")))
    with pytest.raises(GaveUp) as caught:
        await asyncio.wait_for(supervisor.gave_up, 30)
    assert "child" in str(caught.value)
    assert "exited with status 1" in str(caught.value)
    assert "no more ink" in str(caught.value)
    assert supervisor.views["child"].restarts == QUICK.deaths - 1
    assert supervisor.views["child"].pid is None


async def test_child_that_never_comes_up_is_given_up_sooner(supervisor, tmp_path):
    supervisor.start(spec(tmp_path, "raise SystemExit(7)"))
    with pytest.raises(GaveUp, match="exited with status 7"):
        await asyncio.wait_for(supervisor.gave_up, 30)
    assert supervisor.views["child"].restarts == QUICK.start_deaths - 1


async def test_command_that_does_not_exist_is_given_up(supervisor, tmp_path):
    supervisor.start(ChildSpec(name="x", command=lambda: ["/no/such"], log=tmp_path / "x.log"))
    with pytest.raises(GaveUp, match="/no/such"):
        await asyncio.wait_for(supervisor.gave_up, 30)


async def test_silent_child_is_killed_after_its_start_timeout(supervisor, tmp_path):
    supervisor.start(spec(tmp_path, "import time; time.sleep(600)", start_timeout=0.2))
    with pytest.raises(GaveUp, match="did not say where it listens within 0.2 s"):
        await asyncio.wait_for(supervisor.gave_up, 30)


async def test_other_output_is_kept_in_the_log(supervisor, tmp_path):
    supervisor.start(spec(tmp_path, "print('loading', flush=True)\n" + textwrap.dedent(SERVE)))
    await up(supervisor)
    assert "loading" in tail(tmp_path / "child.log")


async def test_stop_lets_a_child_finish_and_is_idempotent(supervisor, tmp_path):
    finishing = SERVE.replace(
        "print(", "signal.signal(signal.SIGTERM, lambda *_: sys.exit('drained'))\n    print(", 1
    )
    supervisor.start(spec(tmp_path, finishing))
    pid = (await up(supervisor)).pid
    await supervisor.stop()
    await supervisor.stop()
    assert not exists(pid)
    assert supervisor.views["child"].state == ChildState.STOPPED
    assert "drained" in tail(tmp_path / "child.log")


async def test_stop_kills_a_child_that_will_not_finish(supervisor, tmp_path):
    deaf = SERVE.replace("print(", "signal.signal(signal.SIGTERM, signal.SIG_IGN)\n    print(", 1)
    supervisor.start(spec(tmp_path, deaf, stop_timeout=0.2))
    pid = (await up(supervisor)).pid
    await supervisor.stop()
    assert not exists(pid)


async def test_stop_while_a_child_waits_or_starts_ends_it(tmp_path):
    waiting = RestartPolicy(first_delay=60, longest_delay=60)
    supervisor = Supervisor(policy=waiting)
    supervisor.start(spec(tmp_path, "raise SystemExit(1)", name="waiting"))
    await eventually(lambda: supervisor.views["waiting"].state == ChildState.WAITING, timeout=20)
    supervisor.start(spec(tmp_path, name="starting"))
    await asyncio.wait_for(supervisor.stop(), 40)
    assert {view.state for view in supervisor.views.values()} == {ChildState.STOPPED}


async def test_what_a_dead_child_started_is_killed_too(supervisor, tmp_path):
    parent = """
        import json, subprocess, sys
        child = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(600)"])
        print(json.dumps({"grandchild": child.pid}), flush=True)
        child.wait()
    """
    supervisor.start(spec(tmp_path, parent))
    view = await up(supervisor)
    grandchild = int(view.said["grandchild"])
    os.kill(view.pid, signal.SIGKILL)
    await eventually(lambda: supervisor.views["child"].restarts == 1, timeout=20)
    await eventually(lambda: not exists(grandchild), timeout=20)


async def test_children_die_with_a_killed_supervisor(tmp_path):
    code = f"""
        import asyncio, sys
        from pathlib import Path
        from argus_cli.local.restart import RestartPolicy
        from argus_cli.local.supervisor import ChildSpec, Supervisor

        async def main():
            command = (sys.executable, "-c", "import time; print({{}}); time.sleep(600)")
            supervisor = Supervisor(
                policy=RestartPolicy(), on_change=lambda v: v.pid and print(v.pid, flush=True)
            )
            spec = ChildSpec(name="x", command=lambda: command, log=Path({str(tmp_path)!r}) / "x")
            supervisor.start(spec)
            while not (pid := supervisor.views["x"].pid):
                await asyncio.sleep(0.01)
            print(pid, flush=True)
            await asyncio.sleep(600)

        asyncio.run(main())
    """
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-c", textwrap.dedent(code), stdout=asyncio.subprocess.PIPE
    )
    child = int(await asyncio.wait_for(process.stdout.readline(), 30))
    assert exists(child)
    process.kill()
    await process.wait()
    await eventually(lambda: not exists(child))


def test_exit_is_told_in_words():
    assert describe_exit(3) == "exited with status 3"
    assert describe_exit(-9) == "killed by SIGKILL"


def test_tail_is_short_and_forgives_a_missing_log(tmp_path):
    assert tail(tmp_path / "none") == ""
    (tmp_path / "log").write_text("\n".join(map(str, range(100))))
    assert tail(tmp_path / "log", lines=2) == "98\n99"
