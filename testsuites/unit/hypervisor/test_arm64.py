# SPDX-License-Identifier: GPL-2.0-only
"""core/ and lib/ compile for arm64: nothing of x86 creeps in."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

from hostlib import REPO, clean_env


def test_core_and_lib_compile(tmp_path: Path) -> None:
    """Needs aarch64-linux-gnu-gcc (Debian: gcc-aarch64-linux-gnu)."""
    done = subprocess.run(
        ["make", "-s", "-j", str(os.cpu_count()), "-C", str(REPO / "hypervisor"), f"O={tmp_path}", "check-arm64"],
        capture_output=True, text=True, env=clean_env(), check=False,
    )
    assert done.returncode == 0, done.stderr
