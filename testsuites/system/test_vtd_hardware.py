# SPDX-License-Identifier: GPL-2.0-only
"""The hypervisor's VT-d code with QEMU's model of the hardware.

No machine here has VMX and VT-d. So vmx/vtd*.c runs without the hypervisor: a program for the
bare machine (inmates/bare/x86/vtd.c) brings cells and a device that asks for memory; the unit
that answers is QEMU's. What no model of our own can tell is whether both read the
specification alike.
"""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from harness import unattended
from harness.machine import INTEL_X86, Role
from harness.plugin.run import RUN
from harness.targets import TARGETS
from harness.unattended import Result

#: QEMU's device for teaching copies between a buffer of its own and any address.
EDU = "edu,addr=05.0"

DMA = """\
no remapping
write 0x2400000: reaches 0x2400000
DMAR unit @0xfed90000/0x1000
enable: 0
write 0x2000000: reaches 0x2000000
write 0x2200000: leaves 0x2200000
1 NMI
VT-d fault event reported by IOMMU 0:
 Source Identifier (bus:dev.func): 00:05.0
 Fault Reason: 0x5 Fault Info: 2200000 Type 0
read 0x2200000: gets 0x2200000
write 0x2400000: leaves 0x2400000
1 NMI
VT-d fault event reported by IOMMU 0:
 Source Identifier (bus:dev.func): 00:05.0
 Fault Reason: 0x5 Fault Info: 2400000 Type 0
read 0x2400000: does not get 0x2400000
1 NMI
VT-d fault event reported by IOMMU 0:
 Source Identifier (bus:dev.func): 00:05.0
 Fault Reason: 0x6 Fault Info: 2400000 Type 1
write 0x2600000: reaches 0x2600000
create: 0
write 0x401000: reaches 0x2601000
write 0x2600000: leaves 0x2602000
1 NMI
VT-d fault event reported by IOMMU 0:
 Source Identifier (bus:dev.func): 00:05.0
 Fault Reason: 0x5 Fault Info: 2600000 Type 0
read 0x2000000: does not get 0x2000000
1 NMI
VT-d fault event reported by IOMMU 0:
 Source Identifier (bus:dev.func): 00:05.0
 Fault Reason: 0x6 Fault Info: 2000000 Type 1
destroy: 0
0 pages more
write 0x400000: leaves 0x2600000
1 NMI
VT-d fault event reported by IOMMU 0:
 Source Identifier (bus:dev.func): 00:05.0
 Fault Reason: 0x5 Fault Info: 400000 Type 0
write 0x2600000: reaches 0x2600000
disable
write 0x2400000: reaches 0x2400000
DMAR unit @0xfed90000/0x1000
enable without the device: 0
read 0x2000000: does not get 0x2000000
1 NMI
VT-d fault event reported by IOMMU 0:
 Source Identifier (bus:dev.func): 00:05.0
 Fault Reason: 0x2 Fault Info: 2000000 Type 1
END
"""


def _ended(result: Result) -> bool:
    path = result.folder / f"{result.spec.serial(Role.HYPERVISOR_CONSOLE).name}.log"
    return path.exists() and "\nEND" in result.text(Role.HYPERVISOR_CONSOLE)[-8:]


def test_dma_goes_where_the_tables_say(request: pytest.FixtureRequest, tmp_path: Path) -> None:
    """Allowed and forbidden, by the root cell, a cell, the root cell again, and by nobody."""
    state = request.config.stash[RUN]
    programs = unattended.bare_programs(state.artifacts(state.kernel))
    machine = replace(INTEL_X86, devices=(EDU,))
    target = replace(TARGETS["amd-tcg"], machine=machine)
    result = unattended.run_bare(target, programs / "vtd.bin", "", tmp_path, _ended)
    assert result.text(Role.HYPERVISOR_CONSOLE) == DMA
