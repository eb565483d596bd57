# SPDX-License-Identifier: GPL-2.0-only
"""Interrupt controllers and their pins."""

from __future__ import annotations

from itertools import combinations

from jailhouse.cellfile import ArmPlatform, CellConfig, Irqchip
from jailhouse.check.base import Check, ConfigSet, Result, error, warning
from jailhouse.check.cpus import listed

_IOAPIC_PINS = 120
_GIC_IDS = 1024


def _ioapic(configs: ConfigSet, cell: CellConfig, name: str, chip: Irqchip) -> Result:
    if chip.pin_base:
        yield error(f"{name}: pin_base is {chip.pin_base}, must be 0 on x86", cell)
    elif any(pin >= _IOAPIC_PINS for pin in chip.pins):
        yield error(f"{name}: pin {max(chip.pins)}, at most {_IOAPIC_PINS} are supported", cell)
    known = {other.address for other in configs.root.irqchips}
    if chip.address not in known:
        yield error(f"{name}: IOAPIC {chip.address:#x} is not listed in the root cell", cell)


def _gic(configs: ConfigSet, cell: CellConfig, name: str, chip: Irqchip) -> Result:
    platform = configs.system.platform
    if isinstance(platform, ArmPlatform) and chip.address != platform.gicd_base:
        return  # Secondary controllers are ignored by contract.
    if chip.pin_base < 32 or chip.pin_base % 32:
        yield error(f"{name}: pin_base {chip.pin_base} is no multiple of 32 from 32 on", cell)
    elif chip.pin_base + 128 > _GIC_IDS:
        yield error(f"{name}: pin_base {chip.pin_base} + 128 is beyond {_GIC_IDS}", cell)


def _irqchips(configs: ConfigSet) -> Result:
    for cell in configs.cells:
        for index, chip in enumerate(cell.irqchips):
            name = f"irqchip {index}"
            yield from (_ioapic if configs.is_x86 else _gic)(configs, cell, name, chip)
        for (i, a), (j, b) in combinations(enumerate(cell.irqchips), 2):
            if (a.address, a.pin_base) == (b.address, b.pin_base):
                yield error(f"irqchips {i} and {j} describe the same controller", cell)


def _shared_pins(configs: ConfigSet) -> Result:
    for one, two in combinations(configs.others, 2):
        for a in one.irqchips:
            for b in two.irqchips:
                both = set(a.pins) & set(b.pins)
                if a.address == b.address and both:
                    yield error(
                        f"interrupt {listed(both)} of controller {a.address:#x} also belongs "
                        f'to cell "{two.label}"',
                        one,
                    )


def _vpci(configs: ConfigSet) -> Result:
    for cell in configs.cells:
        if cell.vpci_irq_base and configs.is_x86:
            yield warning("vpci_irq_base is ignored on x86", cell)
        elif cell.vpci_irq_base + 32 + 4 > _GIC_IDS:
            yield error(f"vpci_irq_base {cell.vpci_irq_base} is beyond the last interrupt", cell)


CHECKS = (
    Check("Invalid interrupt controllers", _irqchips),
    Check("Interrupts of more than one non-root cell", _shared_pins),
    Check("Invalid virtual PCI interrupts", _vpci),
)
