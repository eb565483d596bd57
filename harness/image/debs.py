# SPDX-License-Identifier: GPL-2.0-only
"""Files of Debian packages, read straight from the .debs.

Modes come from the archive, so umask and file system of this host don't matter.
"""

from __future__ import annotations

import fnmatch
import re
import stat
import subprocess
import tarfile
from collections.abc import Sequence
from pathlib import Path

from harness.image import cpio
from harness.image.cpio import Node
from harness.packages import AptFailed


def _matcher(patterns: Sequence[str]) -> re.Pattern[str]:
    joined = "|".join(fnmatch.translate(pattern) for pattern in patterns)
    return re.compile(joined or r"(?!)")


class Selection:
    """Which guest paths are taken: not those excluded, unless kept."""

    def __init__(self, exclude: Sequence[str], keep: Sequence[str]) -> None:
        self._exclude = _matcher(exclude)
        self._keep = _matcher(keep)

    def takes(self, path: str) -> bool:
        """Whether a guest path (relative, /usr merged) belongs into the image."""
        return self._keep.match(path) is not None or self._exclude.match(path) is None


def _node(archive: tarfile.TarFile, member: tarfile.TarInfo) -> Node | None:
    if member.issym():
        return cpio.symlink(member.linkname)
    if member.isfile():
        stream = archive.extractfile(member)
        assert stream is not None
        return Node(stat.S_IFREG | (member.mode & 0o7777), stream.read())
    return None


def read_deb(deb: Path, selection: Selection) -> dict[str, Node]:
    """Regular files and links of a .deb by guest path."""
    nodes: dict[str, Node] = {}
    with subprocess.Popen(
        ["dpkg-deb", "--fsys-tarfile", str(deb)], stdout=subprocess.PIPE
    ) as process:
        assert process.stdout is not None
        with tarfile.open(fileobj=process.stdout, mode="r|") as archive:
            for member in archive:
                if member.isdir():
                    continue
                path = cpio.guest_path(member.name)
                if member.islnk():
                    original = nodes.get(cpio.guest_path(member.linkname))
                    if original is not None and selection.takes(path):
                        nodes[path] = original
                elif selection.takes(path):
                    node = _node(archive, member)
                    if node is not None:
                        nodes[path] = node
    if process.returncode != 0:
        raise AptFailed(f"cannot read {deb.name}")
    return nodes
