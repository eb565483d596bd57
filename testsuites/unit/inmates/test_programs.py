# SPDX-License-Identifier: GPL-2.0-only
"""The test inmates judge themselves rightly where there is no hypervisor."""

from __future__ import annotations

import pytest
from bench import Bench


@pytest.mark.parametrize(("name", "minimum"), [("mmio-access", 43), ("mmio-access-32", 24)])
def test_mmio_access_on_memory(bench: Bench, name: str, minimum: int) -> None:
    """Where the device is plain memory both executions are native, so every check passes."""
    lines = bench.run(f"tests/x86/{name}.bin", "testdev=0x100000", until=f"DONE {name}", timeout=60)
    assert lines[-1] == f"DONE {name} ok"
    assert "MMIO read test passed" in lines
    assert "MMIO write test passed" in lines
    checks = [line for line in lines if line.startswith("Test at line #")]
    assert len(checks) >= minimum
    assert all(line.endswith(" passed") for line in checks)


@pytest.mark.parametrize("name", ["mmio-access", "mmio-access-32"])
def test_mmio_access_notices(bench: Bench, name: str) -> None:
    """A window that is not the alias (other memory) is a device that does nothing right."""
    lines = bench.run(f"tests/x86/{name}.bin", "testdev=0x200000", until=f"DONE {name}", timeout=60)
    assert lines[-1] == f"DONE {name} failed"
    assert "MMIO read test FAILED" in lines
    assert "MMIO write test FAILED" in lines
