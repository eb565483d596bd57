# SPDX-License-Identifier: GPL-2.0-only
"""Hardware as data: what a machine consists of, not how it is started.

`QEMU_X86` is the reference machine. What Linux sees of it (I/O ports, BARs,
capabilities) depends on this very set of devices: adding one moves the BARs of
the others, and with them the root cell's configuration. Facts measured on it:

=============  ====  =====  =====================================================
serial port    IRQ   Linux  role
=============  ====  =====  =====================================================
0x3f8          4     ttyS0  hypervisor console and default inmate console;
                            Linux must not open it
0x2f8          3     ttyS1  root console
0x3e8          4     ttyS2  second inmate console; Linux must not open it
0x2e8          5     ttyS3  command channel
=============  ====  =====  =====================================================

The command channel is an ISA port with an interrupt of its own (5): ACPI
announces it and Linux 6.1 and 6.12 bind it through PNP. COM4's classic IRQ 3
would be shared with the root console (edge-triggered: lost interrupts), and a
PCI port would move every BAR.

The root cell needs the ports 0x2f8-0x2ff and 0x2e8-0x2ef, and IOAPIC pins 3
and 5, besides the PCI devices: e1000e 00:02.0 (BARs 0xfeba0000/128K,
0xfebc0000/128K, 0xfebe0000/16K with the MSI-X table in its first page and the
PBA at +0x2000; I/O 0xc040/32), HDA 00:1b.0 (0xfebe4000/16K), AHCI 00:1f.2
(0xfebe8000/4K; I/O 0xc060/32), SMBus 00:1f.3 (I/O 0x700/64).
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class Role(StrEnum):
    """What a serial port is for."""

    ROOT_CONSOLE = "root-console"
    HYPERVISOR_CONSOLE = "hypervisor-console"
    INMATE_CONSOLE = "inmate-console"
    COMMAND_CHANNEL = "command-channel"


@dataclass(frozen=True)
class SerialPort:
    """A 16550 at an ISA address. `roles[0]` names its stream and file."""

    base: int
    irq: int
    tty: str
    roles: tuple[Role, ...]

    @property
    def name(self) -> str:
        return self.roles[0].value


@dataclass(frozen=True)
class Nic:
    """A network card in a fixed PCI slot, on user-mode networking."""

    model: str
    slot: str


@dataclass(frozen=True)
class Disk:
    """A disk on an AHCI port; what a run writes to it is private to that run."""

    port: str


@dataclass(frozen=True)
class Audio:
    """An Intel HDA controller with a codec (needed for its MSI)."""

    slot: str
    codec: str


@dataclass(frozen=True)
class Reservation:
    """Physical memory kept from Linux for the hypervisor and its cells."""

    start: int
    size: int

    @property
    def kernel_parameter(self) -> str:
        return f"memmap={self.size >> 20}M${self.start:#x}"


@dataclass(frozen=True)
class MachineSpec:
    """One machine. Sizes in MiB, addresses in bytes."""

    name: str
    architecture: str
    machine: str
    cpu: str
    cpus: int
    memory_mib: int
    serials: tuple[SerialPort, ...]
    reservation: Reservation | None
    nics: tuple[Nic, ...] = ()
    disks: tuple[Disk, ...] = ()
    audio: Audio | None = None
    #: Frequency of the TSC, told to Linux: a loaded host once calibrated a sixth of it.
    tsc_khz: int | None = None
    #: Kernel parameters this machine needs, whatever the image.
    kernel_parameters: tuple[str, ...] = ()

    def serial(self, role: Role) -> SerialPort:
        """The first serial port with that role; KeyError if there is none."""
        for port in self.serials:
            if role in port.roles:
                return port
        raise KeyError(f"{self.name} has no {role.value}")

    def command_line(self) -> tuple[str, ...]:
        """Kernel parameters that follow from the hardware and its roles."""
        console = self.serial(Role.ROOT_CONSOLE)
        agent = self.serial(Role.COMMAND_CHANNEL)
        line = [f"console={console.tty},115200", f"jailhouse.agent={agent.tty}"]
        if self.reservation is not None:
            line.append(self.reservation.kernel_parameter)
        if self.tsc_khz is not None:
            line.append(f"tsc_early_khz={self.tsc_khz}")
        return (*line, *self.kernel_parameters)


QEMU_X86 = MachineSpec(
    name="qemu-x86",
    architecture="x86",
    machine="q35",
    cpu="max,-la57",
    cpus=4,
    memory_mib=1024,
    serials=(
        SerialPort(0x3F8, 4, "ttyS0", (Role.HYPERVISOR_CONSOLE, Role.INMATE_CONSOLE)),
        SerialPort(0x2F8, 3, "ttyS1", (Role.ROOT_CONSOLE,)),
        SerialPort(0x3E8, 4, "ttyS2", (Role.INMATE_CONSOLE,)),
        SerialPort(0x2E8, 5, "ttyS3", (Role.COMMAND_CHANNEL,)),
    ),
    reservation=Reservation(0x3A000000, 82 << 20),
    nics=(Nic("e1000e", "02.0"),),
    disks=(Disk("ide.0"),),
    audio=Audio("1b.0", "hda-duplex"),
    tsc_khz=2_596_000,
    # no_timer_check: a loaded host panics in setup_IO_APIC without it.
    kernel_parameters=("intel_iommu=off", "amd_iommu=off", "no_timer_check"),
)

MACHINES: dict[str, MachineSpec] = {QEMU_X86.name: QEMU_X86}
