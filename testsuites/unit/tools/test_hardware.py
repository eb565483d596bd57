# SPDX-License-Identifier: GPL-2.0-only
"""`hardware check` on machines that exist as text only."""

from __future__ import annotations

from pathlib import Path

import pytest

from jailhouse import hardware
from jailhouse.cellfile import Iommu
from jailhouse.hardware import Machine

from .conftest import make_cell, make_system

AMD = "fpu lm svm npt nrip_save"
INTEL = "fpu lm vmx ept vpid"
INTEL_VMX = "vnmi preemption_timer ept vpid unrestricted_guest"
EPT_CAP = 1 << 6 | 1 << 14 | 1 << 16 | 1 << 20 | 1 << 26
GOOD_MSRS = {0x3A: 5, 0x480: 1 << 55, 0x48C: EPT_CAP, 0xC0010114: 0}


def machine(
    vendor: str, flags: str, vmx: str = "", cpus: int = 2, msrs: dict[int, int] | None = None
) -> Machine:
    lines = []
    for number in range(cpus):
        lines += [f"processor\t: {number}", f"vendor_id\t: {vendor}", f"flags\t\t: {flags}"]
        lines += [f"vmx flags\t: {vmx}"] if vmx else []
        lines.append("")
    values = msrs or {}
    return Machine("x86_64", "\n".join(lines), values.get)


Capture = pytest.CaptureFixture[str]


def test_table(capsys: Capture) -> None:
    assert hardware.run(None, machine("AuthenticAMD", AMD)) == 0
    assert capsys.readouterr().out == (
        "Feature                         Availability\n"
        "------------------------------  ------------------\n"
        "Number of CPUs > 1              ok\n"
        "Long mode                       ok\n"
        "4-level paging (no LA57)        ok\n"
        "AMD-V (SVM)                     ok\n"
        "  Nested paging (NPT)           ok\n"
        "  Next RIP saving               ok\n"
        "  Decode assists                missing (optional)\n"
        "  Flush by ASID                 missing (optional)\n"
        "  AVIC                          missing (optional)\n"
        "  Virtual GIF                   missing (optional)\n"
        "IOMMU (AMD-Vi)                  missing (optional)\n"
        "\n"
        "Check passed!\n"
    )


@pytest.mark.parametrize(
    ("found", "line"),
    [
        (machine("AuthenticAMD", "lm npt"), "AMD-V (SVM)                     MISSING"),
        (machine("AuthenticAMD", "lm svm"), "  Nested paging (NPT)           MISSING"),
        (machine("AuthenticAMD", "svm npt"), "Long mode                       MISSING"),
        (machine("AuthenticAMD", AMD + " la57"), "4-level paging (no LA57)        MISSING"),
        (machine("AuthenticAMD", AMD, cpus=1), "Number of CPUs > 1              MISSING"),
        (
            machine("AuthenticAMD", AMD, msrs={0xC0010114: 0x10}),
            "  SVM enabled by firmware       MISSING",
        ),
        (machine("VIA", AMD), "AMD or Intel CPU                MISSING"),
        (
            machine("GenuineIntel", INTEL, "ept", msrs=GOOD_MSRS),
            "  Unrestricted guest            MISSING",
        ),
        (
            machine("GenuineIntel", INTEL, INTEL_VMX, msrs={**GOOD_MSRS, 0x3A: 1}),
            "  VMX enabled by firmware       MISSING",
        ),
        (
            machine("GenuineIntel", INTEL, INTEL_VMX, msrs={**GOOD_MSRS, 0x480: 0}),
            "  True controls                 MISSING",
        ),
        (
            machine("GenuineIntel", INTEL, INTEL_VMX, msrs={**GOOD_MSRS, 0x48C: EPT_CAP & ~(1 << 26)}),
            "  INVEPT of all contexts        MISSING",
        ),
        (
            machine("GenuineIntel", INTEL, INTEL_VMX.removeprefix("vnmi"), msrs=GOOD_MSRS),
            "  Virtual NMIs                  MISSING",
        ),
    ],
)
def test_what_is_missing(found: Machine, line: str, capsys: Capture) -> None:
    assert hardware.run(None, found) == 2
    out = capsys.readouterr().out
    assert line in out.splitlines()
    assert out.endswith("\nCheck FAILED!\n")


@pytest.mark.parametrize("control", [0, 5])
def test_intel(control: int, capsys: Capture) -> None:
    msrs = {**GOOD_MSRS, 0x3A: control}
    assert hardware.run(None, machine("GenuineIntel", INTEL, INTEL_VMX, msrs=msrs)) == 0
    assert "  INVEPT of all contexts        ok\n" in capsys.readouterr().out


def test_tests_that_can_not_be_made(capsys: Capture) -> None:
    assert hardware.run(None, machine("GenuineIntel", INTEL, INTEL_VMX)) == 1
    out = capsys.readouterr().out
    assert "  EPT 2 MiB pages               skipped\n" in out
    assert "modprobe msr" in out


def test_missing_wins_over_skipped() -> None:
    assert hardware.run(None, machine("GenuineIntel", "lm", INTEL_VMX)) == 2


def test_other_architectures(capsys: Capture) -> None:
    assert hardware.run(None, Machine("aarch64")) == 1
    assert "aarch64" in capsys.readouterr().err


def test_configuration_with_iommu(tmp_path: Path, capsys: Capture) -> None:
    system = make_system()
    path = tmp_path / "root.cell"
    path.write_bytes(system.to_bytes())
    assert hardware.run(str(path), machine("AuthenticAMD", AMD)) == 0
    system.iommu_units[0] = Iommu(1, 0xFED80000, 0x80000)
    path.write_bytes(system.to_bytes())
    assert hardware.run(str(path), machine("AuthenticAMD", AMD)) == 2
    assert "IOMMU (AMD-Vi)                  MISSING\n" in capsys.readouterr().out
    found = machine("AuthenticAMD", AMD)
    found.iommu_tables = ("IVRS",)
    assert hardware.run(str(path), found) == 0


def test_file_that_is_no_system_configuration(tmp_path: Path, capsys: Capture) -> None:
    path = tmp_path / "demo.cell"
    path.write_bytes(make_cell().to_bytes())
    assert hardware.run(str(path), machine("AuthenticAMD", AMD)) == 1
    assert "this is a cell configuration" in capsys.readouterr().err


def test_this_machine_can_be_looked_at() -> None:
    found = Machine.this()
    assert found.cpuinfo
    assert hardware.features(found)
