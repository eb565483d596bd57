# SPDX-License-Identifier: GPL-2.0-only
"""Ports: what is direct, emulated, refused; and ports that change their owner."""

from __future__ import annotations

from typing import Any

import pytest
from device_world import DIRECT, ERROR, HANDLED, CellConfig, World

UART1, UART2, PM_TIMER = 0x3F8, 0x2F8, 0x608
ROOT = CellConfig("Reference", ports=[(0, 0xD00 - 0x100), (0xD00, 0xF300), (UART1, 8)])
INMATE = CellConfig("apic-demo", ports=[(UART1, 8), (0xFFFE, 2)])


@pytest.fixture
def world(hostlib: Any) -> World:
    world = World(hostlib, pm_timer=PM_TIMER)
    world.cell(0, ROOT, 0x0F)
    return world


def direct_ports(world: World, n: int) -> set[int]:
    bitmap = bytes(world.ffi.buffer(world.lib.world_bitmap(n), 0x3000))
    assert bitmap[0x2000:] == b"\xff" * 0x1000, "what lies behind the last port"
    return {port for port in range(0x10000) if not bitmap[port // 8] >> port % 8 & 1}


PCI = {0xCF8, 0xCFC, 0xCFD, 0xCFE, 0xCFF}


def test_port_bitmap_hand_over(world: World) -> None:
    granted = set(range(UART1, UART1 + 8)) | {0xFFFE, 0xFFFF}
    timer = set(range(PM_TIMER, PM_TIMER + 4))
    before = direct_ports(world, 0)
    assert before == (set(range(0xC00)) | set(range(0xD00, 0x10000))) - {0x64}
    world.cell(1, INMATE, 0x04)
    assert direct_ports(world, 0) == before - granted
    assert direct_ports(world, 1) == granted | timer
    world.destroy(1)
    assert direct_ports(world, 0) == before


def test_root_cell_gets_back_only_what_was_its_own(hostlib: Any) -> None:
    world = World(hostlib)
    world.cell(0, CellConfig("Reference", ports=[(UART2, 8)]), 0x0F)
    pages = world.lib.world_pages
    world.cell(1, CellConfig("one", ports=[(UART1, 8), (UART2, 4)]), 0x04)
    world.cell(2, CellConfig("two", ports=[(UART2, 2)]), 0x02)
    world.destroy(1)
    assert direct_ports(world, 0) == set(range(UART2 + 2, UART2 + 8)), "cell two still has two of them"
    world.destroy(2)
    assert direct_ports(world, 0) == set(range(UART2, UART2 + 8))
    assert world.lib.world_pages == pages


@pytest.mark.parametrize("timer", [0, 0xFFFD, 0xFFFF, 0xCF8, 0x64, 0x61])
def test_a30_pm_timer_never_opens_emulated_ports(hostlib: Any, timer: int) -> None:
    world = World(hostlib, pm_timer=timer)
    world.cell(0, CellConfig("Reference", ports=[(0, 0xFFFF)]), 0x0F)
    world.cell(1, CellConfig("inmate"), 0x04)
    expected = set(range(timer, timer + 4)) - PCI - {0x64} if 0 < timer <= 0xFFFC else set()
    assert direct_ports(world, 1) == expected


def test_accesses_that_reach_into_emulated_ports_trap(world: World) -> None:
    for port, size in ((0xCF6, 4), (0xCF7, 2), (0xCFB, 2), (0xCF9, 4), (0x63, 2), (0x61, 4)):
        assert world.pio(0, port, size)[0] == ERROR
    assert world.pio(0, 0xFFFF, 4)[0] == ERROR, "past the last port"


@pytest.mark.parametrize("port", [0x81, 0x82, 0x83, 0x87, 0x89, 0x8A, 0x8B, 0x8F])
def test_dma_page_registers_read_ones(world: World, port: int) -> None:
    world.cell(1, INMATE, 0x04)
    assert world.pio(1, port, 1, rax=0x1122334455667700) == (HANDLED, 0x11223344556677FF)
    assert world.pio(1, port, 1, write=0)[0] == ERROR
    assert world.pio(1, port, 2)[0] == ERROR


def test_post_port(world: World) -> None:
    world.cell(1, INMATE, 0x04)
    assert world.pio(1, 0x80, 1, write=0x12)[0] == HANDLED
    assert world.pio(1, 0x80, 4, write=0x12)[0] == ERROR
    assert world.take_writes() == []


def test_i8042(world: World) -> None:
    assert world.pio(0, 0x64, 1, rax=~0 & 0xFFFFFFFFFFFFFFFF) == (HANDLED, 0xFFFFFFFFFFFFFF1C)
    for command in range(0x100):
        world.take_writes()
        fatal = command == 0xD1 or command >= 0xF0
        assert (world.pio(0, 0x64, 1, write=command)[0] == ERROR) == fatal, hex(command)
        assert len(world.take_writes()) == (0 if fatal else 1)
        assert ("FATAL: Invalid write to i8042 controller port" in world.text()) == fatal
    assert world.pio(0, 0x64, 2)[0] == ERROR


def test_i8042_belongs_to_one_cell(world: World) -> None:
    world.cell(1, INMATE, 0x04)
    assert world.pio(1, 0x64, 1)[0] == ERROR
    assert world.pio(0, 0x64, 1)[0] == HANDLED
    world.cell(2, CellConfig("keyboard", ports=[(0x60, 8)]), 0x02)
    assert world.pio(2, 0x64, 1)[0] == HANDLED
    assert world.pio(0, 0x64, 1)[0] == ERROR
    world.destroy(2)
    assert world.pio(0, 0x64, 1)[0] == HANDLED


def test_refusal_names_cell_port_and_remedy(world: World) -> None:
    world.cell(1, INMATE, 0x04)
    world.text()
    assert world.pio(1, 0x2F9, 1, write=0)[0] == ERROR
    line = world.text()
    assert line.startswith('FATAL: Invalid PIO write, port: 2f9 size: 1, cell "apic-demo", CPU 0')
    assert "PIO_RANGE(0x2f9, 1)" in line
    assert line.count("\n") == 1
    assert world.pio(1, 0x70, 2)[0] == ERROR
    assert world.text().startswith("FATAL: Invalid PIO read, port: 70 size: 2")


def test_string_instructions_on_trapped_ports_are_refused(world: World) -> None:
    world.cell(1, INMATE, 0x04)
    for port in (0x80, 0xCFC, 0x64):
        assert world.pio(1, port, 1, rep=True)[0] == ERROR


def test_results_of_reads_merge_by_size(world: World) -> None:
    world.pio(0, 0xCF8, 4, write=0)
    old = 0xFFEEDDCCBBAA9988
    assert world.pio(0, 0xCFC, 1, rax=old)[1] == 0xFFEEDDCCBBAA99FF
    assert world.pio(0, 0xCFC, 2, rax=old)[1] == 0xFFEEDDCCBBAAFFFF
    assert world.pio(0, 0xCFC, 4, rax=old)[1] == 0xFFFFFFFF


def test_seeded_defect_opens_ports(hostlib: Any) -> None:
    world = World(hostlib, defines=["CONFIG_SEED_PORT=1"])
    world.cell(0, ROOT, 0x0F)
    world.cell(1, INMATE, 0x04)
    assert world.pio(1, 0x70, 1)[0] == DIRECT
    assert world.pio(1, 0xCF8, 4, write=0)[0] == HANDLED
