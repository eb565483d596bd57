# SPDX-License-Identifier: GPL-2.0-only
"""The cache directory, and files that several processes share in it.

Whatever is in the cache is complete: it is made under another name, under a
lock, and renamed when it is done.
"""

from __future__ import annotations

import contextlib
import fcntl
import hashlib
import os
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path


def cache_root() -> Path:
    """The cache directory: $JAILHOUSE_CACHE or .cache beside this package."""
    override = os.environ.get("JAILHOUSE_CACHE")
    root = Path(override) if override else Path(__file__).resolve().parent.parent / ".cache"
    root.mkdir(parents=True, exist_ok=True)
    return root


@contextlib.contextmanager
def locked(path: Path) -> Iterator[None]:
    """Hold an exclusive lock on a file (made if missing) between processes."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("w") as handle:
        fcntl.flock(handle, fcntl.LOCK_EX)
        yield


def write_atomically(path: Path, data: bytes, mode: int = 0o644) -> None:
    """Write a file so that others see all of it or nothing."""
    path.parent.mkdir(parents=True, exist_ok=True)
    handle, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    try:
        with os.fdopen(handle, "wb") as stream:
            stream.write(data)
        os.chmod(name, mode)
        os.replace(name, path)
    except BaseException:
        Path(name).unlink(missing_ok=True)
        raise


def file_hash(path: Path) -> str:
    """SHA-256 of a file's content."""
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


@contextlib.contextmanager
def directory_in_making(target: Path) -> Iterator[Path]:
    """A directory beside ``target`` that becomes it when the block succeeds.

    The caller holds the lock of ``target``: what a killed process left is removed.
    """
    target.parent.mkdir(parents=True, exist_ok=True)
    for left in target.parent.glob(f".{target.name}.*"):
        shutil.rmtree(left)
    making = Path(tempfile.mkdtemp(dir=target.parent, prefix=f".{target.name}."))
    try:
        making.chmod(0o755)
        yield making
        making.rename(target)
    except BaseException:
        shutil.rmtree(making, ignore_errors=True)
        raise
