# SPDX-License-Identifier: GPL-2.0-only
"""What is shared compiles for arm64: nothing of x86 creeps in."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

from hostlib import REPO, clean_env


def make(*words: str) -> None:
    """Needs aarch64-linux-gnu-gcc (Debian: gcc-aarch64-linux-gnu)."""
    done = subprocess.run(
        ["make", "-s", "-j", str(os.cpu_count()), *words],
        capture_output=True, text=True, env=clean_env(), check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr


def test_core_and_lib_compile(tmp_path: Path) -> None:
    make("-C", str(REPO / "hypervisor"), f"O={tmp_path}", "check-arm64")


def test_inmates_and_configurations_build(tmp_path: Path) -> None:
    """Their makefiles are shared; nobody who changes them for x86 runs an ARM target."""
    for component in ("inmates", "configs"):
        make(
            "-C", str(REPO / component), f"O={tmp_path}", "ARCH=arm64",
            "CROSS_COMPILE=aarch64-linux-gnu-",
        )
