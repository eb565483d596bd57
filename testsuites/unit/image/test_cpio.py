# SPDX-License-Identifier: GPL-2.0-only
"""The archive writer: what the kernel reads, and nothing of this host."""

import stat

import pytest

from harness.image import cpio


def test_record_is_newc_to_the_byte() -> None:
    data = cpio.archive({"a": cpio.file(b"hi\n", 0o640)})
    assert data.startswith(
        b"070701"
        b"00000001"  # inode
        b"000081a0"  # mode
        b"00000000"  # uid
        b"00000000"  # gid
        b"00000001"  # links
        b"00000000"  # time
        b"00000003"  # size
        b"0000000000000000"  # device of the file system
        b"0000000000000000"  # device of a node
        b"00000002"  # length of the name
        b"00000000"  # checksum
        b"a\0hi\n\0"
    )
    assert len(data) % 512 == 0


def test_entries_are_sorted_and_parents_made() -> None:
    data = cpio.archive({"z/y/x": cpio.file(b"1"), "a": cpio.directory()})
    assert [path for path, _ in cpio.parse(data)] == ["a", "z", "z/y", "z/y/x"]


def test_order_of_insertion_does_not_matter() -> None:
    one, two = cpio.file(b"1"), cpio.file(b"22")
    assert cpio.archive({"b": one, "a": two}) == cpio.archive({"a": two, "b": one})


def test_round_trip() -> None:
    nodes = {
        "dev/console": cpio.character_device(5, 1),
        "init": cpio.symlink("usr/bin/busybox"),
        "etc/empty": cpio.file(b""),
        "etc/odd": cpio.file(b"12345", 0o755),
        "root": cpio.directory(0o700),
    }
    read = dict(cpio.parse(cpio.archive(nodes)))
    assert {path: read[path] for path in nodes} == nodes
    assert stat.S_ISCHR(read["dev/console"].mode)


@pytest.mark.parametrize(
    ("given", "wanted"),
    [
        ("/bin/sh", "usr/bin/sh"),
        ("./lib/x86_64-linux-gnu/libc.so.6", "usr/lib/x86_64-linux-gnu/libc.so.6"),
        ("lib64/ld-linux-x86-64.so.2", "usr/lib64/ld-linux-x86-64.so.2"),
        ("sbin", "sbin"),
        ("usr/lib/a", "usr/lib/a"),
        ("/etc//passwd", "etc/passwd"),
    ],
)
def test_usr_is_merged(given: str, wanted: str) -> None:
    assert cpio.guest_path(given) == wanted


@pytest.mark.parametrize("path", ["../etc", "a/../../b", "/", ""])
def test_paths_stay_inside(path: str) -> None:
    with pytest.raises(ValueError, match="inside the guest"):
        cpio.guest_path(path)
