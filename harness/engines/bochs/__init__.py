# SPDX-License-Identifier: GPL-2.0-only
"""Bochs: renders a machine as a bochsrc (a pure function, golden-tested).

platforms.md section 2 says where the settings come from: without them 2.7 stops,
or SMP stalls.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from harness.engines import Clock, Engine
from harness.engines.bochs.rom import INITRD_ADDRESS, ROM_ADDRESS
from harness.errors import Unsupported
from harness.machine import MachineSpec

#: Instructions a second of guest time, and with it the TSC's frequency.
INSTRUCTIONS_PER_SECOND = 20_000_000
#: ISA addresses and IRQs of com1 to com4.
COM_PORTS = {(0x3F8, 4): 1, (0x2F8, 3): 2, (0x3E8, 4): 3, (0x2E8, 3): 4}


@dataclass(frozen=True)
class Memory:
    """A file that lies in guest memory from the start."""

    file: Path
    address: int


@dataclass(frozen=True)
class Boot:
    """What is started: `boot.S` as an option ROM, and what it enters."""

    rom: Path
    kernel: Memory
    initrd: Path


def render(spec: MachineSpec, engine: Engine, boot: Boot, ports: Mapping[str, int]) -> str:
    """The bochsrc that runs `spec`.

    `ports` maps names of serial ports to TCP ports on 127.0.0.1 where somebody
    listens already: Bochs connects, so that no port is fixed and none can be
    taken. Unsupported if Bochs has no such machine.
    """
    _check(spec, engine)
    lines = [
        "plugin_ctrl: unmapped=1, biosdev=1, speaker=0, extfpuirq=1, serial=1, iodebug=1",
        "config_interface: textconfig",
        'display_library: rfb, options="timeout=0"',
        f"memory: guest={spec.memory_mib}, host={spec.memory_mib}",
        "romimage: file=$BXSHARE/BIOS-bochs-latest",
        "vgaromimage: file=$BXSHARE/VGABIOS-lgpl-latest",
        f"cpu: model={spec.cpu}, count={spec.cpus}, ips={INSTRUCTIONS_PER_SECOND}, quantum=16, "
        "reset_on_triple_fault=0, ignore_bad_msrs=1",
        "clock: sync=none, time0=1600000000",
        *_pci(spec),
        *_serials(spec, ports),
        "panic: action=fatal",
        "log: bochs.log",
        f"optromimage1: file={boot.rom}, address={ROM_ADDRESS:#x}",
        f"optramimage1: file={boot.kernel.file}, address={boot.kernel.address:#x}",
        f"optramimage2: file={boot.initrd}, address={INITRD_ADDRESS:#x}",
    ]
    return "\n".join(lines) + "\n"


def _pci(spec: MachineSpec) -> list[str]:
    line = f"pci: enabled=1, chipset={spec.machine}"
    if not spec.ne2k:
        return [line]
    return [f"{line}, slot1=ne2k", "ne2k: card=0, type=pci, mac=52:54:00:12:34:56, ethmod=null"]


def _check(spec: MachineSpec, engine: Engine) -> None:
    for what, there in (
        ("network card", spec.nics),
        ("disk", spec.disks),
        ("HDA controller", spec.audio),
        ("counted time", engine.clock is not Clock.WALL),
    ):
        if there:
            raise Unsupported(f"{spec.name}: no {what} in a Bochs machine of ours")


def _serials(spec: MachineSpec, ports: Mapping[str, int]) -> list[str]:
    lines = []
    for port in spec.serials:
        number = COM_PORTS.get((port.base, port.irq))
        if number is None:
            raise Unsupported(f"{spec.name}: Bochs has no UART at {port.base:#x}, IRQ {port.irq}")
        address = f"127.0.0.1:{ports[port.name]}"
        lines.append(f"com{number}: enabled=1, mode=socket-client, dev={address}")
    return sorted(lines)
