# SPDX-License-Identifier: GPL-2.0-only
"""The disk's pattern: each sector says where it belongs."""

import stat
from pathlib import Path

import pytest

from harness.image import disk


def test_sectors_differ_and_are_numbered() -> None:
    data = disk.pattern(8 * disk.SECTOR)
    sectors = [data[i : i + disk.SECTOR] for i in range(0, len(data), disk.SECTOR)]
    assert len(set(sectors)) == 8
    assert sectors[5] == disk.sector(5)
    assert sectors[5].startswith(disk.MAGIC + (5).to_bytes(8, "little"))


def test_disk_is_shared_and_read_only(tmp_path: Path) -> None:
    path = disk.raw_disk(1 << 20, tmp_path)
    assert path.stat().st_size == 1 << 20
    assert stat.S_IMODE(path.stat().st_mode) == 0o444
    assert disk.raw_disk(1 << 20, tmp_path) == path


def test_whole_sectors_only() -> None:
    with pytest.raises(ValueError, match="whole sectors"):
        disk.pattern(1000)
