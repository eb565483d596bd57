# SPDX-License-Identifier: GPL-2.0-only
"""What is in the cache is complete, whatever happened to those who made it."""

import stat
from pathlib import Path

import pytest

from harness import cache


def fill_the_disk(target: Path) -> None:
    with cache.directory_in_making(target) as making:
        (making / "half").write_text("x")
        raise OSError("disk full")


def test_a_failed_making_leaves_nothing(tmp_path: Path) -> None:
    with pytest.raises(OSError, match="full"):
        fill_the_disk(tmp_path / "tree")
    assert list(tmp_path.iterdir()) == []


def test_what_a_killed_process_left_is_removed(tmp_path: Path) -> None:
    left = tmp_path / ".tree.abc"
    left.mkdir()
    (left / "half").write_text("x")
    with cache.directory_in_making(tmp_path / "tree") as making:
        (making / "whole").write_text("y")
    assert [path.name for path in tmp_path.iterdir()] == ["tree"]
    assert stat.S_IMODE((tmp_path / "tree").stat().st_mode) == 0o755


def test_files_appear_whole_and_with_their_mode(tmp_path: Path) -> None:
    path = tmp_path / "deep" / "file"
    cache.write_atomically(path, b"data", 0o600)
    cache.write_atomically(path, b"newer", 0o600)
    assert path.read_bytes() == b"newer"
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert list(path.parent.iterdir()) == [path]
