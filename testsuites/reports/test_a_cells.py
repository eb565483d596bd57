# SPDX-License-Identifier: GPL-2.0-only
"""Reports about the life of cells. See docs/bugs.md for those tested elsewhere."""

import errno
import re
import time
import zlib
from collections.abc import Callable

import pytest

from harness.deadlines import scaled
from harness.errors import HostStarved, ProductFailure, Verdict
from harness.guest.linux import Linux
from harness.programs import Program
from harness.targets import Target
from harness.verbs import CONFIGS, Jailhouse, JailhouseError
from jailhouse.cellfile import CellConfig, MemFlag
from testsuites.checks import (
    Bench,
    Hvcall,
    assert_parked,
    cpus_but,
    largest,
    online,
    root_name,
    survived,
)

x86 = pytest.mark.architectures("x86", reason="reproduced with what only x86 has")

Repeats = Callable[[int, int], int]


def config(jailhouse: Jailhouse, name: str) -> CellConfig:
    return CellConfig.from_bytes(jailhouse.linux.get(str(CONFIGS / f"{name}.cell")))


def changed(jailhouse: Jailhouse, cell: CellConfig, path: str = "/tmp/changed.cell") -> str:
    jailhouse.linux.put(cell.to_bytes(), path)
    return path


# --- A5


@x86
@pytest.mark.bug("A5")
@pytest.mark.parametrize("end", ["start", "size"])
def test_a5_memory_that_is_not_page_aligned(jailhouse: Jailhouse, end: str) -> None:
    """RAM whose start or size is shifted by 0x800 becomes a trapped sub-page region, and
    code in it or REP STOS cannot be emulated. `config check` names the region; at run
    time the offending CPU stops, and nobody else."""
    before = jailhouse.pools()
    cell = config(jailhouse, "test-one")
    ram = cell.mem_regions[1]
    if end == "start":
        ram.virt_start += 0x800
        ram.phys_start += 0x800
    ram.size -= 0x800
    path = changed(jailhouse, cell)
    told = jailhouse.linux.run(f"jailhouse config check {CONFIGS}/{root_name(jailhouse.linux)}.cell {path}")
    assert told.status == 1
    assert re.search(r"(?i)sub-?page|page", told.output), told.output
    bench = Bench.create(jailhouse, "test-one", path)
    address = ram.virt_start + 0x10
    outcome = bench.outcome(f"mem-stos addr={address:#x}")
    assert_parked(bench, outcome, r"FATAL: ", bench.cpu)
    bench.destroy()
    survived(jailhouse, before)


# --- A12


@pytest.mark.bug("A12")
def test_a12_cycles_lose_nothing(
    jailhouse: Jailhouse, small: Program, repeats: Repeats
) -> None:
    """Pages leaked with every create and destroy until create said ENOMEM: pools are equal
    after each of 200 cycles (with --soak)."""
    before = jailhouse.pools()
    for number in range(repeats(8, 200)):
        name = ("test-one", largest(jailhouse.linux), small.name, "test-other")[number % 4]
        jailhouse.create(name)
        # Answers the request of destroy; a billion turns of waiting for a demo take minutes.
        jailhouse.load(name, "protocol")
        jailhouse.start(name)
        jailhouse.destroy(name)
        assert jailhouse.pools() == before, f"cycle {number}"
    survived(jailhouse, before)


@pytest.mark.needs("cpus-4")
@pytest.mark.bug("A12")
def test_a12_failing_creates_lose_nothing(
    jailhouse: Jailhouse, target: Target, repeats: Repeats
) -> None:
    """Creates that fail late: CPU of another cell, same name; on x86 IOAPIC unknown and
    pin_base, on ARM pin_base that is no multiple of 32 or beyond the last interrupt."""
    Bench.create(jailhouse, "test-other")
    before = jailhouse.pools()
    foreign = config(jailhouse, "test-one")
    foreign.set_cpus([1, 2])
    device = "ioapic-demo" if target.architecture == "x86" else "test-gic"
    unknown, pins = config(jailhouse, device), config(jailhouse, device)
    if target.architecture == "x86":
        unknown.irqchips[0].address = 0xDEAD0000
        pins.irqchips[0].pin_base = 32
    else:
        unknown.irqchips[0].pin_base = 33
        pins.irqchips[0].pin_base = 928
    tries = [
        (changed(jailhouse, foreign, "/tmp/foreign.cell"), errno.EBUSY),
        (changed(jailhouse, unknown, "/tmp/unknown.cell"), errno.EINVAL),
        (changed(jailhouse, pins, "/tmp/pins.cell"), errno.EINVAL),
        ("test-other", errno.EEXIST),
    ]
    for _ in range(repeats(2, 50)):
        for path, number in tries:
            with pytest.raises(JailhouseError) as refused:
                jailhouse.create(path)
            assert refused.value.errno == number, path
            assert jailhouse.pools() == before, path
    assert online(jailhouse.linux) == "0,2-3"


# --- A15


@pytest.mark.bug("A15")
def test_a15_create_from_a_cpu_of_the_new_cell(jailhouse: Jailhouse) -> None:
    """The tool itself runs on the CPU that it gives away."""
    linux = jailhouse.linux
    linux.succeed("dmesg -c >/dev/null")
    (cpu,) = config(jailhouse, "test-one").cpus
    linux.succeed(["taskset", "-c", str(cpu), "jailhouse", "cell", "create", str(CONFIGS / "test-one.cell")])
    assert online(linux) == cpus_but(linux, cpu)
    linux.succeed("jailhouse cell destroy test-one")
    assert online(linux) == cpus_but(linux)
    assert "WARNING" not in linux.succeed("dmesg")


@pytest.mark.bug("A15")
def test_a15_one_cpu_in_two_cells(jailhouse: Jailhouse, small: Program) -> None:
    """EBUSY for the second; everybody's CPUs stay where they are."""
    linux, bench = jailhouse.linux, Bench.create(jailhouse, "test-one")
    before = jailhouse.pools()
    larger = ("test-two", "smp-demo") if linux.machine.spec.cpus >= 4 else ("test-other",)
    for name in (*larger, small.name):
        with pytest.raises(JailhouseError) as refused:
            jailhouse.create(name)
        assert refused.value.errno == errno.EBUSY
    assert online(linux) == cpus_but(linux, bench.cpu)
    assert jailhouse.pools() == before


@pytest.mark.bug("A15")
def test_a15_the_callers_own_cpu(jailhouse: Jailhouse, hvcall: Hvcall) -> None:
    """Past the driver: the hypercall refuses the CPU that it comes from."""
    data = bytearray(config(jailhouse, "test-one").to_bytes())
    data[40] = 9
    (cpu,) = config(jailhouse, "test-one").cpus
    before = jailhouse.pools()
    answer = hvcall.batch([("create", cpu, bytes(data).hex(), 0)])[0]
    assert answer.check().result == -errno.EBUSY
    assert jailhouse.pools() == before


# --- A16


@pytest.mark.bug("A16")
@pytest.mark.slow
def test_a16_no_timeout_and_no_answer(fresh_linux: Callable[..., Linux], target: Target) -> None:
    """msg_reply_timeout = 0 means for ever (decision 18): the root cell hangs, and the
    harness says so within its deadline instead of hanging with it."""
    linux = fresh_linux()
    verbs = Jailhouse(linux)
    verbs.load_module()
    verbs.enable(target.root_config)
    bench = Bench.create(verbs, "test-wait")
    bench.run("protocol", "ignore")
    bench.says("^READY$")
    began = time.monotonic()
    with pytest.raises(Verdict) as silent:
        verbs.shutdown(bench.number, timeout=4)
    assert isinstance(silent.value, ProductFailure | HostStarved)
    assert time.monotonic() - began < scaled(40)
    linux.machine.stop()


# --- A25


@pytest.mark.bug("A25")
def test_a25_images_that_do_not_fit(jailhouse: Jailhouse) -> None:
    """Targets outside, at the end, in a region that is not loadable: EINVAL, nothing is
    written; size 0 is nothing to do."""
    bench = Bench.create(jailhouse, "test-one")
    linux = jailhouse.linux
    linux.put(b"x" * 4096, "/tmp/page.bin")
    linux.put(b"", "/tmp/empty.bin")
    for address in (0xFF001, 0xFFFFF, 0x100000, 0x101000, 0x1FFFFF, 0x600000, 1 << 40, (1 << 64) - 4096):
        with pytest.raises(JailhouseError) as refused:
            jailhouse.load(bench.number, ("/tmp/page.bin", address))
        assert refused.value.errno == errno.EINVAL, hex(address)
    jailhouse.load(bench.number, ("/tmp/page.bin", 0xFF000), ("/tmp/page.bin", 0x5FF000))
    jailhouse.load(bench.number, ("/tmp/empty.bin", 1 << 40))


# --- A56


@pytest.mark.needs("cpus-4")
@pytest.mark.bug("A56")
def test_a56_create_and_destroy_under_load(
    jailhouse: Jailhouse, timer: Program, repeats: Repeats
) -> None:
    """create hung in half of all runs on some boards: IPIs, timers and idle CPUs in the
    root cell meanwhile, changing CPUs, and no operation takes ten seconds.

    Also with a load in between: then the CPU is parked when it is parked again, and once
    a start that Linux made at that moment was lost (ARM)."""
    linux = jailhouse.linux
    linux.succeed(
        "rm -f /tmp/stop-load; for n in 1 2; do (while [ ! -e /tmp/stop-load ]; do "
        "for c in 0 1 2 3; do taskset -c $c true; done; usleep 1000; done) >/dev/null 2>&1 & done"
    )
    before = jailhouse.pools()
    names = ("test-one", "test-other", timer.name, "test-two")
    for number in range(repeats(8, 500)):
        name = names[number % len(names)]
        jailhouse.create(name, timeout=10)
        if number % 2:
            jailhouse.load(name, "protocol")
        jailhouse.destroy(name, timeout=10)
    assert online(linux) == "0-3"
    linux.succeed("touch /tmp/stop-load; sleep 0.3")
    survived(jailhouse, before)


# --- A59


SELFTEST = (
    "t-word=hello t-hex=0x1f t-neg=-5 t-flag=1 t-off=0 t-empty t-hello=1 t-he=3 "
    "t-long=abcdefghijk t-last=9"
)


@x86
@pytest.mark.bug("A59")
@pytest.mark.parametrize("image", ["selftest", "selftest-32"])
def test_a59_inmate_library(bench: Bench, image: str) -> None:
    """Dirty RAM, interrupts in leaf functions, numbers, maps beyond 2 MiB: at the first
    start, at the second of the same load, and loaded into RAM full of ones."""
    linux = bench.jailhouse.linux
    linux.succeed("tr '\\0' '\\377' </dev/zero | head -c 1048576 >/tmp/ones.bin")
    words = SELFTEST + (" ram=0x200000" if image == "selftest" else "")
    for dirty in (False, True):
        if dirty:
            bench.jailhouse.load(bench.number, ("/tmp/ones.bin", 0), ("/tmp/ones.bin", 0x200000))
        bench.run(image, words)
        bench.done(30)
        bench.start()
        assert "failed" not in bench.done(30)


# --- A62


@pytest.mark.bug("A62")
def test_a62_images_at_odd_places(bench: Bench) -> None:
    """One to three images, odd offsets, sizes around a page: each arrives whole, and the
    bytes around it are untouched."""
    linux = bench.jailhouse.linux
    base = 0x200000
    images = []
    expected = bytearray(b"\0" * 0x10000)
    for number, (offset, size) in enumerate(
        [(1, 1), (0x123, 4095), (0x2000, 4096), (0x3801, 4097), (0x6000, 0), (0x7FFF, 8193)]
    ):
        content = bytes((number * 37 + n) % 251 + 1 for n in range(size))
        linux.put(content, f"/tmp/image{number}.bin")
        expected[offset : offset + size] = content
        images.append((f"/tmp/image{number}.bin", base + offset))
    linux.put(bytes(0x10000), "/tmp/zero.bin")
    words = bench.command_line(f"mode=crc regions={base:#x}:0x10000")
    bench.jailhouse.load(bench.number, "memcheck", words, ("/tmp/zero.bin", base), *images)
    bench.start()
    text = bench.done()
    assert f"CRC {base:x} 10000 {zlib.crc32(expected):08x}" in text


# --- U


@x86
@pytest.mark.bug("U11")
def test_u11_ioapic_pins_come_back(jailhouse: Jailhouse, repeats: Repeats) -> None:
    """A second irqchip with pin_base 32 failed the create and leaked the first one's page."""
    before = jailhouse.pools()
    cell = config(jailhouse, "ioapic-demo")
    second = type(cell.irqchips[0])(cell.irqchips[0].address, cell.irqchips[0].id, 32)
    cell.irqchips.append(second)
    path = changed(jailhouse, cell)
    for _ in range(repeats(5, 100)):
        with pytest.raises(JailhouseError) as refused:
            jailhouse.create(path)
        assert refused.value.errno == errno.EINVAL
        assert jailhouse.pools() == before
    # Root's pin still works: power-button events come by pin 9, the serial console by 3.
    assert jailhouse.linux.succeed("echo pins") == "pins\n"
    survived(jailhouse, before)


@pytest.mark.bug("U14")
def test_u14_memory_is_cleared_before_its_next_owner(jailhouse: Jailhouse, hvcall: Hvcall) -> None:
    """Our policy (decision 12): zero at destroy; not at shutdown, start or load."""
    key = 0xC0FFEE
    bench = Bench.create(jailhouse, "test-one")
    bench.run("memcheck", f"mode=fill key={key}")
    bench.done()
    # The same cell, loaded again: its memory is its own.
    bench.run("memcheck", f"mode=verify key={key}")
    bench.done()
    bench.destroy()
    ram = config(jailhouse, "test-one").mem_regions[1]
    pages = range(ram.phys_start, ram.phys_start + ram.size, 0x40000)
    answers = hvcall.batch([("read", -1, page + 8, 8) for page in pages])
    assert {answer.check().value for answer in answers} == {0}
    bench = Bench.create(jailhouse, "test-one")
    bench.run("memcheck", f"mode=scan key={key}")
    assert "nonzero 0 matching 0" in bench.done()


@pytest.mark.bug("U14")
def test_u14_shared_and_read_only_memory_is_not_cleared(jailhouse: Jailhouse, hvcall: Hvcall) -> None:
    """What the root cell shares, or the cell could not write, is left alone."""
    cell = config(jailhouse, "test-one")
    ram = cell.mem_regions[1]
    ram.flags = MemFlag.READ | MemFlag.WRITE | MemFlag.ROOTSHARED
    hvcall.batch([("write", -1, ram.phys_start, 8, 0x1122334455667788)])
    bench = Bench.create(jailhouse, "test-one", changed(jailhouse, cell))
    bench.destroy()
    assert hvcall.one("read", ram.phys_start, 8).check().value == 0x1122334455667788
    hvcall.batch([("write", -1, ram.phys_start, 8, 0)])


@x86
@pytest.mark.bug("U15")
def test_u15_pool_figures_are_for_everybody(bench: Bench) -> None:
    """A cell may read the hypervisor's page figures: the contract (abi.md 3.3) says so."""
    pools = bench.jailhouse.pools()
    wanted = (pools.mem_size, pools.mem_used, pools.remap_size, pools.remap_used, 2)
    for kind, value in enumerate(wanted):
        assert bench.outcome(f"hypercall addr=5 value={kind}") == f"survived\nVALUE {value:x}"
