# SPDX-License-Identifier: GPL-2.0-only
"""The boot story with a thread for each CPU: all go, or all go back with one error (abi.md 2.5, bugs.md A1, A2)."""

from __future__ import annotations

import errno
from typing import Any

import pytest
from test_config import compiled

CORE = ["boot", "cell", "cell_comm", "cell_manage", "cell_memory", "config", "cpu", "mmio", "page_pool", "paging",
        "subpage"]
SOURCES = [*(f"hypervisor/core/{name}.c" for name in CORE), "hypervisor/lib/bitmap.c", "hypervisor/lib/string.c",
           "hypervisor/arch/x86/paging.c", "hypervisor/arch/x86/svm/npt.c", "memory.c", "boot.c", "io.c", "printk.c"]
CDEF = """
extern int fake_memory_error, fake_early_error, fake_cell_error, fake_unit_error, fake_cpu_error[4];
extern u64 fake_ticks_per_ms;
extern char fake_steps[64];
extern char fake_log[];
void fake_boot_prepare(const void *system, unsigned int size, unsigned int online);
void fake_boot(unsigned int cpus, int *results);
void fake_disable(unsigned int cpus, int *results);
"""
ALL = 0b1111
GONE = 1  # what an activated CPU leaves


class Boot:
    def __init__(self, mod: Any, online: int = 4, size: int | None = None) -> None:
        self.lib, self.ffi = mod.lib, mod.ffi
        data = compiled("qemu-x86")
        self.lib.fake_boot_prepare(data, len(data) if size is None else size, online)

    def boot(self, cpus: int = ALL) -> list[int]:
        results = self.ffi.new("int[4]")
        self.lib.fake_boot(cpus, results)
        return [results[n] for n in range(4) if cpus >> n & 1]

    def disable(self, cpus: int = ALL) -> list[int]:
        results = self.ffi.new("int[4]")
        self.lib.fake_disable(cpus, results)
        return [results[n] for n in range(4) if cpus >> n & 1]

    @property
    def steps(self) -> str:
        return str(self.ffi.string(self.lib.fake_steps).decode())

    @property
    def log(self) -> str:
        return str(self.ffi.string(self.lib.fake_log).decode())


@pytest.fixture
def mod(hostlib: Any) -> Any:
    return hostlib(SOURCES, CDEF)


def test_all_go(mod: Any) -> None:
    boot = Boot(mod)
    assert boot.boot() == [GONE] * 4
    assert boot.steps == "EiiiiUU"
    lines = boot.log.splitlines()
    assert lines[0] == ""
    assert lines[1].startswith("Initializing Jailhouse hypervisor test on CPU ")
    assert lines[2].startswith("Code location: 0x")
    assert lines[3].startswith("Page pool usage after early setup: mem ")
    assert lines[4] == "Initializing processors:"
    assert sorted(lines[5:9]) == [f" CPU {n}... OK" for n in range(4)]
    assert lines[9:11] == ["Initializing unit: First", "Initializing unit: Second"]
    assert lines[11].startswith("Page pool usage after late setup: mem ")
    assert lines[12:] == ["Activating hypervisor"]


@pytest.mark.parametrize(("where", "error", "steps"), [
    ("fake_memory_error", errno.ENOMEM, ""),
    ("fake_early_error", errno.ENODEV, "ES"),
    ("fake_cell_error", errno.ENOMEM, "ES"),
    ("fake_unit_error", errno.EINVAL, "EiiiiUurrrrS"),
])
def test_failure_of_the_master(mod: Any, where: str, error: int, steps: str) -> None:
    boot = Boot(mod)
    setattr(boot.lib, where, -error)
    assert boot.boot() == [-error] * 4
    assert boot.steps == steps


@pytest.mark.parametrize("cpu", range(4))
def test_failure_of_one_cpu(mod: Any, cpu: int) -> None:
    """Those that were prepared before it are restored, nobody else, and everybody gets its error."""
    boot = Boot(mod)
    boot.lib.fake_cpu_error[cpu] = -errno.EIO
    assert boot.boot() == [-errno.EIO] * 4
    prepared = boot.steps.count("i")
    assert boot.steps == "E" + "i" * prepared + "r" * prepared + "S"
    assert f" CPU {cpu}... FAILED\n" in boot.log
    assert boot.log.count(" OK\n") == prepared


def test_fewer_cpus_than_configured(mod: Any) -> None:
    boot = Boot(mod, online=3)
    assert boot.boot(0b0111) == [-errno.EINVAL] * 3
    assert "Root cell has 4 CPUs, but 3 are online\n" in boot.log
    assert boot.steps == "EiiirrrS"


def test_cpu_that_never_comes(mod: Any) -> None:
    boot = Boot(mod)
    boot.lib.fake_ticks_per_ms = 2000
    assert boot.boot(0b1011) == [-errno.EBUSY] * 3
    assert boot.steps == ""


@pytest.mark.parametrize("size", [0, 100, 487, 488])
def test_truncated_configuration(mod: Any, size: int) -> None:
    boot = Boot(mod, size=size)
    assert boot.boot() == [-errno.EINVAL] * 4
    assert boot.steps == ""


def test_disable(mod: Any) -> None:
    boot = Boot(mod)
    boot.boot()
    assert boot.disable() == [0] * 4
    assert boot.steps == "EiiiiUUuu"
    lines = boot.log.splitlines()[-5:]
    assert lines[0] == "Shutting down hypervisor"
    assert sorted(lines[1:]) == [f" Releasing CPU {n}" for n in range(4)]


def test_disable_without_one_cpu_changes_nothing(mod: Any) -> None:
    boot = Boot(mod)
    boot.boot()
    boot.lib.fake_ticks_per_ms = 2000
    assert boot.disable(0b0111) == [-errno.EBUSY] * 3
    assert boot.disable(0b0001) == [-errno.EBUSY]
    assert "u" not in boot.steps
    boot.lib.fake_ticks_per_ms = 1000000
    assert boot.disable() == [0] * 4
