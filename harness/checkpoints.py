# SPDX-License-Identifier: GPL-2.0-only
"""Saved stages of a machine: memory, devices, disk, and what its consoles had said.

One folder an entry in the cache, named by a hash of everything that went into
it. An entry is made once, under a lock, by the first machine that gets to the
stage; it is read-only and shared by all processes afterwards. What was read is
verified before the machine runs; the least recently used entries go when all of
them are larger than the limit.

Only the stage `linux` (booted, hypervisor off) is saved. QEMU does not load an
x86 snapshot with a guest in it; docs/checkpoints.md has what was measured.
"""

from __future__ import annotations

import contextlib
import fcntl
import hashlib
import json
import os
import shutil
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from harness.cache import cache_root, directory_in_making, file_hash
from harness.errors import HarnessFailure

#: Part of every key: entries of another layout are never looked at.
LAYOUT = 1
#: All entries together; one of a 1 GiB machine takes about 110 MB.
DEFAULT_LIMIT_MIB = 6144

STATE, DISK, META = "state", "disk.img", "meta.json"


class CheckpointDamaged(HarnessFailure):
    """An entry is not what was written, or the emulator does not take it."""


def key_of(parts: dict[str, str]) -> str:
    """The name of an entry that consists of these parts."""
    text = json.dumps({"layout": LAYOUT, **parts}, sort_keys=True)
    return hashlib.sha256(text.encode()).hexdigest()[:24]


@dataclass(frozen=True)
class Saved:
    """One entry. `streams` holds what each serial port had said, by its name."""

    path: Path
    hashes: dict[str, str]

    @property
    def state(self) -> Path:
        return self.path / STATE

    @property
    def disk(self) -> Path:
        return self.path / DISK

    def streams(self) -> dict[str, bytes]:
        return {path.stem: path.read_bytes() for path in self.path.glob("*.log")}

    def verify(self) -> None:
        """Raise CheckpointDamaged unless every file is what was written."""
        for name, digest in self.hashes.items():
            try:
                found = file_hash(self.path / name)
            except OSError as error:
                raise CheckpointDamaged(f"{self.path / name}: {error.strerror}") from error
            if found != digest:
                raise CheckpointDamaged(
                    f"{self.path / name}: its SHA-256 is {found[:16]}…, "
                    f"{digest[:16]}… was written"
                )


class Store:
    """The entries in the cache. Safe between processes."""

    def __init__(self, root: Path | None = None, limit: int | None = None) -> None:
        self.root = root or cache_root() / "checkpoints"
        mib = int(os.environ.get("JAILHOUSE_CHECKPOINTS_MIB", DEFAULT_LIMIT_MIB))
        self.limit = mib << 20 if limit is None else limit

    @contextlib.contextmanager
    def locked(self, key: str) -> Iterator[None]:
        """Hold an entry: it is made by nobody else, and not evicted."""
        self.root.mkdir(parents=True, exist_ok=True)
        with self._lock_file(key).open("w") as handle:
            fcntl.flock(handle, fcntl.LOCK_EX)
            yield

    @contextlib.contextmanager
    def shared(self, key: str) -> Iterator[Saved | None]:
        """The entry, kept while the block runs; None if there is none."""
        self.root.mkdir(parents=True, exist_ok=True)
        with self._lock_file(key).open("w") as handle:
            fcntl.flock(handle, fcntl.LOCK_SH)
            yield self.find(key)

    def _lock_file(self, key: str) -> Path:
        return self.root / f"{key}.lock"

    def find(self, key: str) -> Saved | None:
        """The entry of that key, marked as used now; None if there is none."""
        path = self.root / key
        try:
            hashes = json.loads((path / META).read_text())["sha256"]
            os.utime(path)
        except (OSError, ValueError, KeyError):
            return None
        return Saved(path, hashes)

    def add(self, key: str, parts: dict[str, str], fill: Callable[[Path], None]) -> None:
        """Make an entry: `fill` writes its files. The caller holds `locked(key)`."""
        with directory_in_making(self.root / key) as making:
            fill(making)
            files = sorted(path for path in making.iterdir())
            hashes = {path.name: file_hash(path) for path in files}
            (making / META).write_text(json.dumps({"sha256": hashes, "of": parts}, indent=1))
            for path in making.iterdir():
                path.chmod(0o444)
        self._evict(keep=key)

    def drop(self, key: str) -> None:
        """Remove an entry. The caller holds `locked(key)`."""
        shutil.rmtree(self.root / key, ignore_errors=True)

    def size(self) -> int:
        """Bytes of all entries."""
        return sum(_size(entry) for entry in self._entries())

    def _entries(self) -> list[Path]:
        return [path.parent for path in self.root.glob(f"*/{META}")]

    def _evict(self, keep: str) -> None:
        """Least recently used first; an entry that somebody holds stays."""
        total = self.size()
        for entry in sorted(self._entries(), key=_used):
            if total <= self.limit:
                return
            if entry.name == keep:
                continue
            total -= self._evicted(entry)

    def _evicted(self, entry: Path) -> int:
        """Remove an entry unless somebody holds it; the bytes that are free now."""
        with self._lock_file(entry.name).open("w") as handle:
            try:
                fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                return 0
            size = _size(entry)
            shutil.rmtree(entry, ignore_errors=True)
            return size


def _used(entry: Path) -> float:
    with contextlib.suppress(OSError):
        return entry.stat().st_mtime
    return 0.0


def _size(entry: Path) -> int:
    total = 0
    for path in entry.glob("*"):
        with contextlib.suppress(OSError):
            total += path.stat().st_size
    return total
