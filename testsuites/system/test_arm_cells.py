# SPDX-License-Identifier: GPL-2.0-only
"""What the hypervisor promises a cell on ARM, seen from inside: reset state, calls,
the GIC's registers, interrupts under load; and interrupts that change hands."""

import re

import pytest

from harness.deadlines import scaled
from harness.guest.linux import Linux
from harness.targets import Target
from harness.verbs import Jailhouse
from testsuites.checks import Bench, Call, Hvcall, survived

pytestmark = pytest.mark.architectures("arm64", reason="its test programs are ARM code")

GICD = 0x08000000
DISK_IRQ, FREE_IRQ = 77, 70


def figure(text: str, name: str) -> int:
    found = re.search(rf"^{name} (\d+)$", text, re.M)
    assert found, f"no line {name} in\n{text}"
    return int(found[1])


def passed(bench: Bench, program: str, words: str = "", timeout: float = 60.0) -> str:
    """Run a program that judges itself; its output."""
    bench.run(program, words)
    bench.says(rf"^DONE {program} (ok|failed)\n", timeout)
    text = bench.text()
    assert f"DONE {program} ok" in text, text
    assert "FAILED" not in text, text
    return text


def test_machine_as_promised(bench: Bench) -> None:
    """Reset state (abi.md 7.6), SGIs, the timer, accesses without syndrome; twice, because the
    second start finds what the first one left."""
    for _ in range(2):
        assert figure(passed(bench, "machine"), "CHECKS") > 50


@pytest.mark.bug("A18")
@pytest.mark.needs("cpus-4")
def test_a18_calls(jailhouse: Jailhouse) -> None:
    """Every function of abi.md 7.8, and a hundred lives of the second CPU."""
    before = jailhouse.pools()
    bench = Bench.create(jailhouse, "test-two")
    text = passed(bench, "calls", "cycles=100")
    assert figure(text, "CYCLES") == 100
    assert figure(text, "CHECKS") > 150
    stats = jailhouse.stats(bench.number)
    assert stats["psci"] > 200
    bench.destroy()
    survived(jailhouse, before, again=False)


@pytest.mark.bug("A10")
@pytest.mark.needs("cpus-4")
def test_a10_sgis_under_load(jailhouse: Jailhouse, target: Target) -> None:
    """Both ways, all sixteen at once, more than there are list registers, with fast timers: none
    lost, none twice, the most urgent first; meanwhile the root cell sends IPIs of its own."""
    linux = jailhouse.linux
    linux.succeed(
        "rm -f /tmp/stop-load; (while [ ! -e /tmp/stop-load ]; do taskset -c 0 true; "
        "taskset -c 1 true; done) >/dev/null 2>&1 &"
    )
    try:
        bench = Bench.create(jailhouse, "test-two")
        text = passed(bench, "sgi-load", "rounds=800", 120)
    finally:
        linux.succeed("touch /tmp/stop-load")
    assert [figure(text, name) for name in ("LOST", "DOUBLE", "DISORDER")] == [0, 0, 0]
    assert jailhouse.stats(bench.number)["maintenance"] > 0, "list registers never ran out"


# --- registers of the distributor


def distributor(target: Target, hvcall: Hvcall) -> list[int]:
    """Enables, priorities, configuration and routes, as the root cell reads them."""
    words = [*range(0x104, 0x120, 4), *range(0x420, 0x520, 4), *range(0xC08, 0xC40, 4)]
    routes = range(0x820, 0x920, 4) if target.machine.name.endswith("gicv2") else range(0x6100, 0x6800, 4)
    calls: list[Call] = [("read", 0, GICD + offset, 4) for offset in (*words, *routes)]
    return [answer.check().value for answer in hvcall.batch(calls)]


@pytest.mark.needs("disk")
def test_access_matrix(jailhouse: Jailhouse, target: Target, hvcall: Hvcall) -> None:
    """Every register in every size, read and written: nothing of others is seen or changed, and
    the root cell's part of the distributor is what it was. The disk's interrupt goes away
    under Linux' hands and comes back as it was."""
    linux = jailhouse.linux
    bench = Bench.create(jailhouse, "test-gic")
    before = distributor(target, hvcall)
    text = passed(bench, "gic-matrix", f"own={FREE_IRQ} second={DISK_IRQ}", 120)
    assert figure(text, "READS") > 10_000
    assert figure(text, "WRITES") > 5_000
    assert distributor(target, hvcall) == before
    bench.destroy()
    linux.succeed("echo 3 >/proc/sys/vm/drop_caches; md5sum </dev/vda")
    linux.check_health()


@pytest.mark.needs("disk")
def test_an_interrupt_changes_hands(jailhouse: Jailhouse, linux: Linux, hvcall: Hvcall) -> None:
    """The disk's interrupt: Linux lets go of the disk, a cell gets the interrupt, and after its
    end Linux has both back; read through the interrupt, and routed to a CPU of its own."""
    pools = jailhouse.pools()
    device = linux.succeed("basename $(readlink -f /sys/block/vda/../../..)").strip()
    driver = "/sys/bus/platform/drivers/virtio-mmio"
    content = linux.succeed("md5sum </dev/vda")
    linux.succeed(f"echo {device} >{driver}/unbind")
    bench = Bench.create(jailhouse, "test-gic")
    enabled = GICD + 0x100 + DISK_IRQ // 32 * 4
    bit = 1 << DISK_IRQ % 32
    # Root's bit is gone: it reads 0, and a write does nothing.
    hvcall.one("write", enabled, 4, bit)
    assert hvcall.one("read", enabled, 4).value & bit == 0
    passed(bench, "gic-matrix", f"own={FREE_IRQ} second={DISK_IRQ}", 120)
    bench.destroy()
    assert jailhouse.pools() == pools
    linux.succeed(f"echo {device} >{driver}/bind")
    before = disk_interrupts(linux)
    linux.succeed("echo 3 >/proc/sys/vm/drop_caches")
    assert linux.succeed("md5sum </dev/vda", scaled(20)) == content
    assert disk_interrupts(linux) > before


def disk_interrupts(linux: Linux) -> int:
    """Of all CPUs: the row of the disk's hardware interrupt, whose number Linux shows less 32."""
    for line in linux.succeed("cat /proc/interrupts").splitlines():
        words = line.split()
        if "GICv" in line and str(DISK_IRQ) in words[-4:]:
            return sum(int(word) for word in words[1:5])
    raise AssertionError(linux.succeed("cat /proc/interrupts"))


#: 1500 sleeps of half a millisecond on CPU 1; how many took half a second more.
SLEEPS = """
import os, time
os.sched_setaffinity(0, {1})
late = 0
for _ in range(1500):
    began = time.monotonic()
    time.sleep(0.0005)
    late += time.monotonic() - began > 0.5
print(late)
"""


@pytest.mark.usefixtures("jailhouse")
def test_no_timer_waits_for_another_interrupt(linux: Linux) -> None:
    """An emulated GICv2 does not see a level that rises before the guest deactivates its
    interrupt (hypervisor/arch/arm64/gicv2.c): of such sleeps one in a hundred took up to two
    seconds, until anything else interrupted. A host that is busy elsewhere costs one or two."""
    linux.put(SLEEPS.encode(), "/tmp/sleeps.py")
    assert int(linux.succeed("python3 /tmp/sleeps.py", 60)) < 3
