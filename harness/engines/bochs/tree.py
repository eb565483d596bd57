# SPDX-License-Identifier: GPL-2.0-only
"""Debian bookworm's Bochs, unpacked privately; run with its own loader and libraries."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path

from harness import packages
from harness.packages import Apt, Progress, say
from harness.provision import ProvisionError, native_architecture

SUITE = "bookworm"
#: Bochs, its firmware, and the libraries that it is linked with (its debugger has a
#: GTK front end, which nobody starts). What those depend on besides stays away:
#: test_bochs checks that nothing is missing.
PACKAGES = (
    "bochs", "bochsbios", "vgabios",
    "libatk-bridge2.0-0", "libatk1.0-0", "libatspi2.0-0", "libblkid1", "libbrotli1", "libbsd0",
    "libc6", "libcairo-gobject2", "libcairo2", "libcap2", "libdatrie1", "libdbus-1-3",
    "libepoxy0", "libexpat1", "libffi8", "libfontconfig1", "libfreetype6", "libfribidi0",
    "libgcc-s1", "libgcrypt20", "libgdk-pixbuf-2.0-0", "libglib2.0-0", "libgpg-error0",
    "libgraphite2-3", "libgtk-3-0", "libharfbuzz0b", "libjpeg62-turbo", "libltdl7", "liblz4-1",
    "liblzma5", "libmd0", "libmount1", "libpango-1.0-0", "libpangocairo-1.0-0",
    "libpangoft2-1.0-0", "libpcre2-8-0", "libpixman-1-0", "libpng16-16", "libreadline8",
    "libsamplerate0", "libselinux1", "libstdc++6", "libsystemd0", "libthai0", "libtinfo6",
    "libwayland-client0", "libwayland-cursor0", "libwayland-egl1", "libx11-6", "libxau6",
    "libxcb-render0", "libxcb-shm0", "libxcb1", "libxcomposite1", "libxcursor1", "libxdamage1",
    "libxdmcp6", "libxext6", "libxfixes3", "libxi6", "libxinerama1", "libxkbcommon0",
    "libxrandr2", "libxrender1", "libzstd1", "zlib1g",
)  # fmt: skip
_FILES_OUT = ("./usr/share/doc", "./usr/share/man", "./usr/share/locale", "./etc")


@dataclass(frozen=True)
class BochsTree:
    """How to run Bochs: the loader and its arguments, without the program itself."""

    root: Path
    loader: tuple[str, ...]
    version: tuple[int, int, int]
    env: Mapping[str, str] = field(default_factory=dict)

    @property
    def program(self) -> str:
        return str(self.root / "usr/bin/bochs-bin")

    def argv(self, preload: Path) -> tuple[str, ...]:
        """The command that starts it with a library preloaded."""
        return (*self.loader, "--preload", str(preload), self.program)


def parse_version(text: str) -> tuple[int, int, int]:
    """From Debian's version ("2.7+dfsg-4"); the third number is 0."""
    match = re.match(r"(\d+)\.(\d+)", text)
    if match is None:
        raise ProvisionError(f"not a version of Bochs: {text!r}")
    return int(match[1]), int(match[2]), 0


@cache
def bochs(progress: Progress = say) -> BochsTree:
    """Bochs, fetched on first use (then from the cache)."""
    arch = native_architecture()
    if arch != "amd64":
        # The boot ROM is assembled by the host's compiler.
        raise ProvisionError(f"the Bochs machines need an amd64 host, this one is {arch}")
    apt = Apt(SUITE, arch, progress=progress)
    resolution = packages.remembered(f"bochs-{SUITE}", apt, lambda own: own.alone(PACKAGES))
    root = packages.tree(resolution, "bochs", patterns_out=_FILES_OUT, progress=progress)
    libraries = root / "usr/lib/x86_64-linux-gnu"
    base = root / "lib/x86_64-linux-gnu"
    (package,) = [package for package in resolution.packages if package.name == "bochs"]
    return BochsTree(
        root,
        (str(base / "ld-linux-x86-64.so.2"), "--library-path", f"{libraries}:{base}"),
        parse_version(package.version),
        {
            "BXSHARE": str(root / "usr/share/bochs"),
            "LTDL_LIBRARY_PATH": str(libraries / "bochs/plugins"),
        },
    )
