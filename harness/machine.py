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

`QEMU_ARM64_GICV3` and `_GICV2` are QEMU's `virt`: RAM from 0x40000000, Linux in the
first 768 MiB of it. Besides RAM the root cell needs

==========  =======  =====  ====================================================
address     size     INTID  what
==========  =======  =====  ====================================================
0x09000000  0x1000   33     PL011, ttyAMA0: root console
0x09040000  0x1000   40     PL011, ttyAMA1: hypervisor console and default inmate
                            console; Linux binds it, and must not open it
0x0a003000  0x1000   77     virtio transport 29 (0x0a003a00): disk
                     78     virtio transport 30 (0x0a003c00): command channel
                     79     virtio transport 31 (0x0a003e00): network
==========  =======  =====  ====================================================

The command channel is a port of a virtio-serial device, as there is no third PL011;
in the guest /sys/class/virtio-ports tells its device node by name. The three devices
share the page 0x0a003000, so one region gives all of them to the root cell.

`BOCHS_X86` is the machine with VMX: Bochs's i440FX. No MSI, no MMCONFIG, no VT-d,
neither disk nor network. The command channel shares IRQ 4 with the hypervisor's
console, which is polled and never raises it; com4 would share the root console's.

=============  ====  =====  =====================================================
serial port    IRQ   Linux  role
=============  ====  =====  =====================================================
0x3f8          4     ttyS0  hypervisor console and default inmate console
0x2f8          3     ttyS1  root console
0x3e8          4     ttyS2  command channel
0x2e8          3     ttyS3  second inmate console; Linux must not open it
=============  ====  =====  =====================================================

RAM ends at 0x3ffeffff, ACPI tables follow; PM base 0xb000, PM timer 0xb008, HPET
0xfed00000, IOAPIC 0xfec00000 (id 2, 24 pins). PCI: PIIX3 IDE 00:01.1 (I/O
0xc000/16), UHCI 00:01.2 (0xc020/32, pin 11), ACPI 00:01.3 (SMBus 0xb100/16, pin 9),
NE2000 00:02.0 (0xc040/32, pin 10).
The UARTs power up in 5-bit mode.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from enum import StrEnum

from harness.devicetree import DeviceTree

#: Timer interrupts a second of Debian's kernels.
KERNEL_HZ = 250


class Role(StrEnum):
    """What a serial port is for."""

    ROOT_CONSOLE = "root-console"
    HYPERVISOR_CONSOLE = "hypervisor-console"
    INMATE_CONSOLE = "inmate-console"
    COMMAND_CHANNEL = "command-channel"


class Uart(StrEnum):
    """How a serial port comes into a machine."""

    #: A 16550 that is added at an ISA address.
    ISA = "isa"
    #: One of the board's own UARTs, in their order.
    BOARD = "board"
    #: A port of a virtio-serial device, no UART at all.
    VIRTIO = "virtio"


@dataclass(frozen=True)
class SerialPort:
    """A serial port. `roles[0]` names its stream and file.

    `base` is a port number or an MMIO address, `irq` an ISA interrupt or an
    INTID, `tty` what Linux calls it in /dev.
    """

    base: int
    irq: int
    tty: str
    roles: tuple[Role, ...]
    kind: Uart = Uart.ISA
    #: Which of the board's own UARTs it is, from 0; a machine lists them in this order.
    position: int = 0

    @property
    def name(self) -> str:
        return self.roles[0].value


@dataclass(frozen=True)
class MmioSlot:
    """One of the virtio transports of QEMU's `virt` machine, named explicitly so that
    adding a device moves none of the others."""

    index: int

    @classmethod
    def at(cls, base: int) -> MmioSlot:
        """The transport at that address."""
        return cls((base - 0x0A000000) // 0x200)

    @property
    def base(self) -> int:
        return 0x0A000000 + 0x200 * self.index

    @property
    def intid(self) -> int:
        return 48 + self.index


@dataclass(frozen=True)
class Nic:
    """A network card on user-mode networking: in a fixed PCI slot, in a virtio
    transport, or one of the board's own, counted from 0."""

    model: str
    slot: str | MmioSlot | int


@dataclass(frozen=True)
class Disk:
    """A disk on an AHCI port or a virtio transport; what a run writes to it is private
    to that run."""

    port: str | MmioSlot
    model: str = "ide-hd"
    #: What Linux calls it in /dev.
    device: str = "sda"


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

    @property
    def ram(self) -> int:
        """Where the machine's RAM begins."""
        return 0


@dataclass(frozen=True)
class TopOfMemory(Reservation):
    """A reservation where Linux takes no `memmap=`: it gets the first `linux` bytes of RAM."""

    linux: int = 0
    ram_start: int = 0

    @property
    def kernel_parameter(self) -> str:
        return f"mem={self.linux >> 20}M"

    @property
    def ram(self) -> int:
        return self.ram_start


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
    #: Bochs' NE2000 in slot 1 (00:02.0), connected to nothing: a PCI device that
    #: interrupts by INTx, and has no DMA.
    ne2k: bool = False
    #: QEMU's name of an IOMMU with its options.
    iommu: str | None = None
    #: Devices for programs on the bare machine: names and options of QEMU, behind all others.
    devices: tuple[str, ...] = ()
    #: Frequency of the TSC, told to Linux: a loaded host once calibrated a sixth of it.
    tsc_khz: int | None = None
    #: First port of ACPI's power management (x86); its timer is at +8.
    pm_base: int | None = None
    #: For boards: QEMU's `virt` makes its own.
    device_tree: DeviceTree | None = None
    #: What `machine` and `cpu` need on top with counted time: the same in every run, and
    #: a counter that ticks once a nanosecond.
    counted_machine: str = ""
    counted_cpu: str = ""
    #: Seconds from start to the agent's answer that are too many, on an idle host.
    boot_limit: float = 45.0
    #: Kernel parameters this machine needs, whatever the image.
    kernel_parameters: tuple[str, ...] = ()
    #: False: no checkpoints, as its devices are not what they were after a restore.
    restorable: bool = True
    #: A command for its Linux, once, when it is up.
    after_boot: str = ""

    def serial(self, role: Role) -> SerialPort:
        """The first serial port with that role; KeyError if there is none."""
        for port in self.serials:
            if role in port.roles:
                return port
        raise KeyError(f"{self.name} has no {role.value}")

    @property
    def own_console(self) -> SerialPort | None:
        """The port that inmates need not share with the hypervisor, if there is one."""
        for port in self.serials:
            if port.roles == (Role.INMATE_CONSOLE,):
                return port
        return None

    def counted(self) -> MachineSpec:
        """The same machine for counted time."""
        return replace(
            self,
            machine=self.machine + self.counted_machine,
            cpu=self.cpu + self.counted_cpu,
            tsc_khz=self.tsc_khz and 1_000_000,
            # A Linux that uses its TSC measures it once more, and finds 1 GHz or 1 kHz less,
            # by what the boot did before; cells are told what it found.
            kernel_parameters=tuple(
                word for word in self.kernel_parameters if word != "tsc=reliable"
            ),
        )

    @property
    def memory(self) -> range:
        """Physical addresses from RAM's begin to the end of it or of the reservation behind."""
        kept = self.reservation
        start = kept.ram if kept else 0
        end = start + (self.memory_mib << 20)
        return range(start, max(end, kept.start + kept.size if kept else 0))

    def command_line(self) -> tuple[str, ...]:
        """Kernel parameters that follow from the hardware and its roles."""
        console = self.serial(Role.ROOT_CONSOLE)
        agent = self.serial(Role.COMMAND_CHANNEL)
        line = [f"console={console.tty},115200", f"jailhouse.agent={agent.tty}"]
        if self.reservation is not None:
            line.append(self.reservation.kernel_parameter)
        if self.tsc_khz is not None:
            line.append(f"tsc_early_khz={self.tsc_khz}")
            # Jiffies of the delay loop: measuring them takes half a second, and fails on a
            # loaded host.
            line.append(f"lpj={self.tsc_khz * 1000 // KERNEL_HZ}")
        return (*line, *self.kernel_parameters)


# TCG executes "fast" string instructions a byte at a time and counts each: without ERMS
# Linux stores words, an eighth of that, as it does on the CPUs that TCG resembles in speed.
# Both features go, or Linux 6.1 does not come up.
QEMU_X86 = MachineSpec(
    name="qemu-x86",
    architecture="x86",
    machine="q35",
    cpu="max,-la57,-erms,-fsrm",
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
    pm_base=0x600,
    # no_timer_check: a loaded host panics in setup_IO_APIC without it.
    # tsc=reliable: all CPUs read one counter, but theirs is not marked constant, so Linux
    # would read the HPET instead, an access to a device under a lock.
    # cpu_init_udelay: to Linux a CPU of AMD's family 6 needs 10 ms after INIT.
    kernel_parameters=(
        "intel_iommu=off", "amd_iommu=off", "no_timer_check", "tsc=reliable", "cpu_init_udelay=0",
    ),
)

#: GICv3 and GICv2 differ in one word. No ITS: Linux would touch it when a CPU comes
#: back, and no configuration lists it.
_QEMU_ARM64 = MachineSpec(
    name="qemu-arm64",
    architecture="arm64",
    machine="virt,virtualization=on,its=off",
    cpu="cortex-a57",
    cpus=4,
    memory_mib=1024,
    serials=(
        SerialPort(0x09000000, 33, "ttyAMA0", (Role.ROOT_CONSOLE,), Uart.BOARD),
        SerialPort(
            0x09040000, 40, "ttyAMA1", (Role.HYPERVISOR_CONSOLE, Role.INMATE_CONSOLE),
            Uart.BOARD, 1,
        ),
        SerialPort(
            MmioSlot(30).base, MmioSlot(30).intid, "command-channel",
            (Role.COMMAND_CHANNEL,), Uart.VIRTIO,
        ),
    ),
    reservation=TopOfMemory(0x70000000, 256 << 20, linux=768 << 20, ram_start=0x40000000),
    nics=(Nic("virtio-net-device", MmioSlot(31)),),
    disks=(Disk(MmioSlot(29), "virtio-blk-device", "vda"),),
    counted_machine=",dtb-randomness=off",
    counted_cpu=",cntfrq=1000000000",
    # Without it 6.12 keeps KVM's vectors installed and EL2 cannot be entered.
    kernel_parameters=("kvm-arm.mode=none",),
)  # fmt: skip
QEMU_ARM64_GICV3 = replace(
    _QEMU_ARM64, name="qemu-arm64-gicv3", machine=f"{_QEMU_ARM64.machine},gic-version=3"
)
QEMU_ARM64_GICV2 = replace(
    _QEMU_ARM64, name="qemu-arm64-gicv2", machine=f"{_QEMU_ARM64.machine},gic-version=2"
)

BOCHS_X86 = MachineSpec(
    name="bochs-x86",
    architecture="x86",
    machine="i440fx",
    cpu="corei7_haswell_4770",
    cpus=2,
    memory_mib=1024,
    serials=(
        SerialPort(0x3F8, 4, "ttyS0", (Role.HYPERVISOR_CONSOLE, Role.INMATE_CONSOLE)),
        SerialPort(0x2F8, 3, "ttyS1", (Role.ROOT_CONSOLE,)),
        SerialPort(0x3E8, 4, "ttyS2", (Role.COMMAND_CHANNEL,)),
        SerialPort(0x2E8, 3, "ttyS3", (Role.INMATE_CONSOLE,)),
    ),
    reservation=Reservation(0x3A000000, 82 << 20),
    # One tick an instruction: engines.bochs.INSTRUCTIONS_PER_SECOND.
    tsc_khz=20_000,
    pm_base=0xB000,
    ne2k=True,
    # Thirty seconds of a host CPU that it has for itself.
    boot_limit=150.0,
    # With high-resolution timers or without its tick, SMP stalled there. Its ACPI tables
    # name no register for a reset; the keyboard controller's is refused (abi.md 10.3).
    kernel_parameters=("no_timer_check", "nohz=off", "highres=off", "reboot=pci"),
    # Linux disables the links of PCI interrupts that no driver uses. On this machine
    # ACPI's own interrupt comes over one, INTA of 00:01.3: it is 9, as the tables say;
    # INTA of 00:02.0 becomes 10, which nobody else has.
    after_boot=(
        "printf '\\011\\012' | dd of=/sys/bus/pci/devices/0000:00:01.0/config "
        "bs=1 seek=96 conv=notrunc 2>/dev/null"
    ),
)

#: The reference machine with VT-d and interrupt remapping, for nested KVM. The device
#: is on no bus that Linux enumerates: everything else is where it is without it.
INTEL_X86 = replace(
    QEMU_X86,
    name="qemu-x86-vtd",
    iommu="intel-iommu,intremap=on",
    tsc_khz=None,
)

#: The board's UARTs are all it has: the agent talks on Linux' console, which therefore
#: has no shell. No firmware runs in this emulator that would answer for clocks, power
#: and pins.
ZCU102 = MachineSpec(
    name="zynqmp-zcu102",
    architecture="arm64",
    machine="xlnx-zcu102,virtualization=on,audiodev=audio0",
    cpu="cortex-a53",
    cpus=4,
    memory_mib=4096,
    serials=(
        SerialPort(
            0xFF000000, 53, "ttyPS0", (Role.ROOT_CONSOLE, Role.COMMAND_CHANNEL), Uart.BOARD
        ),
        SerialPort(
            0xFF010000, 54, "ttyPS1", (Role.HYPERVISOR_CONSOLE, Role.INMATE_CONSOLE),
            Uart.BOARD, 1,
        ),
    ),
    reservation=TopOfMemory(0x800000000, 256 << 20, linux=2 << 30),
    device_tree=DeviceTree(
        "xilinx/zynqmp-zcu102-rev1.0.dtb",
        disabled=("zynqmp-firmware",),
        without=(
            "power-domains", "pinctrl-names", "pinctrl-0", "pinctrl-1", "iommus", "resets",
            "reset-names", "reset-gpios", "assigned-clocks", "assigned-clock-rates",
        ),
        clocked=("serial@ff000000", "serial@ff010000", "ethernet@ff0e0000"),
        # The emulated card's PHY answers there only.
        changed=(("ethernet-phy@c", "reg", 23),),
    ),
    nics=(Nic("cadence_gem", 3),),
    kernel_parameters=("kvm-arm.mode=none",),
)

#: UART 1 is nobody's, UART 4 the hypervisor's: Linux does not know it. Blocks that the
#: emulator lacks are off: their drivers fail with a page of warnings each.
IMX8MP = MachineSpec(
    name="imx8mp",
    architecture="arm64",
    machine="imx8mp-evk",
    cpu="cortex-a53",
    cpus=4,
    memory_mib=4096,
    serials=(
        SerialPort(0x30890000, 59, "ttymxc1", (Role.ROOT_CONSOLE,), Uart.BOARD, 1),
        SerialPort(0x30880000, 60, "ttymxc2", (Role.COMMAND_CHANNEL,), Uart.BOARD, 2),
        SerialPort(
            0x30A60000, 61, "none", (Role.HYPERVISOR_CONSOLE, Role.INMATE_CONSOLE),
            Uart.BOARD, 3,
        ),
    ),
    reservation=TopOfMemory(0xC0000000, 256 << 20, linux=2 << 30, ram_start=0x40000000),
    device_tree=DeviceTree(
        "freescale/imx8mp-evk.dtb",
        enabled=("serial@30880000",),
        disabled=(
            "blk-ctrl@38330000", "blk-ctrl@32f10000",
            "blk-ctrl@32ec0000",
        ),
        # CoreSight, whose ids Linux looks for again and again as nothing answers; no
        # root cell should have what stops other CPUs.
        disabled_if_there=(
            *(f"etm@28{n}40000" for n in (4, 5, 6, 7)),
            "funnel@28c03000", "etf@28c04000", "etr@28c06000",
        ),
        # The card's address is in fuses, whose driver is a module of none of ours.
        without=("dmas", "dma-names", "nvmem-cells", "nvmem-cell-names"),
    ),
    nics=(Nic("imx.enet", 0),),
    # iomem=relaxed: for what follows, as a driver has these registers.
    kernel_parameters=("kvm-arm.mode=none", "iomem=relaxed"),
    # A UART interrupts when few bytes in its receiver have aged (UCR2.ATEN), and the
    # emulated one can keep that interrupt up for ever: Linux switches the port off. So
    # nothing ages, and the first byte interrupts (UFCR.RXTL), not the eighth. Linux
    # sets both when a port is opened, and these two stay open.
    after_boot=(
        "for uart in 0x30880000 0x30890000; do "
        "ucr2=$((uart + 0x84)) ufcr=$((uart + 0x90)); "
        "busybox devmem $ufcr 32 $(($(busybox devmem $ufcr 32) & ~0x3f | 1)); "
        "busybox devmem $ucr2 32 $(($(busybox devmem $ucr2 32) & ~8)); "
        "done"
    ),
    # The emulator's state of a UART lacks some of its registers.
    restorable=False,
)  # fmt: skip

MACHINES: dict[str, MachineSpec] = {
    machine.name: machine
    for machine in (
        QEMU_X86, INTEL_X86, QEMU_ARM64_GICV3, QEMU_ARM64_GICV2, BOCHS_X86, ZCU102, IMX8MP,
    )
}
