# SPDX-License-Identifier: GPL-2.0-only
"""`jailhouse hardware check`: can this machine run the hypervisor (abi.md 6.13).

What Linux says in /proc/cpuinfo is used first; model-specific registers only
where it says nothing.  Every probe works on a Machine, so that tests can hand
in text instead of hardware.
"""

from __future__ import annotations

import enum
import os
import sys
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from jailhouse.cellfile import CellFileError, IommuType, SystemConfig

MSR_FEATURE_CONTROL = 0x3A
MSR_VMX_BASIC = 0x480
MSR_VMX_EPT_VPID_CAP = 0x48C
MSR_VM_CR = 0xC0010114
VM_CR_SVMDIS = 1 << 4
FEATURE_CONTROL_LOCKED = 1
FEATURE_CONTROL_VMX = 4
EPT_4_LEVELS = 1 << 6
EPT_2M_PAGES = 1 << 16
EPT_WRITE_BACK = 1 << 14
INVEPT_ALL = 1 << 20 | 1 << 26
VMX_TRUE_CONTROLS = 1 << 55

NAME_WIDTH = 32


class Answer(enum.Enum):
    """What is known about one feature."""

    YES = "ok"
    NO = "MISSING"
    UNKNOWN = "skipped"


@dataclass
class Machine:
    """What the checks look at."""

    architecture: str = "x86_64"
    cpuinfo: str = ""
    msrs: Callable[[int], int | None] = field(default=lambda number: None)
    iommu_tables: tuple[str, ...] = ()

    def value(self, key: str) -> str:
        """The first CPU's line of /proc/cpuinfo with that name, "" without one."""
        for line in self.cpuinfo.splitlines():
            name, _, value = line.partition(":")
            if name.strip() == key:
                return value.strip()
        return ""

    @property
    def cpus(self) -> int:
        names = [line.partition(":")[0].strip() for line in self.cpuinfo.splitlines()]
        return names.count("processor")

    @property
    def vendor(self) -> str:
        return self.value("vendor_id")

    def has(self, flag: str) -> Answer:
        return Answer.YES if flag in self.value("flags").split() else Answer.NO

    def has_vmx(self, flag: str) -> Answer:
        """A VMX feature; kernels before 5.9 have no such line."""
        flags = self.value("vmx flags").split()
        if not flags:
            return Answer.UNKNOWN
        return Answer.YES if flag in flags else Answer.NO

    @classmethod
    def this(cls) -> Machine:
        tables = Path("/sys/firmware/acpi/tables")
        return cls(
            os.uname().machine,
            Path("/proc/cpuinfo").read_text(),
            read_msr,
            tuple(name for name in ("DMAR", "IVRS") if (tables / name).exists()),
        )


@dataclass(frozen=True)
class Feature:
    """One line of the table."""

    name: str
    answer: Answer
    optional: bool = False

    @property
    def text(self) -> str:
        if self.answer is Answer.NO and self.optional:
            return "missing (optional)"
        return self.answer.value


def read_msr(number: int) -> int | None:
    """CPU 0's register, None if the msr driver is not loaded or the CPU has no such register."""
    try:
        fd = os.open("/dev/cpu/0/msr", os.O_RDONLY)
    except OSError:
        return None
    try:
        return int.from_bytes(os.pread(fd, 8, number), "little")
    except OSError:
        return None
    finally:
        os.close(fd)


def features(machine: Machine, system: SystemConfig | None = None) -> list[Feature]:
    """Everything the hypervisor needs or can use, judged for this machine."""
    found = [
        Feature("Number of CPUs > 1", Answer.YES if machine.cpus > 1 else Answer.NO),
        Feature("Long mode", machine.has("lm")),
        Feature("4-level paging (no LA57)", _negate(machine.has("la57"))),
    ]
    if machine.vendor in ("AuthenticAMD", "HygonGenuine"):
        found += _amd(machine)
    elif machine.vendor == "GenuineIntel":
        found += _intel(machine)
    else:
        found.append(Feature("AMD or Intel CPU", Answer.NO))
    found.append(_iommu(machine, system))
    return found


def _negate(answer: Answer) -> Answer:
    return {Answer.YES: Answer.NO, Answer.NO: Answer.YES}.get(answer, answer)


def _bits(value: int | None, mask: int) -> Answer:
    if value is None:
        return Answer.UNKNOWN
    return Answer.YES if value & mask == mask else Answer.NO


def _amd(machine: Machine) -> list[Feature]:
    found = [Feature("AMD-V (SVM)", machine.has("svm"))]
    disabled = _bits(machine.msrs(MSR_VM_CR), VM_CR_SVMDIS)
    if disabled is not Answer.UNKNOWN:
        # Without the msr driver the answer is left to `enable`, which reports it by name.
        found.append(Feature("  SVM enabled by firmware", _negate(disabled)))
    found.append(Feature("  Nested paging (NPT)", machine.has("npt")))
    for name, flag in (
        ("Next RIP saving", "nrip_save"),
        ("Decode assists", "decodeassists"),
        ("Flush by ASID", "flushbyasid"),
        ("AVIC", "avic"),
        ("Virtual GIF", "vgif"),
    ):
        found.append(Feature(f"  {name}", machine.has(flag), optional=True))
    return found


def _intel(machine: Machine) -> list[Feature]:
    """What hypervisor/arch/x86/vmx/controls.c and features.c demand or can use."""
    control = machine.msrs(MSR_FEATURE_CONTROL)
    if control is not None and not control & FEATURE_CONTROL_LOCKED:
        control |= FEATURE_CONTROL_VMX  # Not locked: the driver may switch it on.
    ept = machine.msrs(MSR_VMX_EPT_VPID_CAP)
    return [
        Feature("VT-x (VMX)", machine.has("vmx")),
        Feature("  VMX enabled by firmware", _bits(control, FEATURE_CONTROL_VMX)),
        Feature("  True controls", _bits(machine.msrs(MSR_VMX_BASIC), VMX_TRUE_CONTROLS)),
        Feature("  Extended page tables (EPT)", machine.has_vmx("ept")),
        Feature("  EPT with 4 levels", _bits(ept, EPT_4_LEVELS)),
        Feature("  EPT 2 MiB pages", _bits(ept, EPT_2M_PAGES)),
        Feature("  EPT write-back tables", _bits(ept, EPT_WRITE_BACK)),
        Feature("  INVEPT of all contexts", _bits(ept, INVEPT_ALL)),
        Feature("  Unrestricted guest", machine.has_vmx("unrestricted_guest")),
        Feature("  Preemption timer", machine.has_vmx("preemption_timer")),
        Feature("  Virtual NMIs", machine.has_vmx("vnmi")),
        Feature("  VPID", machine.has_vmx("vpid"), optional=True),
        Feature("Cache allocation (CAT L3)", machine.has("cat_l3"), optional=True),
    ]


def _iommu(machine: Machine, system: SystemConfig | None) -> Feature:
    """Optional, unless the configuration names units."""
    table, name = ("DMAR", "VT-d") if machine.vendor == "GenuineIntel" else ("IVRS", "AMD-Vi")
    answer = Answer.YES if table in machine.iommu_tables else Answer.NO
    wanted = system is not None and any(
        unit.type in (IommuType.AMD, IommuType.INTEL) for unit in system.iommus
    )
    return Feature(f"IOMMU ({name})", answer, optional=not wanted)


def run(system_file: str | None = None, machine: Machine | None = None) -> int:
    """Print the table: 0 all there, 2 something is missing, 1 a test could not be made."""
    machine = machine or Machine.this()
    if machine.architecture not in ("x86_64", "i386", "i686"):
        print(f"hardware check: not available on {machine.architecture}", file=sys.stderr)
        return 1
    system = None
    if system_file is not None:
        try:
            system = SystemConfig.from_file(system_file)
        except CellFileError as error:
            print(error, file=sys.stderr)
            return 1
    found = features(machine, system)
    print(f"{'Feature':<{NAME_WIDTH}}Availability")
    print(f"{'-' * (NAME_WIDTH - 2)}  {'-' * 18}")
    for feature in found:
        print(f"{feature.name:<{NAME_WIDTH}}{feature.text}")
    print()
    skipped = any(f.answer is Answer.UNKNOWN and not f.optional for f in found)
    failed = any(f.answer is Answer.NO and not f.optional for f in found)
    if skipped:
        print("Some tests were skipped: load the msr driver (modprobe msr) and be root.")
    print("Check FAILED!" if failed or skipped else "Check passed!")
    if failed:
        return 2
    return 1 if skipped else 0
