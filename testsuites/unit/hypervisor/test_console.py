# SPDX-License-Identifier: GPL-2.0-only
"""The debug console: 8250 by ports and memory, and the log page with a concurrent reader (abi.md 2.2, 5.5)."""

from __future__ import annotations

import re
import sys
from typing import Any

import pytest
from hostlib import REPO

sys.path[:0] = [str(REPO / "tools")]

from test_config import compiled  # noqa: E402

from jailhouse.cellfile import ConsoleFlag, ConsoleType, SystemConfig  # noqa: E402

SOURCES = ["hypervisor/core/printk.c", "hypervisor/core/uart.c", "hypervisor/lib/format.c", "console_wrapper.c",
           "percpu.c", "io.c"]
CDEF = """
struct jailhouse_virt_console { u32 busy; u32 tail; char content[2048]; };
extern struct jailhouse_virt_console console_page;
extern void *system_config;
extern u32 (*fake_port_read)(u16 port, unsigned int size);
extern void (*fake_port_write)(u16 port, unsigned int size, u32 value);
extern char fake_uart_registers[64];
void console_init(void);
void console_putc(char c);
void panic_begin(void);
void panic_end(void);
void fake_become_cpu(unsigned int cpu);
void fake_print(const char *text);
void fake_writers_start(void);
void fake_writers_stop(void);
u32 fake_snapshot(const struct jailhouse_virt_console *page, char *out);
"""
SIZE = 2048


class Console:
    """With a UART at port 0x3f8 that takes everything at once unless `ready` is off."""

    def __init__(self, mod: Any, **changes: Any) -> None:
        self.lib, self.ffi = mod.lib, mod.ffi
        self.writes: list[tuple[int, int]] = []
        self.ready, self.polls = True, 0
        self._keep = [
            self.ffi.callback("u32(u16, unsigned int)", self._read),
            self.ffi.callback("void(u16, unsigned int, u32)", lambda port, size, value: self.writes.append((port, value))),
        ]
        self.lib.fake_port_read, self.lib.fake_port_write = self._keep
        system = SystemConfig.from_bytes(compiled("qemu-x86"))
        for name, value in changes.items():
            setattr(system.debug_console, name, value)
        self.config = self.ffi.new("char[]", system.to_bytes())
        self.lib.system_config = self.config
        self.lib.console_init()

    def _read(self, port: int, size: int) -> int:
        self.polls += 1
        return 0x60 if port == 0x3FD and self.ready else 0

    def sent(self) -> bytes:
        return bytes(value for port, value in self.writes if port == 0x3F8)

    def ring(self) -> tuple[int, bytes]:
        out = self.ffi.new("char[2048]")
        tail = int(self.lib.fake_snapshot(self.ffi.addressof(self.lib.console_page), out))
        content = bytes(self.ffi.buffer(out))
        start = max(0, tail - SIZE)
        return tail, bytes(content[n % SIZE] for n in range(start, tail))


@pytest.fixture
def mod(hostlib: Any) -> Any:
    return hostlib(SOURCES, CDEF, headers=["jailhouse/types.h", "jailhouse/image.h"])


def test_ports_with_divider(mod: Any) -> None:
    console = Console(mod, divider=0x0102)
    assert console.writes == [(0x3FB, 0x80), (0x3F8, 2), (0x3F9, 1), (0x3FB, 3)]
    console.writes.clear()
    console.lib.fake_print(b"a\nb")
    assert console.sent() == b"a\r\nb"
    assert console.ring() == (3, b"a\nb")


def test_no_divider_leaves_the_uart_alone(mod: Any) -> None:
    assert Console(mod, divider=0).writes == []


def test_memory_with_wide_registers(mod: Any) -> None:
    mod.lib.fake_uart_registers[5 * 4] = b"\x20"
    console = Console(mod, address=0xFE000000, size=64, divider=0,
                      flags=ConsoleFlag.MMIO | ConsoleFlag.REGDIST_4)
    console.lib.fake_print(b"x")
    assert mod.lib.fake_uart_registers[0] == b"x"
    assert console.writes == []


def test_memory_that_cannot_be_mapped(mod: Any) -> None:
    console = Console(mod, address=0x1000, size=64, flags=ConsoleFlag.MMIO)
    console.lib.fake_print(b"x")
    assert console.ring() == (1, b"x")


def test_framebuffer_is_named_and_ignored(mod: Any) -> None:
    console = Console(mod, type=ConsoleType.EFIFB)
    assert b"not supported" in console.ring()[1]


def test_uart_that_never_takes_a_character(mod: Any) -> None:
    """Bounded, and the wait is not repeated for every character."""
    console = Console(mod, divider=0)
    console.ready = False
    console.lib.fake_print(b"a")
    first = console.polls
    console.lib.fake_print(b"b" * 100)
    assert console.sent() == b""
    assert console.polls - first < 1000
    console.ready = True
    console.lib.fake_print(b"c")
    assert console.sent() == b"c"


def test_ring_wraps(mod: Any) -> None:
    console = Console(mod)
    text = b"".join(b"line %05d\n" % n for n in range(500))
    for n in range(0, len(text), 77):
        console.lib.fake_print(text[n : n + 77])
    tail, content = console.ring()
    assert tail == len(text)
    assert content == text[-SIZE:]


def test_putc_is_raw(mod: Any) -> None:
    console = Console(mod, divider=0)
    for c in b"\r\nz":
        console.lib.console_putc(bytes([c]))
    assert console.sent() == b"\r\nz"
    assert console.ring() == (3, b"\r\nz")


def test_others_are_silent_during_a_panic(mod: Any) -> None:
    console = Console(mod)
    console.lib.fake_become_cpu(1)
    console.lib.fake_print(b"before ")
    console.lib.panic_begin()
    console.lib.fake_print(b"own ")
    console.lib.panic_end()
    console.lib.fake_print(b"after")
    assert console.ring()[1] == b"before own after"


def test_lines_of_several_cpus_and_a_reader(mod: Any) -> None:
    """No torn line in any copy; what the copies have in common fits together."""
    console = Console(mod, type=ConsoleType.NONE)
    console.lib.fake_writers_start()
    try:
        stream = b""
        for _ in range(300):
            tail, content = console.ring()
            assert len(content) == min(tail, SIZE)
            lines = content.split(b"\n")[1 if tail > SIZE else 0 : -1]
            assert all(re.fullmatch(rb"CPU [0-3] says \d{8}", line) for line in lines)
            known = len(stream)
            if tail - known <= SIZE and tail >= known:
                new = content[len(content) - (tail - known) :]
                stream += new
            else:
                stream += b"?" * (tail - known - len(content)) + content
        assert len(stream) > SIZE
    finally:
        console.lib.fake_writers_stop()
    seen = [(m[1], int(m[2])) for m in re.finditer(rb"CPU ([0-3]) says (\d{8})\n", stream)]
    for cpu in (b"0", b"1", b"2", b"3"):
        numbers = [n for c, n in seen if c == cpu]
        assert numbers == sorted(set(numbers))
