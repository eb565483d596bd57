# SPDX-License-Identifier: GPL-2.0-only
"""The small disk of a machine: a pattern that tells where each block belongs.

Every 512-byte sector starts with a magic word and its own number, so a test
sees a wrong, stale or misplaced block at once.  No file system, no partition:
tests read and write sectors (``dd``), and the file is opened copy-on-write.
"""

from __future__ import annotations

import struct
from pathlib import Path

from harness import cache

SECTOR = 512
MAGIC = b"JHDISK01"


def sector(number: int) -> bytes:
    """Content of one sector."""
    head = MAGIC + struct.pack("<Q", number)
    body = struct.pack("<I", number * 2654435761 & 0xFFFFFFFF)
    return head + body * ((SECTOR - len(head)) // len(body))


def pattern(size: int) -> bytes:
    """Content of a disk of ``size`` bytes (a multiple of 512)."""
    if size % SECTOR:
        raise ValueError("a disk is whole sectors")
    return b"".join(sector(number) for number in range(size // SECTOR))


def raw_disk(size: int = 8 << 20, root: Path | None = None) -> Path:
    """A read-only raw image in the cache, made on first use."""
    path = (root or cache.cache_root()) / "disks" / f"pattern-{size}.img"
    with cache.locked(path.with_suffix(".lock")):
        if not path.exists():
            cache.write_atomically(path, pattern(size), 0o444)
    return path
