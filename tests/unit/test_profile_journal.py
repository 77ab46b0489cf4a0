import json

import pytest

from argus_cli.profile.journal import Journal
from argus_core.errors import InvalidRequest

TOLD = {"prompts": ["a", "b"], "seeds": [0, 1]}


@pytest.fixture
def path(tmp_path):
    return tmp_path / "profile.json.journal"


@pytest.fixture
def kept(path):
    """A journal with two pieces."""
    with Journal(path, TOLD) as journal:
        journal.keep("one", [1.0, 0.5])
        journal.keep("two", {"seconds": 0.1})
    return path


def done(path, told=TOLD):
    with Journal(path, told) as journal:
        return dict(journal.done)


def test_a_new_one_has_nothing_done(path):
    assert done(path) == {}


def test_what_was_kept_is_there_when_it_is_opened_again(kept):
    assert done(kept) == {"one": [1.0, 0.5], "two": {"seconds": 0.1}}


def test_cut_off_anywhere_it_keeps_all_whole_lines_and_goes_on(kept, tmp_path):
    whole = kept.read_bytes()
    for end in range(len(whole) + 1):
        cut = tmp_path / "cut"
        cut.write_bytes(whole[:end])
        with Journal(cut, TOLD) as journal:
            assert len(journal.done) == max(0, whole[:end].count(b"\n") - 1)
            journal.keep("three", 3)
        assert done(cut)["three"] == 3


def test_of_another_profile_it_is_refused_and_says_what_differs(kept):
    with pytest.raises(InvalidRequest, match="other seeds; delete it") as caught:
        done(kept, {**TOLD, "seeds": [0]})
    assert caught.value.violations[0].field == "--out"


@pytest.mark.parametrize("line", ["{}", "[]", "no json", '{"key": 1}', "7"])
def test_what_is_no_journal_is_refused_and_left_alone(path, line):
    path.write_text(line + "\n")
    with pytest.raises(InvalidRequest, match="line 1"):
        done(path)
    assert path.read_text() == line + "\n"


def test_each_line_is_json_of_its_own(kept):
    lines = [json.loads(line) for line in kept.read_text().splitlines()]
    assert [line.get("key") for line in lines] == [None, "one", "two"]
