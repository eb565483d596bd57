# SPDX-License-Identifier: GPL-2.0-only
"""IOAPIC emulation and pins that change their owner."""

from __future__ import annotations

from typing import Any

import pytest
from device_world import (
    EBUSY,
    EINVAL,
    ENOMEM,
    ERROR,
    HANDLED,
    IOAPIC,
    UNHANDLED,
    CellConfig,
    Irqchip,
    World,
)

MASKED, LEVEL, LOGICAL, REMOTE_IRR = 1 << 16, 1 << 15, 1 << 11, 1 << 14
ROOT = CellConfig("Reference", irqchips=[Irqchip(range(24))])
INMATE = CellConfig("ioapic-demo", irqchips=[Irqchip([9])])


def entry(vector: int, destination: int, flags: int = 0) -> int:
    return vector | flags | destination << 56


SCI = entry(0x21, 1, LEVEL)


@pytest.fixture
def world(hostlib: Any) -> World:
    world = World(hostlib)
    for pin in range(24):
        world.lib.world_pins[pin] = MASKED
    world.lib.world_pins[4] = entry(0x24, 0x0F, LOGICAL)
    world.lib.world_pins[9] = SCI
    world.cell(0, ROOT, 0x0F)
    return world


def read(world: World, n: int, index: int) -> int:
    assert world.mmio(n, IOAPIC, 4, write=index)[0] == HANDLED
    result, value = world.mmio(n, IOAPIC + 0x10)
    assert result == HANDLED
    return value


def write(world: World, n: int, index: int, value: int) -> bool:
    assert world.mmio(n, IOAPIC, 4, write=index)[0] == HANDLED
    return world.mmio(n, IOAPIC + 0x10, 4, write=value)[0] == HANDLED


def read_entry(world: World, n: int, pin: int) -> int:
    return read(world, n, 0x10 + 2 * pin) | read(world, n, 0x11 + 2 * pin) << 32


def write_entry(world: World, n: int, pin: int, value: int, high_first: bool = True) -> None:
    halves = [(0x11 + 2 * pin, value >> 32), (0x10 + 2 * pin, value & 0xFFFFFFFF)]
    for index, half in halves if high_first else reversed(halves):
        assert write(world, n, index, half)


def test_enable_and_disable_change_nothing(world: World) -> None:
    """Whatever the entries say, foreign destinations and delivery modes included (A49, pin 2)."""
    assert world.take_writes() == []
    world.lib.world_shutdown()
    assert world.take_writes() == []
    assert read_entry(world, 0, 9) == SCI
    assert read(world, 0, 1) == 0x170020


def test_index_register_is_the_cells_own(world: World) -> None:
    world.cell(1, INMATE, 0x04)
    world.mmio(0, IOAPIC, 4, write=0x12)
    world.mmio(1, IOAPIC, 4, write=0x22)
    assert world.mmio(0, IOAPIC) == (HANDLED, 0x12)
    assert world.mmio(1, IOAPIC) == (HANDLED, 0x22)


@pytest.mark.parametrize("high_first", [True, False])
def test_a49_both_orders_of_the_halves(world: World, high_first: bool) -> None:
    world.cell(1, INMATE, 0x04)
    world.take_writes()
    write_entry(world, 1, 9, entry(0x41, 2, LEVEL), high_first)
    assert world.pin(9) == entry(0x41, 2, LEVEL)
    unmasked = [w for w in world.take_writes() if w[0] == 1 << 32 | 0x22 and not w[2] & MASKED]
    assert len(unmasked) == 1, "the hardware never had the vector with another destination"
    assert "FATAL" not in world.text()


def test_foreign_pins_read_zero_and_ignore_writes(world: World) -> None:
    world.cell(1, INMATE, 0x04)
    world.take_writes()
    assert read_entry(world, 1, 4) == 0
    write_entry(world, 1, 4, entry(0x41, 2))
    write_entry(world, 0, 9, entry(0x42, 0))
    assert read_entry(world, 0, 9) == 0
    assert world.take_writes() == []
    assert world.pin(4) == entry(0x24, 0x0B, LOGICAL)


def test_hand_over_and_return(world: World) -> None:
    world.lib.world_pins[9] |= REMOTE_IRR
    pages, mappings = world.lib.world_pages, world.lib.world_mappings
    world.cell(1, INMATE, 0x04)
    assert world.pin(9) == MASKED, "stale remote IRR is gone, too"
    write_entry(world, 1, 9, entry(0x41, 2, LEVEL))
    world.lib.world_cell_reset(1)
    assert world.pin(9) & MASKED
    assert read_entry(world, 1, 9) == MASKED
    write_entry(world, 1, 9, entry(0x41, 2, LEVEL))
    world.destroy(1)
    assert world.pin(9) == SCI
    assert read_entry(world, 0, 9) == SCI
    assert (world.lib.world_pages, world.lib.world_mappings) == (pages, mappings)


def test_disable_restores_what_the_root_cell_wrote(world: World) -> None:
    world.cell(1, CellConfig("cpu"), 0x04)
    assert world.pin(4) == entry(0x24, 0x0B, LOGICAL), "trimmed while CPU 2 is elsewhere"
    assert read_entry(world, 0, 4) == entry(0x24, 0x0F, LOGICAL)
    world.destroy(1)
    world.lib.world_shutdown()
    assert world.pin(4) == entry(0x24, 0x0F, LOGICAL)


@pytest.mark.parametrize("bad", [
    entry(0x41, 1), entry(0x41, 0xFF), entry(0x41, 0x05, LOGICAL), entry(0x41, 2, 2 << 8), entry(0x41, 2, 4 << 8),
    entry(0x41, 2, 5 << 8), entry(0x41, 2, 7 << 8), entry(0, 2),
])  # fmt: skip
def test_entries_that_leave_the_cell_stay_masked(world: World, bad: int) -> None:
    world.cell(1, INMATE, 0x04)
    world.text()
    write_entry(world, 1, 9, bad)
    assert world.pin(9) & MASKED
    assert 'WARNING: IOAPIC pin 9 targets a CPU outside of cell "ioapic-demo"' in world.text()
    assert read_entry(world, 1, 9) == bad


def test_edge_is_not_masked_when_only_the_destination_changes(world: World) -> None:
    write_entry(world, 0, 5, entry(0x25, 1))
    world.take_writes()
    write_entry(world, 0, 5, entry(0x25, 2))
    assert world.take_writes() == [(1 << 32 | 0x1B, 4, 2 << 24)]


def test_status_bits_come_from_the_hardware(world: World) -> None:
    world.lib.world_pins[9] |= REMOTE_IRR
    assert read_entry(world, 0, 9) == SCI | REMOTE_IRR
    write_entry(world, 0, 9, SCI | REMOTE_IRR | MASKED)
    assert world.pin(9) == SCI | REMOTE_IRR | MASKED
    world.lib.world_pins[9] &= ~REMOTE_IRR
    assert read_entry(world, 0, 9) == SCI | MASKED


@pytest.mark.parametrize(("offset", "size", "is_write"), [
    (0, 1, False), (0, 8, True), (0x10, 2, False), (0x20, 4, False), (0x40, 4, False), (4, 4, True), (0x14, 4, True),
    (0xFFC, 4, False),
])  # fmt: skip
def test_invalid_accesses(world: World, offset: int, size: int, is_write: bool) -> None:
    assert world.mmio(0, IOAPIC + offset, size, write=0 if is_write else None)[0] == ERROR
    assert f"FATAL: Invalid IOAPIC {'write' if is_write else 'read'}, reg: {offset:x}, index: 0" in world.text()


@pytest.mark.parametrize("index", [0, 1, 2, 0x40, 0xFF])
def test_other_registers_are_read_only(world: World, index: int) -> None:
    read(world, 0, index)
    assert not write(world, 0, index, 0)
    assert f"FATAL: Invalid IOAPIC write, reg: 10, index: {index:x}" in world.text()


def test_eoi_register(world: World) -> None:
    world.cell(1, INMATE, 0x04)
    world.cell(2, CellConfig("none", irqchips=[Irqchip([])]), 0x02)
    assert world.mmio(1, IOAPIC + 0x40, 4, write=0x41)[0] == HANDLED
    assert world.take_writes()[-1] == (1 << 32 | 0x1000, 4, 0x41)
    assert world.mmio(2, IOAPIC + 0x40, 4, write=0x41)[0] == ERROR


@pytest.mark.parametrize(("irqchips", "error"), [
    ([Irqchip([9]), Irqchip([1], pin_base=32)], EINVAL),
    ([Irqchip([9], pin_base=1)], EINVAL),
    ([Irqchip([9]), Irqchip([1], address=0xFEC01000)], EINVAL),
    ([Irqchip([9]), Irqchip([10])], EINVAL),
])  # fmt: skip
def test_u11_refused_configurations_leak_nothing(world: World, irqchips: list[Irqchip], error: int) -> None:
    pages, mappings = world.lib.world_pages, world.lib.world_mappings
    for _ in range(100):
        assert world.try_cell(1, CellConfig("bad", irqchips=irqchips)) == error
    assert (world.lib.world_pages, world.lib.world_mappings) == (pages, mappings)
    assert world.pin(9) == SCI, "works on in the root cell"
    write_entry(world, 0, 9, SCI | MASKED)
    assert world.pin(9) & MASKED
    world.cell(1, INMATE, 0x04)


def test_u11_out_of_memory_leaks_nothing(world: World) -> None:
    pages = world.lib.world_pages
    for limit in range(pages, pages + 5):
        world.lib.world_page_limit = limit
        assert world.try_cell(1, INMATE) == ENOMEM
        assert world.lib.world_pages == pages
        assert world.pin(9) == SCI


def test_pin_of_another_cell_is_refused(world: World) -> None:
    world.cell(1, INMATE, 0x04)
    write_entry(world, 1, 9, entry(0x41, 2))
    assert world.try_cell(2, CellConfig("thief", irqchips=[Irqchip([3, 9])])) == EBUSY
    assert world.pin(9) == entry(0x41, 2)


def test_pin_that_the_root_cell_never_had(hostlib: Any) -> None:
    world = World(hostlib)
    world.cell(0, CellConfig("Reference", irqchips=[Irqchip(range(9))]), 0x0F)
    world.cell(1, INMATE, 0x04)
    write_entry(world, 1, 9, entry(0x41, 2))
    world.destroy(1)
    assert world.pin(9) & MASKED


def test_pins_beyond_the_chip_do_not_exist(world: World) -> None:
    world.cell(1, CellConfig("many", irqchips=[Irqchip([24, 63, 119, 127])]), 0x04)
    world.take_writes()
    assert not write(world, 1, 0x10 + 48, 0x41)
    assert world.take_writes() == []


def test_cell_without_ioapic_has_none(world: World) -> None:
    world.cell(1, CellConfig("none"), 0x04)
    assert world.mmio(1, IOAPIC)[0] == UNHANDLED


def test_root_cell_lists_a_chip_twice(hostlib: Any) -> None:
    world = World(hostlib)
    assert world.try_cell(0, CellConfig("Reference", irqchips=[Irqchip([1]), Irqchip([2])])) == EINVAL
    assert world.lib.world_pages == 0
