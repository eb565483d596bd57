# SPDX-License-Identifier: GPL-2.0-only
"""The life cycle of cells (abi.md 3.3, 3.4, 4) against a fake machine of four CPUs."""

from __future__ import annotations

import errno
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from hostlib import REPO

sys.path[:0] = [str(REPO / "tools")]

from test_config import compiled  # noqa: E402

from jailhouse.cellfile import CellConfig, CellFlag, MemFlag, Memory, SystemConfig  # noqa: E402

CORE = ["cell", "cell_comm", "cell_manage", "cell_memory", "config", "cpu", "hypercall", "mmio", "page_pool",
        "paging", "subpage"]
SOURCES = [*(f"hypervisor/core/{name}.c" for name in CORE), "hypervisor/lib/bitmap.c", "hypervisor/lib/string.c",
           "hypervisor/arch/x86/paging.c", "hypervisor/arch/x86/svm/npt.c", "memory.c", "cells.c", "io.c", "printk.c"]
CDEF = """
struct page_pool { void *base; unsigned long pages; unsigned long used; unsigned long *bitmap; bool zero; };
extern struct page_pool mem_pool;
void *page_alloc(struct page_pool *pool, unsigned int num);
void page_free(struct page_pool *pool, void *first, unsigned int num);
long hypercall(unsigned long code, unsigned long arg1, unsigned long arg2);
void cpu_mark_failed(void);
int fake_machine_init(void *system, unsigned long pages);
void fake_become_cpu(unsigned int cpu);
void *fake_comm(unsigned int id);
unsigned int fake_cpus(unsigned int id);
unsigned int fake_cpu_state(unsigned int cpu, unsigned int id);
u64 fake_mapping(unsigned int id, u64 virt);
extern u8 fake_root_memory[0x20000], fake_cell_memory[0x200000];
extern unsigned int fake_stuck_cpus;
extern int fake_unit_error, fake_unit_cells, fake_unit_resets, fake_commits;
extern char fake_log[];
void fake_log_clear(void);
"""
DISABLE, CREATE, START, SET_LOADABLE, DESTROY, INFO, STATE, CPU_INFO, PUTC = range(9)
RUNNING, LOCKED, SHUT_DOWN, FAILED, FAILED_COMM_REV = range(5)
SHUTDOWN_REQUEST, RECONFIGURED = 1, 2
UNKNOWN, DENIED, APPROVED, RECEIVED = range(1, 5)
CONFIG_AT = 0x100000
FAKE_RAM, RAM, RAM_SIZE = 0x3EE00000, 0x3EF00000, 0x100000
NOT_MAPPED = 2**64 - 1
PARK, RESET, SUSPENDED, OWNED, CPU_FAILED = 1, 2, 4, 8, 16


class Machine:
    def __init__(self, mod: Any, pages: int = 400) -> None:
        self.lib, self.ffi = mod.lib, mod.ffi
        self.pool = self.ffi.addressof(self.lib, "mem_pool")
        system = SystemConfig.from_bytes(compiled("qemu-x86"))
        data = system.to_bytes()
        self.system = self.ffi.new("char[]", data)
        assert self.lib.fake_machine_init(self.system, pages) == 0
        self.lib.fake_become_cpu(0)

    def call(self, code: int, arg1: int = 0, arg2: int = 0) -> int:
        return int(self.lib.hypercall(code, arg1, arg2))

    def create(self, config: CellConfig, at: int = 0) -> int:
        data = config.to_bytes()
        self.ffi.memmove(self.ffi.addressof(self.lib.fake_root_memory, at), data, len(data))
        return self.call(CREATE, CONFIG_AT + at)

    def comm(self, cell: int) -> Any:
        return self.ffi.cast("u32 *", self.lib.fake_comm(cell))

    def set_state(self, cell: int, state: int) -> None:
        self.comm(cell)[2] = state

    def snapshot(self) -> list[int]:
        """What a refused operation must leave alone."""
        root = [int(self.lib.fake_mapping(0, RAM + n * 0x1000)) for n in range(-2, 0x102)]
        cpus = [int(self.lib.fake_cpu_state(n, 0)) for n in range(4)]
        return [self.pool.used, self.lib.fake_cpus(0), self.call(INFO, 4), self.lib.fake_unit_cells, *root, *cpus]

    def log(self) -> str:
        text = self.ffi.string(self.lib.fake_log).decode()
        self.lib.fake_log_clear()
        return str(text)

    @contextmanager
    def inmate(self, cell: int, *answers: int) -> Iterator[list[int]]:
        """A program in the cell that gives these answers, one after the other; yields the messages it got."""
        comm, messages, stop = self.comm(cell), [], threading.Event()

        def run() -> None:
            pending = list(answers)
            while not stop.is_set():
                if comm[3]:
                    messages.append(int(comm[3]))
                    comm[3] = 0
                    if pending:
                        comm[4] = pending.pop(0)
                time.sleep(0.0005)

        thread = threading.Thread(target=run)
        thread.start()
        try:
            yield messages
        finally:
            stop.set()
            thread.join()


def cell_config(name: str = "one", cell_id: int = 1, cpus: tuple[int, ...] = (3,)) -> CellConfig:
    config = CellConfig.from_bytes(compiled("apic-demo"))
    config.name, config.id = name, cell_id
    config.set_cpus(cpus)
    config.msg_reply_timeout = 0
    config.mem_regions = [
        Memory(RAM, 0, RAM_SIZE, MemFlag.READ | MemFlag.WRITE | MemFlag.EXECUTE | MemFlag.LOADABLE),
        Memory(0, 0x100000, 0x1000, MemFlag.READ | MemFlag.WRITE | MemFlag.COMM_REGION),
    ]
    return config


def second_config() -> CellConfig:
    config = cell_config("two", 2, (2,))
    config.mem_regions[0] = Memory(RAM - 0x100000, 0, 0x100000, config.mem_regions[0].flags)
    return config


@pytest.fixture
def mod(hostlib: Any) -> Any:
    return hostlib(SOURCES, CDEF)


@pytest.fixture
def machine(mod: Any) -> Machine:
    return Machine(mod)


def test_whole_life(machine: Machine) -> None:
    before = machine.pool.used
    assert machine.create(cell_config()) == 0
    assert "Created cell \"one\"\nPage pool usage after cell creation: mem" in machine.log()
    assert machine.pool.used - before <= 14
    assert machine.call(STATE, 1) == SHUT_DOWN
    assert machine.call(INFO, 4) == 2
    assert machine.lib.fake_cpus(0) == 0b0111
    assert machine.lib.fake_cpu_state(3, 1) == PARK | OWNED
    assert machine.lib.fake_mapping(0, RAM) == NOT_MAPPED
    assert machine.lib.fake_mapping(1, 0) == RAM | 7
    assert machine.lib.fake_mapping(1, 0x100000) != NOT_MAPPED

    assert machine.call(SET_LOADABLE, 1) == 0
    assert machine.log() == 'Cell "one" can be loaded\n'
    assert machine.lib.fake_mapping(0, RAM) == RAM | 3
    assert machine.call(SET_LOADABLE, 1) == 0
    assert machine.log() == ""

    assert machine.call(START, 1) == 0
    assert machine.log() == 'Started cell "one"\n'
    assert machine.lib.fake_mapping(0, RAM) == NOT_MAPPED
    assert machine.call(STATE, 1) == RUNNING
    assert machine.lib.fake_cpu_state(3, 1) == RESET | OWNED
    assert bytes(machine.ffi.buffer(machine.comm(1), 8)) == b"JHCOMM\x02\0"

    with machine.inmate(1, APPROVED) as messages:
        assert machine.call(DESTROY, 1) == 0
    assert messages == [SHUTDOWN_REQUEST]
    assert machine.log().startswith('Closing cell "one"\nPage pool usage after cell destruction: mem')
    assert machine.lib.fake_cpus(0) == 0b1111
    assert machine.lib.fake_cpu_state(3, 0) == PARK | OWNED
    assert machine.lib.fake_mapping(0, RAM) == RAM | 3
    assert machine.pool.used == before
    assert machine.lib.fake_unit_cells == 1


def test_memory_is_cleared_by_destroy_only(machine: Machine) -> None:
    memory = machine.lib.fake_cell_memory + (RAM - FAKE_RAM)
    assert machine.create(cell_config()) == 0
    memory[0] = memory[RAM_SIZE - 1] = 0xAA
    for code in (SET_LOADABLE, START, SET_LOADABLE):
        machine.set_state(1, SHUT_DOWN)
        assert machine.call(code, 1) == 0
    assert memory[0] == memory[RAM_SIZE - 1] == 0xAA
    assert machine.call(DESTROY, 1) == 0
    assert not any(bytes(machine.ffi.buffer(memory, RAM_SIZE)))


def test_out_of_memory_at_every_place(machine: Machine) -> None:
    """bugs.md A12, A13: what fails leaves everything as it was, to the page."""
    before, refused = machine.snapshot(), 0
    for free in range(40):
        taken = []
        while machine.pool.pages - machine.pool.used > free:
            taken.append(machine.lib.page_alloc(machine.pool, 1))
        result = machine.create(cell_config())
        for page in taken:
            machine.lib.page_free(machine.pool, page, 1)
        if result == 0:
            break
        assert result == -errno.ENOMEM
        assert machine.snapshot() == before
        refused += 1
    assert 8 <= refused <= 14
    assert machine.call(DESTROY, 1) == 0


@pytest.mark.parametrize("error", [errno.EINVAL, errno.EBUSY])
def test_unit_that_refuses(machine: Machine, error: int) -> None:
    before = machine.snapshot()
    machine.lib.fake_unit_error = -error
    assert machine.create(cell_config()) == -error
    machine.lib.fake_unit_error = 0
    assert machine.snapshot() == before
    assert machine.create(cell_config()) == 0


def test_refused_configurations(machine: Machine) -> None:
    assert machine.create(cell_config()) == 0
    before = machine.snapshot()
    for config, error in (
        (cell_config("one", 2), errno.EEXIST),
        (cell_config("other", 1), errno.EEXIST),
        (cell_config("QEMU-Reference", 2), errno.EEXIST),
        (cell_config("other", 0), errno.EEXIST),
        (cell_config("other", 2, (3,)), errno.EINVAL),  # memory of cell one
    ):
        assert machine.create(config) == -error
        assert machine.snapshot() == before
    elsewhere = second_config()
    for cpus, error in (((3,), errno.EBUSY), ((0,), errno.EBUSY), ((1, 0), errno.EBUSY), ((4,), errno.EBUSY),
                        ((299,), errno.EBUSY), ((), errno.EINVAL)):
        elsewhere.set_cpus(cpus)
        assert machine.create(elsewhere) == -error
        assert machine.snapshot() == before
    assert machine.call(CREATE, 0x3A000000) == -errno.EINVAL  # not mapped
    big = second_config()
    big.mem_regions += [Memory(0, 0, 0, 0)] * 2040
    assert machine.create(big, at=0x800) == -errno.E2BIG
    assert machine.snapshot() == before


def test_name_of_another_length(machine: Machine) -> None:
    assert machine.create(cell_config("one")) == 0
    other = second_config()
    other.name = "on"
    assert machine.create(other) == 0


def test_config_across_pages(machine: Machine) -> None:
    for at in (0xFFC, 0x1000 - 132, 0x1FF0):
        assert machine.create(cell_config(), at=at) == 0
        assert machine.call(DESTROY, 1) == 0


def test_ids(machine: Machine) -> None:
    for code in (START, SET_LOADABLE, DESTROY):
        assert machine.call(code, 0) == -errno.EINVAL
        assert machine.call(code, 7) == -errno.ENOENT
    assert machine.call(STATE, 7) == -errno.ENOENT
    assert machine.call(STATE, 0) == RUNNING
    assert machine.create(cell_config()) == 0
    machine.set_state(1, 5)
    assert machine.call(STATE, 1) == -errno.EINVAL


def test_locked_cell(machine: Machine) -> None:
    """abi.md 4.4: creation and destruction of others is refused, operations on existing cells are not."""
    assert machine.create(cell_config()) == 0
    assert machine.create(second_config()) == 0
    assert machine.call(START, 1) == 0
    machine.set_state(1, LOCKED)
    before = machine.snapshot()
    third = cell_config("three", 3, (1,))
    assert machine.create(third) == -errno.EPERM
    assert machine.call(DESTROY, 2) == -errno.EPERM
    assert machine.snapshot() == before
    assert machine.call(START, 2) == 0
    machine.set_state(2, SHUT_DOWN)
    with machine.inmate(1, DENIED, APPROVED):
        assert machine.call(DESTROY, 1) == -errno.EPERM
        assert machine.call(DESTROY, 1) == 0
    assert machine.call(DESTROY, 2) == 0


@pytest.mark.parametrize("code", [START, SET_LOADABLE, DESTROY])
def test_denied_shutdown(machine: Machine, code: int) -> None:
    assert machine.create(cell_config()) == 0
    assert machine.call(START, 1) == 0
    with machine.inmate(1, DENIED, UNKNOWN, APPROVED) as messages:
        assert machine.call(code, 1) == -errno.EPERM
        assert machine.call(code, 1) == -errno.EPERM
        assert machine.call(code, 1) == 0
    assert messages == [SHUTDOWN_REQUEST] * 3


@pytest.mark.parametrize("state", [SHUT_DOWN, FAILED, FAILED_COMM_REV])
def test_terminal_states_are_not_asked(machine: Machine, state: int) -> None:
    assert machine.create(cell_config()) == 0
    assert machine.call(START, 1) == 0
    machine.set_state(1, state)
    assert machine.call(DESTROY, 1) == 0


def test_passive_cell_is_not_asked(machine: Machine) -> None:
    config = cell_config()
    config.flags |= CellFlag.PASSIVE_COMMREG
    assert machine.create(config) == 0
    assert machine.call(START, 1) == 0
    assert machine.call(SET_LOADABLE, 1) == 0
    assert machine.comm(1)[3] == 0


def test_reply_timeout(machine: Machine) -> None:
    config = cell_config()
    config.msg_reply_timeout = 1000
    assert machine.create(config) == 0
    assert machine.call(START, 1) == 0
    machine.log()
    assert machine.call(SET_LOADABLE, 1) == 0
    assert machine.log().startswith("Timeout expired while waiting for reply from target cell\n")


def test_notices(machine: Machine) -> None:
    """A running cell hears of others; whatever it answers makes no difference."""
    assert machine.create(cell_config()) == 0
    assert machine.call(START, 1) == 0
    with machine.inmate(1, RECEIVED, DENIED) as messages:
        assert machine.create(second_config()) == 0
        assert machine.call(DESTROY, 2) == 0
    assert messages == [RECONFIGURED] * 2


def test_cpu_that_does_not_answer(machine: Machine) -> None:
    """bugs.md A56: bounded, named, and nothing changed."""
    before = machine.snapshot()
    machine.lib.fake_stuck_cpus = 1 << 2
    assert machine.create(cell_config()) == -errno.EBUSY
    assert 'WARNING: CPU 2 (cell "QEMU-Reference") does not leave the guest\n' in machine.log()
    assert machine.snapshot() == before
    machine.lib.fake_stuck_cpus = 0
    assert machine.create(cell_config()) == 0


def test_calls_of_an_inmate(machine: Machine) -> None:
    """abi.md 3.3: existence of the CPU, then ownership, then type."""
    assert machine.create(cell_config()) == 0
    machine.lib.fake_become_cpu(3)
    for code in (DISABLE, CREATE, START, SET_LOADABLE, DESTROY, STATE):
        assert machine.call(code, 1) == -errno.EPERM
    assert machine.call(INFO, 4) == 2
    assert machine.call(INFO, 5) == -errno.EINVAL
    assert machine.call(CPU_INFO, 3, 0) == 0
    assert machine.call(CPU_INFO, 3, 1000 + 3) > 0
    assert machine.call(CPU_INFO, 2, 0) == -errno.EPERM
    assert machine.call(CPU_INFO, 2, 1) == -errno.EPERM
    assert machine.call(CPU_INFO, 4, 0) == -errno.EINVAL
    assert machine.call(CPU_INFO, 2**32 - 1, 0) == -errno.EINVAL
    for kind in (1, 999, 1012, 2**32 - 1):
        assert machine.call(CPU_INFO, 3, kind) == -errno.EINVAL
    assert machine.call(PUTC, 33) == 0
    for code in (9, 99, 2**32 - 1):
        assert machine.call(code) == -errno.ENOSYS
    machine.lib.fake_become_cpu(0)
    assert machine.call(CPU_INFO, 3, 0) == 0
    assert machine.call(CPU_INFO, 3, 1) == -errno.EINVAL


def test_putc_needs_permission(machine: Machine) -> None:
    config = cell_config()
    config.flags = CellFlag(0)
    assert machine.create(config) == 0
    machine.lib.fake_become_cpu(3)
    assert machine.call(PUTC, 33) == -errno.EPERM


def test_failed_cpus(machine: Machine) -> None:
    assert machine.create(cell_config(cpus=(2, 3))) == 0
    assert machine.call(START, 1) == 0
    machine.lib.fake_become_cpu(2)
    machine.lib.cpu_mark_failed()
    machine.lib.fake_become_cpu(0)
    assert machine.call(CPU_INFO, 2, 0) == 2
    assert machine.call(STATE, 1) == RUNNING
    machine.lib.fake_become_cpu(3)
    machine.lib.cpu_mark_failed()
    machine.lib.fake_become_cpu(0)
    assert machine.call(STATE, 1) == FAILED
    assert machine.call(START, 1) == 0
    assert machine.call(CPU_INFO, 2, 0) == machine.call(CPU_INFO, 3, 0) == 0
    assert machine.call(STATE, 1) == RUNNING


def test_shared_regions_stay_with_root(machine: Machine) -> None:
    config = cell_config()
    config.mem_regions[0].flags |= MemFlag.ROOTSHARED
    assert machine.create(config) == 0
    assert machine.lib.fake_mapping(0, RAM) == RAM | 3
    machine.lib.fake_cell_memory[RAM - FAKE_RAM] = 1
    assert machine.call(DESTROY, 1) == 0
    assert machine.lib.fake_mapping(0, RAM) == RAM | 3
    assert machine.lib.fake_cell_memory[RAM - FAKE_RAM] == 1


def test_200_cycles(machine: Machine) -> None:
    before = machine.snapshot()
    for _ in range(200):
        assert machine.create(cell_config()) == 0
        assert machine.create(second_config()) == 0
        assert machine.call(SET_LOADABLE, 1) == 0
        assert machine.call(START, 1) == 0
        machine.set_state(1, SHUT_DOWN)
        assert machine.call(DESTROY, 1) == 0
        assert machine.call(DESTROY, 2) == 0
    after = machine.snapshot()
    assert after[:-4] == before[:-4]  # CPUs that came back are to be parked
