import pytest

from argus_cli.profile.pairs import pairs
from argus_cli.profile.prompts import captions, read_prompts
from argus_core.errors import InvalidRequest
from argus_shapes.captions import DIFFICULTIES, parse

CAPTIONS = captions(60)


def test_captions_are_different_and_always_the_same():
    assert len(set(CAPTIONS)) == 60
    assert captions(60) == CAPTIONS
    assert captions(20) == CAPTIONS[:20]


def test_captions_are_of_every_difficulty():
    assert {parse(caption).difficulty for caption in CAPTIONS} == set(DIFFICULTIES)


def test_a_file_gives_a_prompt_a_line_without_repeats(tmp_path):
    file = tmp_path / "prompts.txt"
    file.write_text("a cat\n\n a dog \na cat\n#1 fan\n")
    assert read_prompts("--prompts", file) == ("a cat", "a dog", "#1 fan")


@pytest.mark.parametrize("text", [b"", b"\n\n", b"\xff\xfe\x00"])
def test_a_file_without_prompts_is_refused_by_option(tmp_path, text):
    file = tmp_path / "prompts.txt"
    file.write_bytes(text)
    with pytest.raises(InvalidRequest) as caught:
        read_prompts("--prompts", file)
    assert caught.value.violations[0].field == "--prompts"


def test_each_prompt_begins_from_itself_near_ones_and_a_far_one():
    found = pairs(CAPTIONS, 10)
    assert pairs(CAPTIONS, 10) == found
    for prompt in CAPTIONS[:10]:
        relations = [pair.relation for pair in found if pair.prompt == prompt]
        assert relations[:2] == ["same", "near"]
        assert relations[-1] == "far"


def test_the_nearest_origin_of_a_caption_is_one_with_a_word_changed():
    for prompt in CAPTIONS[:10]:
        near = [
            p.origin for p in pairs(CAPTIONS, 10) if p.prompt == prompt and p.relation == "near"
        ]
        differ = [a != b for a, b in zip(prompt.split(), near[0].split(), strict=True)]
        assert sum(differ) == 1
        assert all(parse(origin) for origin in near)


def test_prompts_of_another_language_begin_from_those_that_share_words():
    prompts = ("a red cat on a mat", "a red cat on a sofa", "mountains at dawn")
    found = {(p.prompt, p.relation): p.origin for p in pairs(prompts, 3)}
    assert found[prompts[0], "near"] == prompts[1]
    assert found[prompts[0], "far"] == prompts[2]
    assert (prompts[2], "near") not in found


def test_a_single_prompt_begins_from_itself_alone():
    (pair,) = pairs(("mountains at dawn",), 5)
    assert (pair.origin, pair.relation) == ("mountains at dawn", "same")
