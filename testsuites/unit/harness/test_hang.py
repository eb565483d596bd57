# SPDX-License-Identifier: GPL-2.0-only
"""Hang reports without a machine: registers, tables, unwinding, and the names of states."""

import struct
import subprocess
from dataclasses import replace
from pathlib import Path

import pytest

from harness import provision
from harness.errors import DeadlineExpired
from harness.hang import image_arm64, kernel_arm64
from harness.hang.attach import EXPLAINED, explained
from harness.hang.kernel import NoKernel
from harness.hang.kernel_x86 import files
from harness.hang.memory import ArmPaged, Linear, NotMapped, Paged, Physical, u64
from harness.hang.orc import Frame, Orc
from harness.hang.program import Names, Place, Program
from harness.hang.registers import ArmCpu, parse
from harness.hang.states import Blocked, CpuSample, Kind, Mode, Sample, judge

QEMU = """\
CPU#0
RAX=ffffffff81a59180 RBX=0000000000000001 RCX=0000000000000000 RDX=4000000000000000
R8 =0000000000000002 R9 =0000000000000003 R10=0000000000000004 R11=0000000000000005
RIP=ffffffff81a592eb RFL=00000202 [-------] CPL=0 II=0 A20=1 SMM=0 HLT=1
GS =0000 ffff88803f200000 00000000 00000000
IDT=     fffffe0000000000 00000fff
CR0=80050033 CR2=0000000000584980 CR3=0000000002a10000 CR4=00750ef0
EFER=0000000000001d01

CPU#1
EAX=00000007 EBX=00000000 ECX=00000000 EDX=00000000
EIP=00001100 EFL=00000002 [-------] CPL=3 II=0 A20=1 SMM=0 HLT=0
CR0=00000011 CR2=00000000 CR3=00000000 CR4=00000000
EFER=0000000000000000
"""


def test_registers_of_both_widths() -> None:
    first, second = parse(QEMU)
    assert (first["RIP"], first["R9"], first["CR3"]) == (0xFFFFFFFF81A592EB, 3, 0x2A10000)
    assert (first["IDT"], first["GS.base"]) == (0xFFFFFE0000000000, 0xFFFF88803F200000)
    assert (first.halted, first.owned, first.wide, first["CPL"]) == (True, True, True, 0)
    assert (second["RIP"], second["RAX"], second["CPL"]) == (0x1100, 7, 3)
    assert (second.halted, second.owned, second.wide) == (False, False, False)
    assert parse("nothing of QEMU's") == []


QEMU_ARM = """\
CPU#0
 PC=ffff80000801e5c4 X00=0000000000000001 X01=0000000000000002
X29=ffff80000a403d40 X30=ffff800008b0c1f8  SP=ffff80000a403d40
PSTATE=600000c5 -ZC- EL1h

CPU#1
 PC=0000ffff00001234 X00=0000000000000000 X01=0000000000000000
X29=0000000000000000 X30=0000000000000000  SP=0000ffff00201000
PSTATE=80000009 N--- EL2h

CPU#2
R00=00000005 R01=00000000 R02=00000000 R03=00000000
R13=00201000 R14=00000000 R15=00008004
PSR=600001d3 -ZC- A S svc32
"""


def test_registers_of_arm_cpus() -> None:
    linux, hypervisor, narrow = parse(QEMU_ARM, "arm64")
    assert (linux.pc, linux["X29"], linux["SP"]) == (
        0xFFFF80000801E5C4, 0xFFFF80000A403D40, 0xFFFF80000A403D40,
    )  # fmt: skip
    assert (linux.owned, linux.user, linux.wide) == (False, False, True)
    assert (hypervisor.pc, hypervisor.owned, hypervisor.user) == (0xFFFF00001234, True, False)
    assert (narrow.pc, narrow.owned, narrow.wide) == (0x8004, False, False)
    assert ArmCpu(0, {"PC": 0, "PSTATE": 0x80000000}).user


class Ram:
    """A small memory that counts how often it is asked."""

    def __init__(self, size: int = 0x40000) -> None:
        self.data = bytearray(size)
        self.asked = 0

    def __call__(self, address: int, size: int) -> bytes:
        self.asked += 1
        return bytes(self.data[address : address + size])

    def put(self, address: int, value: int) -> None:
        struct.pack_into("<Q", self.data, address, value)


def test_physical_memory_is_asked_once_until_it_changes() -> None:
    ram = Ram()
    memory = Physical(ram, len(ram.data))
    ram.put(0x2FFC, 0x1122334455667788)
    assert u64(memory, 0x2FFC) == 0x1122334455667788  # across a page
    memory.read(0x3000, 64)
    assert ram.asked == 1
    ram.put(0x2FFC, 5)
    memory.forget()
    assert u64(memory, 0x2FFC) == 5
    with pytest.raises(NotMapped):
        memory.read(len(ram.data) - 4, 8)


def test_page_tables_small_and_large_pages() -> None:
    ram = Ram()
    memory = Physical(ram, 1 << 30)
    ram.put(0x1000 + 511 * 8, 0x2003)
    ram.put(0x2000 + 510 * 8, 0x3003)
    ram.put(0x3000 + 8 * 8, 0x4003)
    ram.put(0x4000, 0x9003)  # 4 KiB
    ram.put(0x3000 + 9 * 8, 0x200083)  # 2 MiB
    paged = Paged(memory, 0x1000 | 0x18)
    assert paged.translate(0xFFFFFFFF81000123) == 0x9123
    assert paged.translate(0xFFFFFFFF81234567) == 0x234567
    for address in (0xFFFFFFFF81001000, 0x1000):
        with pytest.raises(NotMapped):
            paged.translate(address)
    memory.forget()
    ram.data[0x9FFE:0x9FFF] = b"x"
    assert paged.read(0xFFFFFFFF81000FFE, 1) == b"x"


def test_arm_tables_of_both_stages() -> None:
    ram = Ram()
    memory = Physical(ram, 1 << 30)
    ram.put(0x1000 + 256 * 8, 0x2003)
    ram.put(0x2000, 0x3003)
    ram.put(0x3000 + 64 * 8, 0x0060000000200701)  # block of 2 MiB
    ram.put(0x3000 + 65 * 8, 0x4003)
    ram.put(0x4000 + 3 * 8, 0x0060000000009703)  # page
    ram.put(0x6000 + 512 * 8, 0x3003)  # in the second of two concatenated tables
    kernel = ArmPaged(memory, 0x1000)
    assert kernel.translate(0xFFFF800008012345) == 0x212345
    assert kernel.translate(0xFFFF800008203ABC) == 0x9ABC
    with pytest.raises(NotMapped, match="level 3"):
        kernel.translate(0xFFFF800008204000)
    second = ArmPaged(memory, 0x6000, levels=3, entries=1024)
    assert second.translate((512 << 30) + (64 << 21) + 5) == 0x200005


def test_memory_that_does_not_begin_at_0() -> None:
    ram = Ram()
    memory = Physical(lambda address, size: ram(address - 0x40000000, size), 0x4000, 0x40000000)
    ram.put(0x3FF8, 7)
    assert u64(memory, 0x40003FF8) == 7
    for address in (0x3FFFFFF8, 0x40004000):
        with pytest.raises(NotMapped):
            memory.read(address, 8)


def _orc(entry: tuple[int, int, int], new: bool = False) -> Orc:
    """A table for all addresses from 0xffffffff81fff000 on."""
    base = 0xFFFFFFFF82000000
    return Orc(struct.pack("<i", -0x1000), struct.pack("<hhH", *entry), base, new)


@pytest.mark.parametrize(("kind", "new"), [(0, False), (2, True)])
def test_orc_unwinds_a_call(kind: int, new: bool) -> None:
    """sp + 24, frame pointer saved 16 below: a function that pushed RBP and one more."""
    ram = Ram()
    memory = Linear(Physical(ram, 0x1000), 0xFFFF888000000000, 0, 0x1000)
    stack = 0xFFFF888000000100
    ram.put(0x100 + 16, 0xFFFFFFFF81000444)
    ram.put(0x100 + 8, 0xFFFF888000000ABC)
    here = Frame({"RIP": 0xFFFFFFFF82000000, "RSP": stack, "RBP": 1}, True)
    caller = _orc((24, -16, 5 | 1 << 4 | kind << 8), new).unwind(here, memory)
    assert caller is not None
    assert caller.registers == {"RIP": 0xFFFFFFFF81000444, "RSP": stack + 24, "RBP": 0xFFFF888000000ABC}
    assert not caller.exact
    assert _orc((0, 0, 0), new).unwind(here, memory) is None


@pytest.mark.parametrize("version", ["6.1", "6.12"])
def test_kallsyms_btf_and_orc_of_a_distribution_kernel(version: str) -> None:
    """Symbols out of the bare kernel, checked by what is known of them otherwise."""
    known = files(provision.kernel(version))
    assert len(known.symbols) > 50_000
    assert known.start <= known.symbols["__schedule"] < known.end
    assert known.text.of(known.symbols["__schedule"] + 5) == ("__schedule", 5)
    exported = known.symbols["__ksymtab_schedule"]  # relative offset of the value first
    with provision.kernel(version).payload.open("rb") as file:
        from elftools.elf.elffile import ELFFile

        for section in ELFFile(file).iter_sections():
            start = section["sh_addr"]
            if start and start <= exported < start + section["sh_size"]:
                relative = struct.unpack_from("<i", section.data(), exported - start)[0]
                assert exported + relative == known.symbols["schedule"]
                break
        else:
            pytest.fail("no section holds __ksymtab_schedule")
    assert known.btf.offset("list_head", "prev") == 8
    assert known.btf.offset("task_struct", "tasks.prev") == known.btf.offset("task_struct", "tasks") + 8


@pytest.mark.parametrize("version", ["6.1", "6.12"])
def test_an_arm_kernel_without_sections(version: str) -> None:
    """The bare image: what was found by structure, checked by what the image holds there."""
    tree = provision.kernel(version, "arm64")
    known = image_arm64.files(tree)
    image = tree.payload.read_bytes()
    assert known.text.of(known.symbols["__schedule"] + 8) == ("__schedule", 8)
    assert image[known.symbols["linux_banner"] :].startswith(f"Linux version {tree.release}".encode())
    task = known.symbols["init_task"]
    assert image[task + known.btf.offset("task_struct", "comm") :].startswith(b"swapper\0")
    # 6.12 names it, 6.1 does not: read off the code that uses it.
    modules = image_arm64.first_address(image, known.symbols["find_module_all"])
    assert modules == known.symbols["modules"]
    assert known.end < modules < image_arm64.size(tree)


def test_a_kernel_is_found_through_a_hint() -> None:
    """Physical start by the banner, tables by a CPU in its code; not the tables it began with."""
    ram = Ram(0x600000)
    memory = Physical(ram, len(ram.data))
    kernel = image_arm64.files(provision.kernel("6.1", "arm64"))
    symbols = {**kernel.symbols, "linux_banner": 0x9000}
    known = replace(kernel, symbols=symbols, start=0x1000, end=0x3000)
    banner = f"Linux version {known.release} (us)".encode()
    ram.data[0x209000 : 0x209000 + 80] = banner.ljust(80, b"\0")
    for root, linear in ((0x20A000, 0), (0x20E000, 0x999003)):
        ram.put(root, linear)
        ram.put(root + 256 * 8, root + 0x1003)
        ram.put(root + 0x1000, root + 0x2003)
        ram.put(root + 0x2000 + 64 * 8, 0x200701)
    start = kernel_arm64._physical_start(known, memory, range(0x100000, len(ram.data)))
    assert start == 0x200000
    hint = 0xFFFF800008001234
    tables, slide = kernel_arm64._tables(known, memory, start, 0x100000, [0x1234, hint])
    assert slide == 0xFFFF800008000000
    assert (tables._root, tables.translate(hint)) == (0x20E000, 0x201234)
    with pytest.raises(NoKernel, match="no CPU is in Linux"):
        kernel_arm64._tables(known, memory, start, 0x100000, [0xFFFF800008004000])


_HIGH = 0xFFFF800000000000


class Stack:
    """Frame records in a row, and functions by name for `place`."""

    def __init__(self) -> None:
        ram = Ram(0x1000)
        for at, above, back in ((0x100, 0x7200, 0x2008), (0x200, 0x7300, 0x3008), (0x300, 0, 0)):
            ram.put(at, above)
            ram.put(at + 8, back | _HIGH if back else 0)
        kernel = object.__new__(kernel_arm64.Arm64Kernel)
        text = Names([(0x1000, "leaf"), (0x2000, "caller"), (0x3000, "entry"), (0x4000, "between")])
        kernel._files = replace(
            image_arm64.files(provision.kernel("6.1", "arm64")), text=text, start=0x1000, end=0x5000
        )
        kernel.slide, kernel.memory = _HIGH, Linear(Physical(ram, 0x1000), 0x7000, 0, 0x1000)
        kernel.modules = []
        self.kernel = kernel

    def names(self, pc: int, link: int) -> list[str]:
        registers = {"PC": pc | _HIGH, "X29": 0x7100, "X30": link | _HIGH}
        return [place.symbol for place in self.kernel.trace(registers)]


def test_arm_frames_with_and_without_the_link_register() -> None:
    stack = Stack()
    # It has a frame: X30 is its return address still, or what its last call left.
    assert stack.names(0x1004, 0x2008) == ["leaf", "caller", "entry"]
    assert stack.names(0x1010, 0x1008) == ["leaf", "caller", "entry"]
    # It has none: the frame is its caller's.
    assert stack.names(0x1004, 0x4008) == ["leaf", "between", "caller", "entry"]


CODE = """
static int __attribute__((noinline)) inner(int n) { __asm__ volatile("nop"); return n + 1; }
static inline __attribute__((always_inline)) int middle(int n) { return inner(n) * 3; }
int __attribute__((noinline)) outer(int n) { volatile int keep[8] = { n }; return middle(keep[0]) + keep[1]; }
int _start(void) { return outer(4) + 1; }
"""


def test_a_program_is_unwound_by_its_dwarf(tmp_path: Path) -> None:
    (tmp_path / "inmates").mkdir()
    source = tmp_path / "inmates" / "code.c"
    source.write_text(CODE)
    subprocess.run(
        ["gcc", "-g", "-O1", "-nostdlib", "-static", "-fno-asynchronous-unwind-tables", "-fno-unwind-tables",
         "-fno-pie", "-no-pie", "-fno-stack-protector", "-o", tmp_path / "code", source], check=True,
    )  # fmt: skip
    program = Program(tmp_path / "code", "code")
    outer = program.names.address("outer")
    # The frame of inner() is just a return address into outer(), whose frame the table describes.
    call = program.code.index(b"\xe8", outer - program.start) + program.start
    ram = Ram(0x1000)
    memory = Linear(Physical(ram, 0x1000), 0x7000, 0, 0x1000)
    ram.put(0x100, call + 5)
    inner = {"RIP": program.names.address("inner"), "RSP": 0x7100, "RBP": 0}
    caller = program.unwind(inner, memory, top=True)
    assert caller is not None
    assert (caller["RIP"], caller["RSP"]) == (call + 5, 0x7108)
    names = [place.symbol for place in program.places(caller["RIP"], returned=True)]
    assert names == ["middle (inlined)", "outer"]
    assert program.places(caller["RIP"], returned=True)[0].file == "inmates/code.c"
    assert [p.line for p in program.places(caller["RIP"], returned=True)] == [3, 4]


def test_names() -> None:
    names = Names([(16, "b"), (4, "a")])
    assert (names.of(3), names.of(4), names.of(15), names.of(17)) == (("", 0), ("a", 0), ("a", 11), ("b", 1))


# --- states


def at(symbol: str, file: str = "", line: int = 0, where: str = "linux") -> Place:
    return Place(0x1000, symbol, 0, file, line, where)


def linux(number: int, *symbols: str, halted: bool = False) -> CpuSample:
    return CpuSample(number, Mode.LINUX, halted, [at(name) for name in symbols])


def inmate(symbol: str, halted: bool = False, state: str = "running", exits: int = 0) -> CpuSample:
    return CpuSample(
        2, Mode.INMATE, halted, [at(symbol, "inmates/x.c", 7)], cell="guest", root=False,
        cell_state=state, exits={"total": exits, "cpuid": exits},
    )  # fmt: skip


def hypervisor(symbol: str, suspended: bool = False, exits: int = 0) -> CpuSample:
    return CpuSample(
        2, Mode.HYPERVISOR, False, [at("cpu_relax (inlined)", "a.h", 1), at(symbol, "hypervisor/x.c", 9)],
        suspended=suspended, exits={"total": exits, "mmio": exits}, cell="guest", root=False,
        cell_state="running", guest_frames=[at("poll", "inmates/y.c", 3)],
    )  # fmt: skip


IDLE = linux(0, "native_safe_halt", "default_idle", "do_idle", halted=True)
BUSY = linux(1, "memcpy", "do_syscall_64")
WAITS = Blocked("first (7)", (at("__schedule"), at("schedule"), at("__mutex_lock"), at("take_it", where="mod")))
DISK = Blocked("io (8)", (at("__schedule"), at("io_schedule"), at("folio_wait_bit")))


@pytest.mark.parametrize(
    ("looks", "blocked", "kind", "says"),
    [
        ([[IDLE]] * 3, [], Kind.HALTED, "1 CPUs wait"),
        ([[IDLE, BUSY], [IDLE, linux(1, "other", "x")]], [], Kind.NOTHING, "CPU 1 runs linux"),
        ([[IDLE, hypervisor("turn")]] * 3, [], Kind.SPINNING, "CPU 2 at hypervisor/x.c:9 (turn)"),
        ([[IDLE, hypervisor("turn", suspended=True)]] * 3, [], Kind.NOTHING, "suspended"),
        ([[IDLE, hypervisor("turn")], [IDLE, inmate("main")]], [], Kind.NOTHING, "runs cell"),
        ([[IDLE, hypervisor("a")], [IDLE, hypervisor("b", exits=9000)]], [], Kind.STORM,
         "9000 times a second (mmio) at inmates/y.c:3"),
        ([[IDLE, inmate("main")], [IDLE, inmate("main", exits=2000)]], [], Kind.SILENT_INMATE,
         "cell 'guest' stays at inmates/x.c:7 (main) (CPU 2)"),
        ([[IDLE, inmate("wait", halted=True)]] * 3, [], Kind.SILENT_INMATE, "is halted at"),
        ([[IDLE, inmate("wait", halted=True, state="shut down")]] * 3, [], Kind.NOTHING, "shut down"),
        ([[IDLE, linux(1, "native_queued_spin_lock_slowpath", "_raw_spin_lock", "mine")]] * 2, [],
         Kind.DEADLOCK, "CPU 1 spins on a lock wanted by mine [linux]"),
        ([[IDLE, linux(1, "_raw_spin_lock", "mine")], [IDLE, BUSY]], [], Kind.NOTHING, ""),
        ([[IDLE]] * 2, [WAITS], Kind.DEADLOCK, "task first (7) waits for a lock in take_it [mod]"),
        ([[IDLE]] * 2, [DISK], Kind.HALTED, ""),
        ([], [], Kind.NOTHING, ""),
    ],
)  # fmt: skip
def test_states(looks: list[list[CpuSample]], blocked: list[Blocked], kind: Kind, says: str) -> None:
    state = judge([Sample(float(n), cpus) for n, cpus in enumerate(looks)], blocked)
    assert state.kind is kind, state
    assert says in state.text


def test_a_parked_cpu_is_no_hang() -> None:
    parked = inmate("x", halted=True)
    parked.failed = True
    state = judge([Sample(0.0, [IDLE, parked])] * 2, [])
    assert state.kind is Kind.NOTHING
    assert state.cpus[1].text == "parked for a violation (cell 'guest')"


def test_which_errors_are_explained() -> None:
    assert issubclass(DeadlineExpired, EXPLAINED)
    error = DeadlineExpired("x")
    assert not explained(error)
    error.add_note("hang report: spinning")
    assert explained(error)
