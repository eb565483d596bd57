# SPDX-License-Identifier: GPL-2.0-only
"""The machine: hypervisor memory, PM timer, IOMMUs, interrupt controller, consoles."""

from __future__ import annotations

from jailhouse.cellfile import (
    Architecture,
    ArmPlatform,
    CellConfig,
    Console,
    ConsoleFlag,
    ConsoleType,
    IommuType,
    MemFlag,
    SystemFlag,
    X86Platform,
)
from jailhouse.cellfile.constants import PAGE_SIZE, ApicMode
from jailhouse.check.base import (
    Check,
    ConfigSet,
    Range,
    Result,
    error,
    phys,
    unknown_bits,
    virt,
    warning,
)

_HUGE_PAGE = 2 << 20
_PORTS = 0x10000
_INTERCEPTED_PORTS = (
    ("the PCI configuration ports", Range(0xCF8, 0xD00)),
    ("the keyboard controller", Range(0x60, 0x65)),
    ("the POST code port", Range(0x80, 0x81)),
)
_UART_PORTS = 8
_MAX_INTERRUPTS = 32768


def _hypervisor_memory(configs: ConfigSet) -> Result:
    memory = configs.system.hypervisor_memory
    if memory.size == 0:
        yield error("hypervisor memory is empty")
        return
    if memory.phys_end > 1 << 64:
        yield error(f"hypervisor memory {memory.phys_start:#x} + {memory.size:#x} overflows")
    if memory.phys_start % PAGE_SIZE or memory.size % PAGE_SIZE:
        yield error(f"hypervisor memory ({phys(memory)}) is not page-aligned")
    elif memory.phys_start % _HUGE_PAGE:
        message = f"hypervisor memory starts at {memory.phys_start:#x}, not at a 2 MiB boundary"
        if configs.system.architecture == Architecture.ARM64:
            yield error(message)
        else:
            yield warning(message)
    if memory.virt_start or memory.flags:
        yield warning("hypervisor memory: virt_start and flags are ignored, should be 0")


def _pm_timer(configs: ConfigSet) -> Result:
    platform = configs.system.platform
    if not isinstance(platform, X86Platform):
        return
    port = platform.pm_timer_address
    if port == 0:
        yield warning("pm_timer_address is 0: delays of cells that use the PM timer never end")
        return
    if port > 0xFFFC:
        yield error(f"pm_timer_address {port:#x}: the timer takes 4 ports, 0xfffc is the last")
    timer = Range(port, port + 4)
    for name, ports in _INTERCEPTED_PORTS:
        if timer.overlaps(ports):
            yield error(
                f"pm_timer_address {port:#x}: every cell gets ports {timer}, "
                f"but {name} ({ports}) must stay intercepted"
            )
    console = configs.system.debug_console
    if uses_ports(console) and timer.overlaps(uart_ports(console)):
        yield error(f"pm_timer_address {port:#x} is inside the debug console {console.address:#x}")


def _platform(configs: ConfigSet) -> Result:
    system, platform = configs.system, configs.system.platform
    unknown = unknown_bits(system.flags, SystemFlag)
    if unknown:
        yield warning(f"unknown system flags {unknown:#x}")
    if system.pci_mmconfig_base % (1 << 20):
        yield error(f"pci_mmconfig_base {system.pci_mmconfig_base:#x} is not 1 MiB aligned")
    if system.pci_mmconfig_base + system.mmconfig_size > 1 << 64:
        yield error(f"pci_mmconfig_base {system.pci_mmconfig_base:#x}: the window overflows")
    if system.pci_is_virtual > 1:
        yield warning(f"pci_is_virtual is {system.pci_is_virtual}, should be 0 or 1")
    if isinstance(platform, ArmPlatform):
        if platform.gic_version not in (2, 3):
            yield error(f"gic_version is {platform.gic_version}, must be 2 or 3")
        if not 16 <= platform.maintenance_irq <= 31:
            yield warning(f"maintenance_irq {platform.maintenance_irq} is no PPI (16 to 31)")
    elif platform.apic_mode > max(ApicMode):
        yield error(f"apic_mode is {platform.apic_mode}, known are 0 auto, 1 xAPIC, 2 x2APIC")


def _iommus(configs: ConfigSet) -> Result:
    units = configs.system.iommus
    x86_types = (IommuType.AMD, IommuType.INTEL)
    for index, unit in enumerate(units):
        name = f"IOMMU unit {index} (type {unit.type})"
        if (unit.type in x86_types) != configs.is_x86 or unit.type not in tuple(IommuType)[1:]:
            yield error(f"{name}: not a type that exists on this architecture")
            continue
        if unit.type != units[0].type and configs.is_x86:
            yield error(f"{name}: differs from unit 0; one machine has one vendor's units")
        if unit.size == 0 or unit.base % PAGE_SIZE:
            yield error(f"{name}: base {unit.base:#x} size {unit.size:#x} is no register window")
        elif unit.type == IommuType.AMD and unit.size & (unit.size - 1):
            yield error(f"{name}: size {unit.size:#x} is no power of two")
    for index, unit in enumerate(configs.system.iommu_units[len(units) :], len(units)):
        if unit.base:
            yield warning(f"IOMMU unit {index} is ignored: an empty slot ends the list before it")
    if configs.is_x86 and units and units[0].type == IommuType.INTEL:
        yield from _interrupt_remapping(configs)


def _interrupt_remapping(configs: ConfigSet) -> Result:
    """Entries of the remapping table: as many as IOAPICs have pins, and devices messages."""
    platform = configs.system.platform
    assert isinstance(platform, X86Platform)
    limit = platform.vtd_interrupt_limit
    if limit == 0:
        yield warning("vtd_interrupt_limit is 0: devices can forge interrupts")
        return
    if limit > _MAX_INTERRUPTS:
        yield error(f"vtd_interrupt_limit is {limit}, at most {_MAX_INTERRUPTS} are possible")
    root = configs.system.root_cell
    pins = {chip.address: max(chip.pins, default=-1) + 1 for chip in root.irqchips}
    messages = (max(d.num_msi_vectors, d.num_msix_vectors) for d in root.pci_devices)
    needed = sum(pins.values()) + sum(messages)
    if needed > 1 << (limit - 1).bit_length():
        yield error(f"vtd_interrupt_limit is {limit}, the root cell needs {needed}")
    for chip in root.irqchips:
        if chip.id >> 16 >= len(configs.system.iommus):
            yield error(f"IOAPIC {chip.address:#x}: id {chip.id:#x} names a unit that is not there")
    for cell in configs.others:
        for chip in cell.irqchips:
            last = max(chip.pins, default=-1)
            if chip.address in pins and last >= pins[chip.address]:
                yield error(f"IOAPIC {chip.address:#x}: pin {last} is beyond the root cell's", cell)


def uses_ports(console: Console) -> bool:
    is_uart = console.type == ConsoleType.UART_8250
    return is_uart and not console.flags & ConsoleFlag.MMIO


def uart_ports(console: Console) -> Range:
    return Range(console.address, console.address + _UART_PORTS)


def _console_record(configs: ConfigSet, name: str, console: Console) -> Result:
    if console.type not in tuple(ConsoleType):
        yield error(f"{name}: unknown type {console.type}")
        return
    if console.type == ConsoleType.NONE:
        return
    if configs.is_x86:
        if console.type > ConsoleType.UART_8250:
            yield error(f"{name}: type {console.type} is not available on x86")
    elif console.type == ConsoleType.EFIFB:
        yield error(f"{name}: the EFI framebuffer is only available on x86")
    elif not console.flags & ConsoleFlag.MMIO:
        yield error(f"{name}: ARM has no port I/O, flag bit 0 (MMIO) must be set")
    if uses_ports(console) and configs.is_x86 and uart_ports(console).end > _PORTS:
        yield error(f"{name}: port {console.address:#x} is beyond 0xfff8")
    unknown = unknown_bits(console.flags, ConsoleFlag)
    if unknown:
        yield warning(f"{name}: unknown flags {unknown:#x}")


def _consoles(configs: ConfigSet) -> Result:
    debug = configs.system.debug_console
    yield from _console_record(configs, "debug console", debug)
    if debug.type != ConsoleType.NONE and not uses_ports(debug) and debug.size == 0:
        yield error("debug console: size is 0, nothing can be mapped")
    for cell in configs.others:
        name = f'cell "{cell.label}": console'
        yield from _console_record(configs, name, cell.console)
        if cell.console.type == ConsoleType.EFIFB:
            yield error(f"{name}: the EFI framebuffer is for the hypervisor only")
        elif cell.console.type in tuple(ConsoleType)[1:]:
            yield from _console_access(configs, cell)


def _console_access(configs: ConfigSet, cell: CellConfig) -> Result:
    """Whether the cell may reach what it is told to print on."""
    console = cell.console
    if uses_ports(console) and configs.is_x86:
        granted = {port for r in cell.pio_regions for port in range(r.base, r.base + r.length)}
        ports = uart_ports(console)
        if not granted.issuperset(range(ports.start, ports.end)):
            yield warning(f"console ports {ports} are not all in pio_regions", cell)
    elif not any(
        virt(region).contains(console.address) and region.has(MemFlag.WRITE)
        for region in cell.mem_regions
    ):
        yield warning(f"console at {console.address:#x} is in no writable memory region", cell)


CHECKS = (
    Check("Invalid hypervisor memory", _hypervisor_memory),
    Check("Invalid PM timer", _pm_timer),
    Check("Invalid platform information", _platform),
    Check("Invalid IOMMU units", _iommus),
    Check("Invalid consoles", _consoles),
)
