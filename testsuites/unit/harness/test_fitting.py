# SPDX-License-Identifier: GPL-2.0-only
"""Cells get the CPUs that there are, and keep everything else."""

from dataclasses import replace
from pathlib import Path

import pytest

from harness.artifacts import build_root
from harness.fitting import fitted
from harness.machine import BOCHS_X86, QEMU_X86
from harness.targets import TARGETS
from jailhouse.cellfile import CellConfig, PioRange, SystemConfig


@pytest.fixture
def apic_demo(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("JAILHOUSE_CACHE", str(tmp_path / "cache"))
    config = CellConfig.from_file(build_root() / "configs/x86/apic-demo.cell")
    assert config.cpus == [3]
    config.pio_regions += [PioRange(base=0x3E8, length=8), PioRange(base=0x600, length=4)]
    path = tmp_path / "apic-demo.cell"
    path.write_bytes(config.to_bytes())
    return path


def test_one_cpu_becomes_the_last_that_there_is(apic_demo: Path) -> None:
    (made,) = fitted([apic_demo], BOCHS_X86)
    assert made.name == apic_demo.name
    config = CellConfig.from_file(made)
    assert config.cpus == [1]
    assert [ports.base for ports in config.pio_regions] == [0x3F8, 0x2E8, 0xB000]
    config.set_cpus([3])
    config.pio_regions[1].base = 0x3E8
    config.pio_regions[2].base = 0x600
    assert config.to_bytes() == apic_demo.read_bytes()
    assert fitted([apic_demo], BOCHS_X86) == (made,)


def test_what_fits_is_left_alone(apic_demo: Path) -> None:
    assert fitted([apic_demo], QEMU_X86) == (apic_demo,)


def test_several_cpus_are_left_alone(apic_demo: Path) -> None:
    config = CellConfig.from_file(apic_demo)
    config.set_cpus([1, 2, 3])
    config.pio_regions.clear()
    apic_demo.write_bytes(config.to_bytes())
    assert fitted([apic_demo], BOCHS_X86) == (apic_demo,)


def test_system_configurations_are_left_alone() -> None:
    path = build_root() / "configs/x86/qemu-x86.cell"
    assert fitted([path], BOCHS_X86) == (path,)


def test_the_root_cell_has_the_cpus_of_its_machine() -> None:
    """And is else as it was; other machines' configurations stay away from it."""
    path = build_root() / "configs/x86/bochs-x86.cell"
    assert fitted([path], BOCHS_X86) == (path,)
    (made,) = fitted([path], replace(BOCHS_X86, cpus=4))
    config = SystemConfig.from_file(made)
    assert config.root_cell.cpus == [0, 1, 2, 3]
    config.root_cell.set_cpus([0, 1])
    assert config.to_bytes() == path.read_bytes()


def test_programs_know_their_cpu() -> None:
    assert TARGETS["amd-tcg"].programs.timer.cpu == 3
    assert TARGETS["intel-bochs"].programs.timer.cpu == 1
    assert TARGETS["intel-bochs"].programs.small.cpu == 1
