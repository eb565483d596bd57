# SPDX-License-Identifier: GPL-2.0-only
"""Helper programs: `jailhouse CMD SUB` runs jailhouse-CMD-SUB if there is one (abi.md 6)."""

from __future__ import annotations

import os


def search_path(program: str) -> list[str]:
    """Directories in order: that of the command, our libexec directory, PATH."""
    own = os.path.dirname(program)
    prefix = os.path.dirname(own) or "/usr"
    path = [own] if own else []
    path.append(os.path.join(prefix, "libexec", "jailhouse"))
    path += [entry for entry in os.environ.get("PATH", os.defpath).split(os.pathsep) if entry]
    return path


def run(program: str, command: str, arguments: list[str]) -> None:
    """Become the helper of "CMD SUB"; return if there is none. Its argv[0] is SUB."""
    path = search_path(program)
    name = "jailhouse-" + command.replace(" ", "-")
    for directory in path:
        candidate = os.path.join(directory, name)
        if os.path.isfile(candidate) and os.access(candidate, os.X_OK):
            os.environ["PATH"] = os.pathsep.join(path)
            os.execv(candidate, [command.rpartition(" ")[2], *arguments])
