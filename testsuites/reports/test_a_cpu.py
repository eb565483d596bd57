# SPDX-License-Identifier: GPL-2.0-only
"""Reports about what CPUs may do and what is emulated. See docs/bugs.md for those tested elsewhere."""

import re
import subprocess
import time
from collections.abc import Callable

import pytest

from harness.artifacts import build_root
from harness.deadlines import Deadline, scaled
from harness.verbs import Jailhouse
from testsuites.checks import Bench, Hvcall, assert_parked, survived

pytestmark = pytest.mark.architectures("x86", reason="about x86 processors, APICs and PCI")

Repeats = Callable[[int, int], int]


# --- A28


HDA, NIC = 0xD8, 0x10
#: violate.c's words in a cell that owns the HDA controller -> how it ends.
PCI_TABLE = {
    f"pci-read dev={HDA:#x} reg=0": "survived\nVALUE 26688086",
    f"pci-read dev={HDA:#x} reg=2 size=2": "survived\nVALUE 2668",
    f"pci-read dev={NIC:#x} reg=0": "survived\nVALUE ffffffff",
    f"mmconfig-read dev={HDA:#x} reg=0": "survived\nVALUE 26688086",
    f"mmconfig-read dev={NIC:#x} reg=0x100": "survived\nVALUE ffffffff",
    f"pci-write dev={HDA:#x} reg=4 size=2 value=2": "survived",
    f"pci-write dev={HDA:#x} reg=0x0c size=1 value=0": "survived",
    f"pci-write dev={HDA:#x} reg=0x3c size=1 value=11": "survived",
    f"pci-write dev={HDA:#x} reg=0x10 size=4 value=0xffffffff": "survived",
    # Each program is a start, and that puts the BAR shadows back (masks: unit/hypervisor/test_pci.py).
    f"pci-read dev={HDA:#x} reg=0x10": "survived\nVALUE fe",
    f"pci-write dev={HDA:#x} reg=0x30 size=4 value=0xffffffff": "survived",
    f"pci-read dev={HDA:#x} reg=0x30": "survived\nVALUE 0",
    f"pci-write dev={HDA:#x} reg=0 size=2 value=0": "FATAL: Invalid PCI config write, device 00:1b.0, reg: 0x0, size: 2",
    f"pci-write dev={HDA:#x} reg=0x2c size=4 value=0": "FATAL: Invalid PCI config write, device 00:1b.0, reg: 0x2c",
    f"pci-write dev={HDA:#x} reg=0x40 size=4 value=0": "FATAL: Invalid PCI config write, device 00:1b.0, reg: 0x40",
    f"mmconfig-write dev={HDA:#x} reg=0x100 size=4": "FATAL: Invalid PCI MMCONFIG write, device 00:1b.0, reg: 0x100",
    f"mmconfig-write dev={HDA:#x} reg=4 size=8": "FATAL: Invalid PCI MMCONFIG write, device 00:1b.0, reg: 0x4, size: 8",
    f"mmconfig-read dev={HDA:#x} reg=0 size=8": "FATAL: Invalid PCI MMCONFIG read, device 00:1b.0, reg: 0x0, size: 8",
    f"pci-write dev={NIC:#x} reg=4 size=2 value=0": "FATAL: Invalid PCI config write, device 00:02.0, reg: 0x4",
}


@pytest.mark.needs("hda", "mmconfig")
@pytest.mark.bug("A28")
def test_a28_table_of_configuration_space(jailhouse: Jailhouse) -> None:
    """Allow, emulate, refuse, as abi.md 9.2 has it; refusals name device and register."""
    before = jailhouse.pools()
    bench = Bench.create(jailhouse, "pci-demo", own_uart=False)
    wrong = []
    for what, wanted in PCI_TABLE.items():
        outcome = bench.outcome(what)
        if not outcome.startswith(wanted):
            wrong.append(f"{what}: {outcome!r} instead of {wanted!r}")
        elif outcome.startswith("FATAL"):
            assert_parked(bench, outcome, re.escape(wanted), 2)
    assert not wrong, "\n".join(wrong)
    bench.destroy()
    survived(jailhouse, before)


@pytest.mark.needs("mmconfig")
@pytest.mark.bug("A28")
def test_a28_root_reads_everything_and_rescans(jailhouse: Jailhouse, hvcall: Hvcall) -> None:
    """Every dword of owned and unowned functions by ports and MMCONFIG, then a rescan."""
    calls: list[tuple[object, ...]] = []
    for bdf in (0x00, NIC, HDA, 0xF8, 0xFA, 0x20):
        for register in range(0, 256, 4):
            calls.append(("out", 1, 0xCF8, 4, 0x80000000 | bdf << 8 | register))
            calls.append(("in", 1, 0xCFC, 4))
        calls += [("read", 1, 0xB0000000 + (bdf << 12) + register, 4) for register in range(0, 4096, 128)]
    answers = hvcall.batch(calls)
    assert not [answer for answer in answers if answer.errno]
    jailhouse.linux.succeed("echo 1 >/sys/bus/pci/rescan")
    jailhouse.linux.check_health()


# --- A31


#: What a cell finds: reading never stops it. (first, last) -> outcome.
READABLE = {(0x10, 0x10), (0x1B, 0x1B), (0x277, 0x277), (0x2FF, 0x2FF), (0xC0000080, 0xC0000084),
            (0xC0000100, 0xC0000103)}  # fmt: skip
UNREADABLE = {(0xC0010114, 0xC0010114), (0xC0010117, 0xC0010117), (0xDEADBEEF, 0xDEADBEEF),
              (0xC0002001, 0xC0002001), (0x4B564D02, 0x4B564D02)}  # fmt: skip


def runs(text: str, kind: str = "READ") -> dict[int, str]:
    found = {}
    for first, last, how in re.findall(rf"^{kind} ([0-9a-f]+)-([0-9a-f]+) (ok|gp)$", text, re.M):
        for number in range(int(first, 16), int(last, 16) + 1):
            found[number] = how
    return found


@pytest.mark.bug("A31")
def test_a31_reading_any_msr_stops_no_cell(bench: Bench) -> None:
    """MSRs that newer kernels use parked CPUs. Every read of a cell ends with a value or #GP."""
    ranges = "0x0-0x1fff,0xc0000000-0xc0001fff,0xc0010000-0xc0011fff"
    extra = ",".join(f"{first:#x}-{last:#x}" for first, last in READABLE | UNREADABLE)
    bench.run("msr-scan", f"range={ranges},{extra}")
    found = runs(bench.done(60))
    assert len(found) >= 3 * 0x2000
    for first, last in READABLE:
        assert {found[n] for n in range(first, last + 1)} == {"ok"}, hex(first)
    for first, last in UNREADABLE:
        assert {found[n] for n in range(first, last + 1)} == {"gp"}, hex(first)


@pytest.mark.bug("A31")
def test_a31_reading_any_msr_stops_no_root_cpu(jailhouse: Jailhouse, hvcall: Hvcall) -> None:
    """Root, on a sacrificial CPU: a value or #GP, and the CPU comes back every time."""
    numbers = [*range(0x400), *range(0x800, 0x840), *range(0xC0000080, 0xC0000110),
               *range(0xC0010000, 0xC0010120), 0xC0002001, 0x4B564D02, 0xDEADBEEF]  # fmt: skip
    last = jailhouse.linux.machine.spec.cpus - 1
    answers = hvcall.batch([("rdmsr", last, number) for number in numbers])
    lost = [hex(n) for n, answer in zip(numbers, answers, strict=True) if answer.errno]
    assert not lost
    values = dict(zip(numbers, answers, strict=True))
    assert values[0xDEADBEEF].result == -5, "#GP"
    assert values[0x10].result == 0
    # No register of the local APIC that is not there was touched: QEMU would keep the error,
    # and Linux blame the next wake-up of a CPU for it.
    assert hvcall.one("rdmsr", 0x828, cpu=last).check().value == 0


@pytest.mark.bug("A31")
def test_a31_writes_that_root_makes(jailhouse: Jailhouse, hvcall: Hvcall) -> None:
    """Written back as read: what kernels write when CPUs come and go never parks the root cell."""
    harmless = [0xC0000080, 0x277, 0xC0000102, 0xC0000103, 0x174, 0x2FF, 0xC0010015, 0xDEADBEEF]
    last = jailhouse.linux.machine.spec.cpus - 1
    read = hvcall.batch([("rdmsr", last, number) for number in harmless])
    written = hvcall.batch(
        [("wrmsr", last, number, answer.value) for number, answer in zip(harmless, read, strict=True)]
    )
    assert not [answer for answer in written if answer.errno]
    assert written[-1].result == -5
    assert jailhouse.cell(0).cpus_failed == ""


# --- A34


@pytest.mark.bug("A34")
def test_a34_exceptions_are_delivered(bench: Bench) -> None:
    """Intercepted ones too, with the right error code.

    Before the loops: QEMU 10.0.13 dies of a segmentation fault in this program's watchpoint
    after the loops ran in the same machine, and says nothing.
    """
    bench.run("exceptions", "mode=benign")
    assert "failed" not in bench.done()


@pytest.mark.bug("A34")
@pytest.mark.parametrize("mode", ["db-loop", "ac-loop", "ud-loop"])
def test_a34_exception_loops_do_not_hold_a_cpu(jailhouse: Jailhouse, mode: str) -> None:
    """CVE-2015-5307 and -8104: a CPU that raises an exception while delivering it is
    taken away from the cell all the same."""
    before = jailhouse.pools()
    bench = Bench.create(jailhouse, "test-timeout")
    bench.run("exceptions", f"mode={mode}")
    bench.says(rf"^LOOP {mode}$")
    if mode == "db-loop":
        deadline = Deadline.after(scaled(10))
        while jailhouse.stats(bench.number)["exception"] == 0:
            assert not deadline.expired, "no exception was counted"
    began = time.monotonic()
    bench.destroy()
    assert time.monotonic() - began < scaled(5)
    survived(jailhouse, before)


# --- A48


@pytest.mark.bug("A48")
@pytest.mark.parametrize("image", ["jailhouse-amd", "jailhouse-intel"])
def test_a48_fence_before_the_icr(image: str) -> None:
    """WRMSR to x2APIC registers does not serialise: MFENCE and LFENCE come first. Seen in
    the image, because no emulator reorders."""
    elf = build_root() / "hypervisor" / f"{image}.elf"
    if not elf.exists():
        from harness.artifacts import build

        build("6.1")
    text = subprocess.run(
        ["objdump", "-d", "--no-show-raw-insn", str(elf)], capture_output=True, text=True, check=True
    ).stdout
    fenced = re.search(r"\bmfence\b.*\n.*\blfence\b(.*\n){1,12}?.*\bwrmsr\b", text)
    assert fenced, "no mfence; lfence; ... wrmsr"


# --- A49


@pytest.mark.bug("A49")
def test_a49_redirection_entries(jailhouse: Jailhouse) -> None:
    """Both halves in both orders; own pins keep what is written, foreign ones read 0."""
    bench = Bench.create(jailhouse, "ioapic-demo", own_uart=False)
    low, high = 0x10 + 2 * 9, 0x11 + 2 * 9
    own = bench.cpu << 24
    for order in ((low, high), (high, low)):
        for register in order:
            value = own if register == high else 0x18041
            outcome = bench.outcome(f"ioapic reg={register:#x} value={value:#x}")
            assert outcome.startswith("survived\nVALUE "), outcome
            assert int(outcome.split()[-1], 16) & ~0x5000 == value, outcome
    assert bench.outcome("ioapic reg=0x12 value=0x18041") == "survived\nVALUE 0"


# --- A52


@pytest.mark.bug("A52")
def test_a52_lvt0_as_some_amd_processors_leave_it(bench: Bench) -> None:
    """ExtINT: accepted while masked, refused unmasked, by name."""
    assert bench.outcome("apic-lvt value=0x10700") == "survived"
    outcome = bench.outcome("apic-lvt value=0x700")
    assert_parked(bench, outcome, r"FATAL: Setting invalid LVT delivery mode \(reg 35, value 00000700\)", bench.cpu)


# --- A63


@pytest.mark.needs("nmi")
@pytest.mark.bug("A63")
def test_a63_management_under_nmis(jailhouse: Jailhouse, repeats: Repeats) -> None:
    """NMIs are the hypervisor's own signal: a cell's NMI timer and NMI IPIs neither lose
    management events nor reach anybody else; NMIs of the machine don't either."""
    linux = jailhouse.linux
    before = jailhouse.pools()
    bench = Bench.create(jailhouse, "test-one")
    bench.run("nmi-storm", "dest=0 hz=2000")
    bench.says("^STORM$")
    bench.hypervisor_says(r"^Ignoring NMI IPI to CPU 2$|^WARNING: CPU 2 specified IPI destination", 10)
    for _ in range(repeats(4, 100)):
        began = time.monotonic()
        jailhouse.create("test-other", timeout=10)
        jailhouse.destroy("test-other", timeout=10)
        linux.machine.nmi()
        assert time.monotonic() - began < scaled(10)
    assert "Uhhuh" not in linux.succeed("dmesg"), "an NMI reached Linux"
    began = time.monotonic()
    bench.destroy()
    assert time.monotonic() - began < scaled(5)
    survived(jailhouse, before)


@pytest.mark.bug("A63")
def test_a63_backtraces_by_nmi(jailhouse: Jailhouse) -> None:
    """Linux' NMI back traces are dropped with a line, and Linux goes on."""
    linux = jailhouse.linux
    mark = jailhouse.uart.end
    # Linux spins with interrupts off for 10 s, waiting for answers that never come: on a loaded
    # host that is long enough for its stall detector, which is not what is asked here.
    stalls = "/sys/module/rcupdate/parameters/rcu_cpu_stall_suppress"
    linux.succeed(f"echo 1 >{stalls}")
    linux.run("echo l >/proc/sysrq-trigger", 60)
    jailhouse.uart.expect(r"^Ignoring NMI IPI to CPU \d$", 15, mark)
    linux.succeed(f"echo 0 >{stalls}", 60)
    linux.check_health()


# --- U7


@pytest.mark.bug("U7")
def test_u7_bytes_at_the_end_of_a_region(jailhouse: Jailhouse) -> None:
    """Every MOV form at every offset around a page border: unit/hypervisor/test_insn.py, and
    test_hypercalls.py::test_mmio_decoder here. In a running system: the forms that a
    sub-page region sees, at its last bytes."""
    bench = Bench.create(jailhouse, "test-subpage")
    for size in (1, 2, 4, 8):
        assert bench.outcome(f"mem-write addr={0x800060 - size:#x} size={size} value=0x1122334455667788") == "survived"
        value = 0x1122334455667788 & ((1 << 8 * size) - 1)
        assert bench.outcome(f"mem-read addr={0x800060 - size:#x} size={size}") == f"survived\nVALUE {value:x}"
