# SPDX-License-Identifier: GPL-2.0-only
"""Builds what is to be tested, once, in the controlling process."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from harness import provision
from harness.cache import locked
from harness.errors import BuildFailure
from harness.image import Artifacts
from harness.results import REPOSITORY

Progress = Callable[[str], None]

#: Components in the order of building; the driver depends on the kernel.
COMPONENTS = ("hypervisor", "inmates", "configs")


@dataclass(frozen=True)
class Toolchain:
    """What it takes to build for one architecture (the kernel's name of it)."""

    arch: str
    #: Debian's name of it.
    debian: str
    #: Prefix of the cross tools; empty: the host's own.
    cross: str

    def words(self) -> list[str]:
        """What every makefile wants to know."""
        return [f"ARCH={self.arch}", f"CROSS_COMPILE={self.cross}"]


TOOLCHAINS = {
    tools.arch: tools
    for tools in (Toolchain("x86", "amd64", ""), Toolchain("arm64", "arm64", "aarch64-linux-gnu-"))
}


def build_root(arch: str = "x86") -> Path:
    """Where builds go (the `O` of every makefile): objects of two architectures never meet."""
    root = Path(os.environ.get("JAILHOUSE_BUILD", REPOSITORY / "build"))
    return root if arch == "x86" else root / arch


def _make(component: str, tools: Toolchain, out: Path, *words: str) -> None:
    command = ["make", "--no-print-directory", "-j2", "-C", str(REPOSITORY / component)]
    command += [*tools.words(), f"O={out}", *words]
    # Two runs of tests in one tree would write the same objects at once.
    with locked(out / ".making"):
        done = subprocess.run(
            command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False
        )
    if done.returncode != 0:
        raise BuildFailure(f"make -C {component} {' '.join(words)}:\n{done.stdout[-6000:]}")


def build(kernel: str, arch: str = "x86", progress: Progress = lambda text: None) -> Artifacts:
    """Build whatever changed for one kernel series; BuildFailure has make's output."""
    tools = TOOLCHAINS[arch]
    tree = provision.kernel(kernel, tools.debian)
    out = build_root(arch)
    for component in COMPONENTS:
        progress(f"building {component}")
        _make(component, tools, out)
    progress(f"building driver for {tree.release}")
    _make("driver", tools, out, f"KDIR={tree.build}")
    return found(out, kernel, arch)


def found(directory: Path, kernel: str, arch: str = "x86") -> Artifacts:
    """What lies in a build tree, unbuilt."""
    release = provision.kernel(kernel, TOOLCHAINS[arch].debian).release
    return Artifacts.from_build(REPOSITORY, directory, release, arch)


def hypervisor_variant(words: Sequence[str], arch: str = "x86", image: str = "") -> Path:
    """A hypervisor built with configuration words; the output directory to use.

    With `image` (jailhouse-amd, ...) only that one of the architecture's images.
    """
    name = "-".join(sorted(words)).lower()
    out = build_root(arch) / "variants" / name
    only = [f"images={image}"] if image else []
    _make("hypervisor", TOOLCHAINS[arch], out, f"CONFIG={' '.join(sorted(words))}", *only)
    return out


def with_hypervisor(artifacts: Artifacts, words: Sequence[str], arch: str = "x86") -> Artifacts:
    """The same artifacts with a hypervisor built with configuration words."""
    out = hypervisor_variant(words, arch)
    return replace(artifacts, firmware=tuple(sorted(out.glob("hypervisor/jailhouse*.bin"))))
