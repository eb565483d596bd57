# SPDX-License-Identifier: GPL-2.0-only
"""The framing of the serial command channel."""

import random

import pytest

from harness.guest.agent import MAGIC, FrameReader, encode, pack, unpack

PAYLOADS = [b"", b"x", bytes(range(256)) * 40, MAGIC * 3, encode(b"a frame in a frame")]


def read(data: bytes, step: int) -> list[bytes]:
    reader = FrameReader()
    found: list[bytes] = []
    for start in range(0, len(data), step):
        found += reader.feed(data[start : start + step])
    return found


@pytest.mark.parametrize("step", [1, 2, 3, 7, 4096, 1 << 20])
def test_round_trip_in_pieces(step: int) -> None:
    assert read(b"".join(map(encode, PAYLOADS)), step) == PAYLOADS


@pytest.mark.parametrize("step", [1, 5, 4096])
@pytest.mark.parametrize(
    "noise",
    [b"login: ", MAGIC, MAGIC[:2], b"\xff" * 100, encode(b"cut")[:-1], encode(b"cut")[:7]],
)
def test_noise_before_a_frame_is_skipped(noise: bytes, step: int) -> None:
    assert read(noise + encode(b"good") + encode(b"again"), step) == [b"good", b"again"]


def test_a_huge_length_is_not_believed() -> None:
    frame = bytearray(encode(b"good"))
    frame[4:8] = b"\xff\xff\xff\x7f"
    assert read(bytes(frame) + encode(b"next"), 100) == [b"next"]


def test_damaged_frames_cost_only_themselves() -> None:
    generator = random.Random(1)
    for _ in range(300):
        damaged = bytearray(encode(generator.randbytes(50)))
        damaged[generator.randrange(len(damaged))] ^= 1 << generator.randrange(8)
        assert read(bytes(damaged) + encode(b"next"), 11)[-1] == b"next"


def test_pack() -> None:
    assert unpack(pack({"id": 1, "op": "ä"}, b"\0\xff")) == ({"id": 1, "op": "ä"}, b"\0\xff")
    for bad in (b"", b"\4\0\0\0[1]x", b"\2\0\0\0[]"):
        with pytest.raises(ValueError, match=r"payload|object|Extra|Expecting"):
            unpack(bad)
