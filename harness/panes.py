# SPDX-License-Identifier: GPL-2.0-only
"""Consoles beside the prompt: tmux panes that follow the streams' files."""

from __future__ import annotations

import contextlib
import os
import subprocess
from collections.abc import Iterator, Sequence
from pathlib import Path


def inside() -> bool:
    """Whether we run in a tmux pane."""
    return bool(os.environ.get("TMUX")) and bool(os.environ.get("TMUX_PANE"))


def _tmux(*words: str) -> str:
    done = subprocess.run(["tmux", *words], capture_output=True, text=True, check=False, timeout=10)
    return done.stdout.strip()


def _open(title: str, words: Sequence[str], beside: str, *, right: bool) -> str:
    """Split the pane `beside`; the new one's id, or "" if there is no room."""
    way = "-h" if right else "-v"
    pane = _tmux("split-window", "-d", way, "-t", beside, "-P", "-F", "#{pane_id}", *words)
    if pane:
        _tmux("select-pane", "-t", pane, "-T", title)
    return pane


@contextlib.contextmanager
def following(files: Sequence[tuple[str, Path]]) -> Iterator[None]:
    """A pane for each (title, file), in a column right of ours; gone afterwards."""
    here = os.environ["TMUX_PANE"]
    _tmux("set-option", "-w", "-t", here, "main-pane-width", "50%")
    _tmux("set-option", "-w", "-t", here, "pane-border-status", "top")
    _tmux("select-pane", "-t", here, "-T", "guest")
    panes: list[str] = []
    for title, path in files:
        words = ["tail", "-n", "+1", "-F", str(path)]
        panes.append(_open(title, words, (panes or [here])[-1] or here, right=not panes))
    _tmux("select-layout", "-t", here, "main-vertical")
    try:
        yield
    finally:
        for pane in filter(None, panes):
            _tmux("kill-pane", "-t", pane)


def run_beside(title: str, words: Sequence[str]) -> bool:
    """Start a program in a pane below ours; False without tmux."""
    return inside() and bool(_open(title, words, os.environ["TMUX_PANE"], right=False))
