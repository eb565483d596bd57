# SPDX-License-Identifier: GPL-2.0-only
"""Builds what is to be tested, once, in the controlling process."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

from harness import provision
from harness.errors import BuildFailure
from harness.image import Artifacts
from harness.results import REPOSITORY

Progress = Callable[[str], None]

#: Components in the order of building; the driver depends on the kernel.
COMPONENTS = ("hypervisor", "inmates", "configs")


def build_root() -> Path:
    """Where builds go (the `O` of every makefile)."""
    return Path(os.environ.get("JAILHOUSE_BUILD", REPOSITORY / "build"))


def _make(component: str, *words: str) -> None:
    command = ["make", "--no-print-directory", "-j2", "-C", str(REPOSITORY / component), *words]
    done = subprocess.run(
        command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False
    )
    if done.returncode != 0:
        raise BuildFailure(f"make -C {component} {' '.join(words)}:\n{done.stdout[-6000:]}")


def build(kernel: str, progress: Progress = lambda text: None) -> Artifacts:
    """Build whatever changed for one kernel series; BuildFailure has make's output."""
    tree = provision.kernel(kernel)
    out = build_root()
    for component in COMPONENTS:
        progress(f"building {component}")
        _make(component, f"O={out}")
    progress(f"building driver for {tree.release}")
    _make("driver", f"O={out}", f"KDIR={tree.build}")
    return found(out, kernel)


def found(directory: Path, kernel: str) -> Artifacts:
    """What lies in a build tree, unbuilt."""
    return Artifacts.from_build(REPOSITORY, directory, provision.kernel(kernel).release)


def hypervisor_variant(words: Sequence[str]) -> Path:
    """A hypervisor built with configuration words; the output directory to use."""
    name = "-".join(sorted(words)).lower()
    out = build_root() / "variants" / name
    _make("hypervisor", f"O={out}", f"CONFIG={' '.join(sorted(words))}")
    return out


def with_hypervisor(artifacts: Artifacts, words: Sequence[str]) -> Artifacts:
    """The same artifacts with a hypervisor built with configuration words."""
    out = hypervisor_variant(words)
    return replace(artifacts, firmware=tuple(sorted(out.glob("hypervisor/jailhouse*.bin"))))
