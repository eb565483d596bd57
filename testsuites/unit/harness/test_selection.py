# SPDX-License-Identifier: GPL-2.0-only
"""Which tests are collected for which target."""

import os
import subprocess
import sys

from harness.results import REPOSITORY


def collected(target: str, file: str) -> set[str]:
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "--collect-only", "-q", "--target", target, file],
        cwd=REPOSITORY, capture_output=True, text=True, check=False, timeout=120, env=os.environ,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout[-2000:] + done.stderr[-2000:]
    lines = [line for line in done.stdout.splitlines() if "::" in line]
    return {line.rpartition("::")[2].partition("[")[0] for line in lines}


def test_a_target_beside_another_gets_what_that_one_lacks() -> None:
    """smp-demo needs four CPUs, pci-demo MSI, which neither has; the others run there."""
    found = collected("intel-bochs-smp", "testsuites/system/test_demos.py")
    assert found == {"test_smp_demo", "test_two_cells_at_once"}
    every = collected("intel-bochs", "testsuites/system/test_demos.py")
    assert found < every
    assert "test_pci_demo_receives_its_msi" in every
