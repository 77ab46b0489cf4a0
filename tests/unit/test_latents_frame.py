"""A frame gives back what was put, or tells why not; it never gives anything else."""

import random
import struct
from dataclasses import replace

import pytest

from argus_latents.frame import Label, is_spoilt, seal, unseal
from argus_latents.misses import Miss, Reason
from argus_latents.wording import from_text, to_text
from latents_support import entry_of, some_latents

LABEL = Label(key="ab" * 16, step=5, scope="a", compatibility="variant=tiny")
PAYLOAD = random.Random(3).randbytes(40)
NOW, LATER = 100.0, 200.0


def sealed(payload=PAYLOAD, label=LABEL, expires=LATER, secret=b""):
    return seal(payload, label, expires=expires, secret=secret)


def reason(frame, label=LABEL, now=NOW, secret=b""):
    """Why it is a miss; None where it gave the payload."""
    try:
        assert unseal(frame, label, now=now, secret=secret) == PAYLOAD
    except Miss as miss:
        return miss.reason
    return None


def test_what_was_sealed_is_unsealed_with_the_same_secret_alone():
    assert reason(sealed()) is None
    assert reason(sealed(secret=b"s"), secret=b"s") is None
    assert reason(sealed(secret=b"s")) is Reason.SECRET
    assert reason(sealed(), secret=b"s") is Reason.SECRET
    assert reason(sealed(secret=b"t"), secret=b"s") is Reason.SECRET


def test_who_knows_a_secrets_name_alone_can_forge_nothing():
    forged, ours = bytearray(sealed()), sealed(secret=b"s")
    forged[22:26] = ours[22:26]
    assert reason(bytes(forged), secret=b"s") is Reason.CORRUPT


def test_an_empty_payload_is_a_payload():
    frame = sealed(payload=b"")
    assert unseal(frame, LABEL, now=NOW, secret=b"") == b""


def test_every_bit_counts():
    frame = sealed()
    seen = set()
    for position in range(len(frame)):
        for bit in range(8):
            spoilt = bytearray(frame)
            spoilt[position] ^= 1 << bit
            seen.add(reason(bytes(spoilt)))
    assert seen == {
        *(Reason.FORMAT, Reason.VERSION, Reason.SECRET, Reason.TRUNCATED, Reason.CORRUPT)
    }


def test_every_length_but_its_own_is_a_miss():
    frame = sealed()
    found = [reason(frame[:length]) for length in range(len(frame))]
    assert set(found) == {Reason.TRUNCATED}
    assert all(is_spoilt(frame[:length], secret=b"") for length in range(len(frame)))
    assert reason(frame + b"\0") is Reason.TRUNCATED


def test_lengths_that_would_overflow_are_a_miss():
    head = struct.pack(">8sHIQ", b"ARGUSLAT", 1, 2**32 - 1, 2**64 - 1)
    assert reason(head + sealed()[22:26] + bytes(64)) is Reason.TRUNCATED


def test_what_is_sound_or_not_ours_is_not_spoilt():
    newer = bytearray(sealed())
    newer[8:10] = struct.pack(">H", 2)
    for other in (sealed(), sealed(secret=b"s"), bytes(newer), b"x" * 100):
        assert not is_spoilt(other, secret=b"")
    newer[8:10], newer[-1] = struct.pack(">H", 1), newer[-1] ^ 1
    assert is_spoilt(bytes(newer), secret=b"")


@pytest.mark.parametrize(
    ("changed", "why"),
    [
        ({"key": "cd" * 16}, Reason.KEY),
        ({"step": 6}, Reason.STEP),
        ({"scope": "b"}, Reason.SCOPE),
        ({"compatibility": "variant=other"}, Reason.COMPATIBILITY),
    ],
)
def test_a_sound_frame_of_another_label_is_a_miss(changed, why):
    other = replace(LABEL, **changed)
    assert reason(sealed(), label=other) is why


def test_a_frame_is_a_miss_from_when_it_expires():
    assert reason(sealed(), now=LATER - 0.001) is None
    assert reason(sealed(), now=LATER) is Reason.EXPIRED


def test_a_frame_of_another_version_is_told_from_a_corrupt_one():
    frame = bytearray(sealed())
    frame[8:10] = struct.pack(">H", 2)
    assert reason(bytes(frame)) is Reason.VERSION


def test_scopes_that_look_like_more_of_the_header_stay_scopes():
    cunning = Label(key="ab" * 16, step=5, scope='b", "scope": "a', compatibility="variant=tiny")
    assert reason(sealed(label=cunning)) is Reason.SCOPE
    assert reason(sealed(label=cunning), label=cunning) is None


def test_an_entry_is_the_same_after_it_was_text():
    entry = entry_of(some_latents(1, 20), scope="ünïcode \0", embedding=bytes(range(256)))
    assert from_text(to_text(entry)) == entry


@pytest.mark.parametrize(
    "text", [b"", b"null", b"[]", b"{}", b'{"steps": 3}', b"\xff", b"\x80\x04"]
)
def test_a_text_that_is_no_entry_is_none(text):
    assert from_text(text) is None


def test_a_text_of_more_fields_than_are_known_is_none():
    text = to_text(entry_of(some_latents()))
    assert from_text(text.replace(b'{"key"', b'{"newer": 1, "key"')) is None
