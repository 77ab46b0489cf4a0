import errno
import io
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

import pytest
from PIL import Image
from rich.console import Console

from argus_cli import main
from argus_cli.commands.demo import PROMPTS, is_exact
from argus_cli.commands.draw import SHOWN, enlarge, write
from argus_cli.commands.draw import _table as shown_table
from argus_cli.commands.status import tuned
from argus_protos.v1.cluster_pb2 import Tuning, WorkerState
from argus_shapes import captions


def test_command_starts_without_what_is_slow_to_import():
    slow = "torch", "diffusers", "scipy", "PIL", "grpc", "psutil"
    code = f"import sys, argus_cli.main; print([m for m in {slow!r} if m in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_error_is_one_line_and_ends_with_status_1(argus, monkeypatch, tmp_path):
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(tmp_path))
    status, _, said = argus("status")
    assert status == 1
    assert "start one: argus up" in said


@pytest.mark.parametrize(
    ("output", "words"), [("x.gif", "must end in .png"), ("nowhere/x.png", "there is no folder")]
)
def test_wrong_output_is_usage_and_known_before_anything_is_drawn(
    argus, monkeypatch, tmp_path, output, words
):
    monkeypatch.chdir(tmp_path)
    status, _, said = argus("draw", "a red circle", "-o", output)
    assert status == 2
    assert "--output" in said
    assert words in said


@pytest.mark.parametrize(
    ("error", "said"),
    [
        (OSError(errno.ENOSPC, "No space left on device"), "error: No space left on device"),
        (PermissionError(errno.EACCES, "Permission denied", "/x.png"), "/x.png: Permission denied"),
    ],
)
def test_what_the_system_refuses_is_one_line(argus, monkeypatch, error, said):
    def refused():
        raise error

    monkeypatch.setattr(main, "app", refused)
    status, _, told = argus("draw")
    assert status == 1
    assert told.endswith(said)


@pytest.mark.parametrize(
    ("option", "value"), [("--size", "48"), ("--deadline", "soon"), ("--deadline", "0")]
)
def test_what_cannot_be_meant_is_usage_and_named(argus, option, value):
    status, _, said = argus("draw", "a red circle", option, value)
    assert status == 2
    assert f"{option}: must be" in said
    assert repr(value) in said


def test_fields_of_a_document_that_are_wrong_have_a_line_each(monkeypatch, capsys, tmp_path):
    file = tmp_path / "cluster.yaml"
    file.write_text("{kind: ArgusCluster, apiVersion: argus.dev/v1alpha1, spec: {pool: []}}")
    monkeypatch.setattr(sys, "argv", ["argus", "up", "-f", str(file)])
    with pytest.raises(SystemExit):
        main.main()
    first, *lines = capsys.readouterr().err.splitlines()
    assert first == f"error: {len(lines)} fields are wrong"
    assert "  spec.pool: there is no such field; did you mean pools?" in lines


def test_a_folder_of_secrets_that_there_is_not_is_usage(argus, tmp_path):
    status, _, said = argus("up", "--secrets", str(tmp_path / "nowhere"))
    assert status == 2
    assert "--secrets: there is no folder" in said


def test_where_no_router_answers_it_is_said_what_to_look_at(argus):
    status, _, said = argus("status", "--endpoint", "127.0.0.1:1")
    assert status == 1
    assert "Connection refused" in said
    assert said.endswith("look at --endpoint, and whether it asks for TLS (--ca).")


def test_unknown_option_is_usage(argus):
    assert argus("draw", "--colour", "red")[0] == 2


def test_small_pictures_are_enlarged_to_be_seen_and_large_ones_left():
    assert enlarge(Image.new("RGB", (48, 48)), None).size == (SHOWN, SHOWN)
    assert enlarge(Image.new("RGB", (512, 256)), None).size == (512, 256)
    assert enlarge(Image.new("RGB", (48, 24)), 3).size == (144, 72)


def test_raw_pixels_are_written_as_they_came_and_several_get_numbers(tmp_path):
    picture = Image.new("RGB", (48, 48), "red")
    data = io.BytesIO()
    picture.save(data, "PNG")
    drawn = SimpleNamespace(index=1, data=data.getvalue(), image=lambda: picture)
    assert write(drawn, tmp_path / "out.png", 1, 1).read_bytes() == data.getvalue()
    numbered = write(drawn, tmp_path / "out.webp", 2, None)
    assert numbered.name == "out-1.webp"
    assert Image.open(numbered).size == (SHOWN, SHOWN)


def test_a_seed_and_a_file_are_shown_whole_on_80_columns():
    timing = SimpleNamespace(queue=0.0, total=10.25)
    drawn = SimpleNamespace(
        decision=SimpleNamespace(level="large-24"), seed=2**64 - 1, worker="cpu-0", timing=timing
    )
    shown = Console(width=80, file=io.StringIO())
    shown.print(shown_table([drawn], [Path("out/a-long-name-of-a-folder/triangles-0.png")]))
    rows = [line.split("│") for line in shown.file.getvalue().splitlines() if "│" in line]
    assert "".join(row[1].strip() for row in rows) == "out/a-long-name-of-a-folder/triangles-0.png"
    assert rows[0][3].strip() == str(drawn.seed)
    assert rows[0][-2].strip() == "10.25 s"


def test_status_tells_how_a_workers_forwards_are_run():
    plain = Tuning(attention="torch")
    quick = Tuning(compiled_blocks=70, attention="flash")
    small = Tuning(reason="it could not be compiled: no C compiler", quantization="int8")
    for tunings, said in (
        ({"a": plain}, ""),
        ({"a": quick}, "70 blocks compiled, flash attention"),
        ({"a": small}, "int8, it could not be compiled: no C compiler"),
        ({"a": quick, "b": plain, "c": Tuning(quantization="int8")},
         "a: 70 blocks compiled, flash attention; c: int8"),
    ):  # fmt: skip
        assert tuned(WorkerState(loadout=list(tunings), tunings=tunings)) == said
    assert not tuned(WorkerState(loadout=["a"])), "a worker before it told of tunings"


def test_demo_goes_from_easy_to_hard_and_every_prompt_can_be_checked():
    scenes = [captions.parse(prompt) for prompt in PROMPTS]
    assert len(scenes) >= 8
    assert "two large red circles left of a blue square" in PROMPTS
    assert [scene.difficulty for scene in (scenes[0], scenes[-1])] == ["single", "three groups"]
    assert {scene.difficulty for scene in scenes} == set(captions.DIFFICULTIES)


def test_empty_paper_is_not_what_any_prompt_asks():
    paper = Image.new("RGB", (48, 48), (246, 243, 236))
    assert not any(is_exact(captions.parse(prompt), paper) for prompt in PROMPTS)
