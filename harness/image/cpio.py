# SPDX-License-Identifier: GPL-2.0-only
"""initramfs archives (cpio "newc") from a description, to the byte.

Nothing in the output depends on the host: entries are sorted, times are 0,
owners are root, inode numbers count up from 1, and device nodes exist only
inside the archive, so no privilege is needed.
"""

from __future__ import annotations

import stat
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import PurePosixPath

#: Top-level directories that are links into /usr on the guest.
_MERGED = ("bin", "lib", "lib32", "lib64", "sbin")


@dataclass(frozen=True)
class Node:
    """One file-system object; ``mode`` includes the type bits."""

    mode: int
    data: bytes = b""
    device: tuple[int, int] = (0, 0)


def file(data: bytes, mode: int = 0o644) -> Node:
    """A regular file."""
    return Node(stat.S_IFREG | mode, data)


def directory(mode: int = 0o755) -> Node:
    """A directory."""
    return Node(stat.S_IFDIR | mode)


def symlink(target: str) -> Node:
    """A symbolic link."""
    return Node(stat.S_IFLNK | 0o777, target.encode())


def character_device(major: int, minor: int, mode: int = 0o600) -> Node:
    """A character device node."""
    return Node(stat.S_IFCHR | mode, device=(major, minor))


def guest_path(path: str) -> str:
    """Path inside the archive: relative, normal, and with /usr merged.

    The kernel replaces a link by a directory of the same name, so no layer
    may name files through /bin, /lib or /sbin.
    """
    parts = [part for part in PurePosixPath(path).parts if part not in ("/", ".")]
    if ".." in parts or not parts:
        raise ValueError(f"not a path inside the guest: {path!r}")
    if parts[0] in _MERGED and len(parts) > 1:
        parts.insert(0, "usr")
    return "/".join(parts)


def merged_links() -> dict[str, Node]:
    """The links that make /bin, /lib and /sbin part of /usr."""
    return {name: symlink(f"usr/{name}") for name in _MERGED if name != "lib32"}


def with_parents(nodes: Mapping[str, Node]) -> dict[str, Node]:
    """Add the directories that the entries need, unless they are given."""
    complete = dict(nodes)
    for path in nodes:
        for parent in PurePosixPath(path).parents:
            name = str(parent)
            if name != "." and name not in complete:
                complete[name] = directory()
    return complete


def _pad(length: int) -> bytes:
    return b"\0" * (-length % 4)


def _record(name: str, node: Node, inode: int) -> Iterator[bytes]:
    links = 2 if stat.S_ISDIR(node.mode) else 1
    encoded = name.encode() + b"\0"
    fields = (
        inode, node.mode, 0, 0, links, 0, len(node.data), 0, 0,
        node.device[0], node.device[1], len(encoded), 0,
    )  # fmt: skip
    header = b"070701" + b"".join(b"%08x" % field for field in fields)
    yield header + encoded + _pad(len(header) + len(encoded))
    if node.data:
        yield node.data
        yield _pad(len(node.data))


def _records(nodes: Mapping[str, Node]) -> Iterator[bytes]:
    complete = with_parents(nodes)
    for inode, name in enumerate(sorted(complete), 1):
        yield from _record(name, complete[name], inode)
    # Like any other record, but inode and link count are those of no file.
    yield from _record("TRAILER!!!", Node(0), 0)


def archive(nodes: Mapping[str, Node]) -> bytes:
    """The archive of these nodes and the directories they need."""
    data = b"".join(_records(nodes))
    return data + b"\0" * (-len(data) % 512)


def parse(data: bytes) -> Iterable[tuple[str, Node]]:
    """Read an archive back (for tests and for looking into images)."""
    offset = 0
    while data[offset : offset + 6] == b"070701":
        fields = [int(data[offset + 6 + 8 * i : offset + 14 + 8 * i], 16) for i in range(13)]
        start = offset + 110
        name = data[start : start + fields[11] - 1].decode()
        body = start + fields[11] + (-(110 + fields[11]) % 4)
        if name == "TRAILER!!!":
            return
        yield name, Node(fields[1], data[body : body + fields[6]], (fields[9], fields[10]))
        offset = body + fields[6] + (-fields[6] % 4)
