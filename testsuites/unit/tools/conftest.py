# SPDX-License-Identifier: GPL-2.0-only
"""Valid configurations to start from, and compiled ones."""

from __future__ import annotations

import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from jailhouse import hints, loads, sysfs
from jailhouse.cellfile import (
    CellConfig,
    Console,
    ConsoleType,
    Irqchip,
    MemFlag,
    Memory,
    PciCapability,
    PciDevice,
    PciType,
    PioRange,
    SystemConfig,
    X86Platform,
)

from .fakes import Driver, Tree

REPOSITORY = Path(__file__).parents[3]
INCLUDE = REPOSITORY / "include"
CFLAGS = ["-Wall", "-Wextra", "-Werror", "-std=gnu11", f"-I{INCLUDE}"]

RWX = MemFlag.READ | MemFlag.WRITE | MemFlag.EXECUTE
IOAPIC = 0xFEC00000


def make_system() -> SystemConfig:
    """An x86 machine with 1 GiB that has nothing to complain about."""
    root = CellConfig(name="root", console=Console())
    root.set_cpus(range(4))
    root.mem_regions = [
        Memory(0, 0, 0x3A000000, RWX | MemFlag.DMA),
        Memory(0x3A600000, 0x3A600000, 0x5A00000, RWX | MemFlag.DMA),
    ]
    root.irqchips = [Irqchip(IOAPIC, 0, 0, [0xFFFFFF, 0, 0, 0])]
    root.pio_regions = [PioRange(0x40, 4), PioRange(0x3F8, 8)]
    root.pci_devices = [
        PciDevice(
            type=PciType.DEVICE,
            bdf=0xD8,
            num_caps=2,
            num_msi_vectors=1,
            num_msix_vectors=4,
            msix_address=0xFEBE0000,
            msix_region_size=0x1000,
        )
    ]
    root.pci_caps = [PciCapability(0x05, 0x60, 14, 1), PciCapability(0x11, 0x80, 12, 1)]
    return SystemConfig(
        root_cell=root,
        flags=1,
        hypervisor_memory=Memory(0x3A000000, 0, 0x600000, 0),
        debug_console=Console(address=0x3F8, type=ConsoleType.UART_8250),
        pci_mmconfig_base=0xB0000000,
        pci_mmconfig_end_bus=0xFF,
        platform=X86Platform(pm_timer_address=0x608),
    )


def make_cell(name: str = "demo", cpu: int = 2, phys: int = 0x3EF00000) -> CellConfig:
    """A cell that has nothing to complain about on make_system()'s machine."""
    cell = CellConfig(
        name=name,
        msg_reply_timeout=1000000,
        console=Console(address=0x3F8, type=ConsoleType.UART_8250),
    )
    cell.set_cpus([cpu])
    cell.mem_regions = [
        Memory(phys, 0, 0x100000, RWX | MemFlag.LOADABLE),
        Memory(0, 0x100000, 0x1000, MemFlag.READ | MemFlag.WRITE | MemFlag.COMM_REGION),
    ]
    cell.pio_regions = [PioRange(0x3F8, 8)]
    return cell


@pytest.fixture
def system() -> SystemConfig:
    return make_system()


@pytest.fixture
def cell() -> CellConfig:
    return make_cell()


@pytest.fixture
def tree(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Tree:
    """A fake sysfs tree that the tools read instead of the real one."""
    monkeypatch.setattr(sysfs, "ROOT", str(tmp_path / "sysfs"))
    return Tree(tmp_path / "sysfs")


@pytest.fixture
def driver(tree: Tree, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Driver:
    fake = Driver()
    fake.install(monkeypatch, tmp_path)
    monkeypatch.setattr(loads, "RUN", str(tmp_path / "run"))
    monkeypatch.setattr(hints, "PROC", tmp_path / "proc")
    monkeypatch.setattr(hints, "CPU_ONLINE", tmp_path / "online")
    (tmp_path / "proc").mkdir()
    monkeypatch.chdir(tmp_path)
    return fake


Compile = Callable[[str], bytes]


@pytest.fixture
def compile_config(tmp_path: Path) -> Compile:
    """Compiles a configuration's C source into the bytes of its .cell file."""

    def compile_source(source: str) -> bytes:
        (tmp_path / "config.c").write_text(source)
        # A configuration may be a variant of another one.
        flags = [*CFLAGS, f"-I{REPOSITORY / 'configs/x86'}", "-ffreestanding", "-c", "-o", "config.o", "config.c"]
        subprocess.run(["gcc", *flags], cwd=tmp_path, check=True)
        command = ["objcopy", "-O", "binary", "--remove-section=.note.gnu.property"]
        subprocess.run([*command, "config.o", "config.cell"], cwd=tmp_path, check=True)
        return (tmp_path / "config.cell").read_bytes()

    return compile_source


Probe = Callable[[list[str]], list[int]]


@pytest.fixture
def c_values(tmp_path: Path) -> Probe:
    """Evaluates C expressions with the public headers included."""

    def evaluate(expressions: list[str]) -> list[int]:
        prints = "\n".join(
            f'\tprintf("%llu\\n", (unsigned long long)({text}));' for text in expressions
        )
        (tmp_path / "probe.c").write_text(
            "#include <stddef.h>\n#include <stdio.h>\n#include <jailhouse/cell-config.h>\n"
            f"int main(void)\n{{\n{prints}\n\treturn 0;\n}}\n"
        )
        flags = [*CFLAGS, "-DJAILHOUSE_HOST_BUILD", "-o", "probe", "probe.c"]
        subprocess.run(["gcc", *flags], cwd=tmp_path, check=True)
        run = subprocess.run([tmp_path / "probe"], check=True, capture_output=True, text=True)
        return [int(line) for line in run.stdout.split()]

    return evaluate
