# SPDX-License-Identifier: GPL-2.0-only
"""Headless Chromium: Debian's, unpacked into the cache, driven by Playwright.

Playwright's own browsers are not fetched: Debian's is there for every host
that can run the rest. It uses the libraries of its tree and the C library of
the host, which therefore is at least Debian 12's.
"""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from harness import packages
from harness.cache import cache_root, write_atomically
from harness.deadlines import scaled
from harness.packages import Progress, say
from harness.provision import native_architecture

if TYPE_CHECKING:
    from playwright.sync_api import Browser

_PACKAGE = "chromium-headless-shell"
#: The host's own, maintainer scripts' needs, and drivers of graphics hardware.
_LEAVE_OUT = (
    "debconf", "gcc-12-base", "libasound2-data", "libc6", "libgcc-s1", "libgl1-mesa-dri",
    "libllvm15", "libstdc++6", "lsb-base", "sysvinit-utils", "x11-common", "x11-utils",
    "xdg-utils", "xkb-data",
)  # fmt: skip
_FILES_OUT = ("./usr/share/doc", "./usr/share/man", "./usr/share/locale", "./etc/init.d")
#: No sandbox: the pages are ours, and containers run as root. No GPU, no network.
ARGUMENTS = (
    "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage", "--no-first-run",
    "--disable-background-networking", "--host-resolver-rules=MAP * ~NOTFOUND",
)  # fmt: skip


@dataclass(frozen=True)
class Program:
    """A browser and what it needs in its environment."""

    path: Path
    environment: dict[str, str]


def program(progress: Progress = say) -> Program:
    """Debian's headless Chromium, fetched on first use (then from the cache)."""
    resolution = packages.resolve(
        "bookworm", native_architecture(), [_PACKAGE], leave_out=_LEAVE_OUT, progress=progress
    )
    root = packages.tree(resolution, _PACKAGE, patterns_out=_FILES_OUT, progress=progress)
    folders = [str(folder) for folder in sorted(root.glob("**/lib/*-linux-gnu*"))]
    folders += [f"{folder}/pulseaudio" for folder in folders]
    environment = {
        **os.environ,
        "LD_LIBRARY_PATH": ":".join(folders),
        "FONTCONFIG_FILE": str(_fonts(root)),
    }
    return Program(root / "usr/lib/chromium/chromium-headless-shell", environment)


def _fonts(root: Path) -> Path:
    """A configuration of the tree's own fonts: a minimal host has none, and Chromium dies then."""
    path = cache_root() / "fontconfig" / root.name / "fonts.conf"
    text = (
        f"<fontconfig><dir>{root / 'usr/share/fonts'}</dir>"
        f"<cachedir>{path.parent}</cachedir></fontconfig>\n"
    )
    if not path.exists():
        write_atomically(path, text.encode())
    return path


@contextlib.contextmanager
def launched() -> Iterator[Browser]:
    """A running headless browser."""
    from playwright.sync_api import sync_playwright  # noqa: PLC0415  # takes half a second

    chromium = program()
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(
            executable_path=chromium.path,
            args=list(ARGUMENTS),
            env=dict(chromium.environment),
            chromium_sandbox=False,
            timeout=scaled(60) * 1000,
        )
        try:
            yield browser
        finally:
            browser.close()
