import pytest

from argus_cli import options
from argus_cli.qualities import Measured, read_qualities
from argus_core.errors import InvalidRequest, Violation


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("8", 8.0), ("8s", 8.0), (" 500MS ", 0.5), ("1.5m", 90.0), ("2min", 120.0), (".5s", 0.5),
        ("1h30m", 5400.0), ("1d", 86_400.0), ("1m30s", 90.0), ("2.", 2.0),
    ],
)  # fmt: skip
def test_a_time_is_read_with_its_unit(text, seconds):
    assert options.duration("--slo", text) == pytest.approx(seconds)


@pytest.mark.parametrize(
    "text",
    ["", "s", "0s", "-1s", "8 s", "1h30", "8ss", "8x", "x8s", "1e3s", "inf", "nan", "1.2.3s"],
)
def test_what_is_no_time_is_refused_by_option(text):
    with pytest.raises(InvalidRequest) as refused:
        options.duration("--slo", text)
    assert [v.field for v in refused.value.violations] == ["--slo"]


NAN, INFINITE = float("nan"), float("inf")


@pytest.mark.parametrize("value", [0.0, -1.0, NAN, INFINITE])
def test_what_must_be_above_zero_is_finite_too(value):
    with pytest.raises(InvalidRequest, match="--rate"):
        options.above_zero("--rate", value)


@pytest.mark.parametrize("value", [-0.1, 1.1, NAN])
def test_a_share_is_0_to_1(value):
    with pytest.raises(InvalidRequest, match="--quality"):
        options.share("--quality", value)
    assert [options.share("--quality", ok) for ok in (0.0, 1.0)] == [0.0, 1.0]


@pytest.mark.parametrize("value", [0.0, 1.0, NAN])
def test_between_leaves_out_both_ends(value):
    with pytest.raises(InvalidRequest, match="--target"):
        options.between("--target", value, 0, 1)
    assert options.between("--target", 0.99, 0, 1) == 0.99


@pytest.mark.parametrize("value", [0, 11])
def test_a_count_has_a_bound(value):
    with pytest.raises(InvalidRequest, match=r"--workers: must be 1 to 10, not"):
        options.count("--workers", value, most=10)
    assert options.count("--workers", 10, most=10) == 10


def test_names_are_known_and_each_counts_once():
    known = ["argus", "paper", "pac"]
    assert options.names("--policies", " pac, argus,pac ", known) == ["pac", "argus"]
    with pytest.raises(InvalidRequest, match="there is no 'arguss'; there are argus, paper, pac"):
        options.names("--policies", "argus,arguss", known)
    with pytest.raises(InvalidRequest, match="--policies: names none of"):
        options.names("--policies", " , ", known)


def test_a_folder_is_made_unless_a_file_is_in_the_way(tmp_path):
    assert options.folder("--out", tmp_path / "a" / "b").is_dir()
    (tmp_path / "file").touch()
    with pytest.raises(InvalidRequest, match=r"--out: .*file: "):
        options.folder("--out", tmp_path / "file")


def test_what_the_core_refuses_names_the_option_that_it_came_from():
    with pytest.raises(InvalidRequest) as refused, options.named({"rate": "--rate"}):
        raise InvalidRequest([Violation("rate", "is odd"), Violation("levels", "are few")])
    assert [v.field for v in refused.value.violations] == ["--rate", "levels"]


LEVELS = ["large", "small"]


def qualities(tmp_path, text, **more):
    path = tmp_path / "q.csv"
    path.write_text(text, **more)
    return read_qualities("--qualities", path, LEVELS)


def test_qualities_are_read_in_the_ladder_s_order_whatever_else_stands_there(tmp_path):
    rows = qualities(tmp_path, "prompt,small,large\na cat,0.5,1\n\na dog,0.75,0.9\n")
    assert rows == Measured(qualities=((1.0, 0.5), (0.9, 0.75)))


def test_a_spreadsheet_s_byte_order_mark_is_no_part_of_a_level_s_name(tmp_path):
    rows = qualities(tmp_path, "large,small\n1,0\n", encoding="utf-8-sig")
    assert rows.qualities == ((1.0, 0.0),)


def test_similarities_and_what_discriminators_say_are_read_where_they_stand(tmp_path):
    text = "large,small,similarity,confidence:small,confidence:other\n1,0.5,-0.25,0.75,x\n"
    rows = qualities(tmp_path, text)
    assert rows.similarity == (-0.25,)
    assert rows.confidence == {"small": (0.75,)}


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", "no column 'large'"),
        ("large\n1\n", "no column 'small'"),
        ("large,small\n", "must have 1 to 10,000 rows, not 0"),
        ("large,small\n1,0.5\n1,x\n", "line 3: small is not a number"),
        ("large,small\n1\n", "line 2: small is not a number"),
        ("large,small\n1,1.5\n", "line 2: small must be 0 to 1, not 1.5"),
        ("large,small\nnan,0\n", "line 2: large must be 0 to 1"),
        ("large,small,similarity\n1,1,-2\n", "line 2: similarity must be -1 to 1"),
        ("large,small,confidence:large\n1,1,-1\n", "line 2: confidence:large must be 0 to 1"),
        ("large,small\n1," + "9" * 200_000, "must be CSV"),
    ],
)
def test_qualities_that_make_no_sense_name_file_and_line(tmp_path, text, words):
    with pytest.raises(InvalidRequest, match=words) as refused:
        qualities(tmp_path, text)
    assert "q.csv" in str(refused.value)
    assert refused.value.violations[0].field == "--qualities"


def test_qualities_that_cannot_be_read_name_the_file(tmp_path):
    with pytest.raises(InvalidRequest, match="q.csv: No such file"):
        read_qualities("--qualities", tmp_path / "q.csv", LEVELS)
    (tmp_path / "q.csv").write_bytes(b"large,small\n\xff\xfe,1\n")
    with pytest.raises(InvalidRequest, match="q.csv: must be CSV in UTF-8"):
        read_qualities("--qualities", tmp_path / "q.csv", LEVELS)
