# SPDX-License-Identifier: GPL-2.0-only
"""Reports about enabling and disabling. See docs/bugs.md for those tested elsewhere."""

import errno
import re
from collections.abc import Callable

import pytest

from harness.engines import Accelerator
from harness.guest.linux import Linux
from harness.targets import Target
from harness.verbs import Jailhouse, JailhouseError
from testsuites.checks import Bench, cpus_but, errno_of, largest, online, root_config

x86 = pytest.mark.architectures("x86", reason="reproduced with what only x86 has")

Repeats = Callable[[int, int], int]

#: Offsets in a system configuration (abi.md 1.13, 1.15)
MEMORY_START, MEMORY_SIZE, CONSOLE_ADDRESS, PM_TIMER, CPU_SET = 12, 28, 44, 312, 488


def patched(data: bytes, *changes: tuple[int, bytes]) -> bytes:
    changed = bytearray(data)
    for offset, value in changes:
        changed[offset : offset + len(value)] = value
    return bytes(changed)


def u64(value: int) -> bytes:
    return value.to_bytes(8, "little")


def enable_bytes(verbs: Jailhouse, data: bytes) -> None:
    verbs.linux.put(data, "/tmp/report.cell")
    verbs.enable("/tmp/report.cell")


def refused(verbs: Jailhouse, data: bytes, *numbers: int) -> JailhouseError:
    with pytest.raises(JailhouseError) as error:
        enable_bytes(verbs, data)
    assert error.value.errno in numbers, error.value
    assert not verbs.enabled
    return error.value


#: Pages of hypervisor_memory that are too few.
SMALL = {"x86": 70, "arm64": 40}


@pytest.mark.bug("A1")
def test_a1_failures_and_good_enables_in_turn(
    verbs: Jailhouse, target: Target, repeats: Repeats
) -> None:
    """A failed enable poisoned the next one, or the reboot. Ours leaves things as they
    were: late failures (CPU set, pool too small) and good enables in turn. The other
    early failures are test_enable.py's."""
    good = root_config(verbs.linux)
    small = patched(good, (MEMORY_SIZE, u64(SMALL[target.architecture] * 4096)))
    pools = set()
    for _ in range(repeats(3, 20)):
        refused(verbs, patched(good, (CPU_SET, b"\x07")), errno.EINVAL)
        refused(verbs, small, errno.ENOMEM, errno.EINVAL)
        verbs.enable(target.root_config)
        pools.add(verbs.pools())
        verbs.disable()
    assert len(pools) == 1
    verbs.linux.check_health()


@pytest.mark.bug("A1")
def test_a1_reboot_after_a_failed_enable(
    fresh_linux: Callable[..., Linux], target: Target
) -> None:
    """The machine resets (which ends the emulator) although an enable failed before."""
    linux = fresh_linux()
    verbs = Jailhouse(linux)
    verbs.load_module()
    refused(verbs, patched(root_config(linux), (CPU_SET, b"\x07")), errno.EINVAL)
    linux.serial.run("(sleep 0.3; reboot -f) >/dev/null 2>&1 &", 5)
    linux.machine.wait_end(30)


@pytest.mark.needs("cpus-4")
@pytest.mark.bug("A2")
@pytest.mark.parametrize("cpus", [3, 5])
def test_a2_other_number_of_cpus(
    fresh_linux: Callable[..., Linux], target: Target, cpus: int
) -> None:
    """More or fewer CPUs online than configured hung older versions; EINVAL names both sets."""
    linux = fresh_linux(cpus=cpus)
    verbs = Jailhouse(linux)
    verbs.load_module()
    refused(verbs, root_config(linux), errno.EINVAL)
    log = linux.succeed("dmesg")
    assert re.search(r"root cell(: CPU 3 does not exist| has CPUs 0-3, but online are)", log), log
    fitting = patched(root_config(linux), (CPU_SET, bytes([(1 << cpus) - 1])))
    if cpus < 4:
        enable_bytes(verbs, fitting)
        verbs.disable()


@pytest.mark.bug("A2")
def test_a2_hot_plug_during_enable(verbs: Jailhouse, target: Target, repeats: Repeats) -> None:
    """CPU 1 comes and goes meanwhile: enable works or is refused, and never hangs."""
    linux = verbs.linux
    cpu = "/sys/devices/system/cpu/cpu1/online"
    linux.succeed(
        f"rm -f /tmp/stop; (while [ ! -e /tmp/stop ]; do echo 0 >{cpu}; echo 1 >{cpu}; done) "
        ">/dev/null 2>&1 &"
    )
    try:
        for _ in range(repeats(5, 50)):
            refusal = errno_of(verbs.enable, target.root_config)
            assert refusal in (0, errno.EINVAL, errno.EBUSY)
            if refusal:
                continue
            for _ in range(50):
                refusal = errno_of(verbs.disable)
                assert refusal in (0, errno.EBUSY)
                if refusal == 0:
                    break
            else:
                pytest.fail("fifty times EBUSY: CPU 1 is online every other moment")
    finally:
        linux.succeed("touch /tmp/stop; sleep 0.5")
        linux.succeed(f"echo 1 >{cpu} 2>/dev/null; true")
    assert online(linux) == cpus_but(linux)
    verbs.enable(target.root_config)
    linux.check_health()


@pytest.mark.bug("A4")
def test_a4_reboot_with_a_locked_cell(fresh_linux: Callable[..., Linux], target: Target) -> None:
    """The reboot notifier cannot disable: it says so, and the machine resets all the same."""
    linux = fresh_linux()
    verbs = Jailhouse(linux)
    verbs.load_module()
    verbs.enable(target.root_config)
    bench = Bench.create(verbs, "test-one")
    bench.run("protocol", "lock deny=-1")
    bench.says("^READY$")
    linux.succeed("dmesg -n 8")
    linux.serial.run("(sleep 0.3; reboot -f) >/dev/null 2>&1 &", 5)
    linux.machine.wait_end(30)
    assert "ordered shutdown failed!" in linux.root_console.text()


@pytest.mark.needs("cpus-3")
@pytest.mark.bug("A4")
def test_a4_rmmod_and_second_enable_with_cells(jailhouse: Jailhouse, target: Target) -> None:
    Bench.create(jailhouse, "test-one").run("protocol")
    other = Bench.create(jailhouse, "test-other")
    other.run("protocol", "lock")
    other.says("^READY$")
    assert jailhouse.linux.run("rmmod jailhouse").status != 0
    with pytest.raises(JailhouseError) as error:
        jailhouse.enable(target.root_config)
    assert error.value.errno == errno.EBUSY
    assert len(jailhouse.cells()) == 3


@pytest.mark.bug("A4")
def test_a4_panic_while_enabled(fresh_linux: Callable[..., Linux], target: Target) -> None:
    """Linux' emergency path may stop in the hypervisor or reset: recorded, and no harness hangs."""
    # Its reset in Bochs 2.7 leaves the interrupt of the PIT off if the HPET had taken its place,
    # as after a panic: the firmware then waits for the clock for ever.
    bochs = target.accelerator is Accelerator.BOCHS
    linux = fresh_linux(parameters=("hpet=disable",) if bochs else ())
    verbs = Jailhouse(linux)
    verbs.load_module()
    verbs.enable(target.root_config)
    mark = linux.root_console.end
    linux.serial.run("(sleep 0.3; echo c >/proc/sysrq-trigger) >/dev/null 2>&1 &", 5)
    linux.root_console.expect("sysrq triggered crash", 20, mark)
    # panic=-1: Linux resets at once, the emulator ends. Nothing else is asked for.
    linux.machine.wait_end(30)


@pytest.mark.bug("A13")
def test_a13_create_with_few_pages_left(verbs: Jailhouse, repeats: Repeats) -> None:
    """Every allocation of a create fails once: from the first size that can be enabled
    page by page upwards, create gives ENOMEM until it works, and no page is lost."""
    good = root_config(verbs.linux)

    def enabled_with(pages: int) -> bool:
        data = patched(good, (MEMORY_SIZE, u64(pages * 4096)))
        refusal = errno_of(enable_bytes, verbs, data)
        assert refusal in (0, errno.ENOMEM, errno.EINVAL)
        return refusal == 0

    low, high = 20, 400
    while low < high:
        middle = (low + high) // 2
        if enabled_with(middle):
            verbs.disable()
            high = middle
        else:
            low = middle + 1
    outcomes = []
    cell, step = largest(verbs.linux), repeats(3, 1)
    for pages in range(low, low + 40, step):
        assert enabled_with(pages), "not monotone"
        before = verbs.pools()
        refusal = errno_of(verbs.create, cell)
        assert refusal in (0, errno.ENOMEM)
        outcomes.append(refusal == 0)
        if refusal == 0:
            verbs.destroy(cell)
        assert verbs.pools() == before, f"{pages} pages"
        verbs.disable()
        assert online(verbs.linux) == cpus_but(verbs.linux)
    assert outcomes == sorted(outcomes), "not monotone"
    assert (outcomes[0], outcomes[-1]) == (False, True), outcomes


TLS_CANARY = """
import ctypes, os, sys, threading, time
os.sched_setaffinity(0, {int(sys.argv[1])})
local = threading.local()
local.value = canary = os.urandom(16)
rounds = 0
print("ready", flush=True)
while not os.path.exists("/tmp/stop-canary"):
    assert local.value is canary and threading.get_ident() == threading.main_thread().ident
    rounds += 1
print("intact", rounds, flush=True)
"""


@pytest.mark.bug("A35")
def test_a35_segments_survive_cycles(verbs: Jailhouse, target: Target, repeats: Repeats) -> None:
    """FS base, TR or CR3 were restored wrongly on some CPUs: programs that live by FS run
    on every CPU through all cycles and end with status 0."""
    linux, cpus = verbs.linux, verbs.linux.machine.spec.cpus
    linux.put(TLS_CANARY.encode(), "/tmp/canary.py")
    linux.succeed("rm -f /tmp/stop-canary /tmp/canary-*")
    for cpu in range(cpus):
        linux.succeed(f"(python3 /tmp/canary.py {cpu}; echo status $?) >/tmp/canary-{cpu} 2>&1 &")
    linux.succeed(f"for i in $(seq 200); do [ $(cat /tmp/canary-* | grep -c ready) = {cpus} ] && exit; sleep 0.1; done; exit 1", 40)
    for _ in range(repeats(5, 200)):
        verbs.enable(target.root_config)
        verbs.disable()
    linux.succeed("touch /tmp/stop-canary")
    linux.succeed(f"for i in $(seq 100); do [ $(cat /tmp/canary-* | grep -c status) = {cpus} ] && exit; sleep 0.1; done; exit 1", 40)
    said = linux.succeed("cat /tmp/canary-*")
    assert said.count("intact") == said.count("status 0") == cpus, said
    linux.check_health()


@pytest.mark.bug("A39")
@pytest.mark.parametrize(
    "where", ["partly below", "larger than reserved", "in Linux' memory"]
)
def test_a39_memory_that_is_not_reserved(verbs: Jailhouse, target: Target, where: str) -> None:
    """A missing or wrong memmap= ended in a bare errno; ours adds a hint, and the tool
    names the line of /proc/iomem that collides."""
    start, size = NOT_RESERVED[target.architecture][where]
    data = patched(root_config(verbs.linux), (MEMORY_START, u64(start)), (MEMORY_SIZE, u64(size)))
    refused(verbs, data, errno.EINVAL, errno.EBUSY)
    told = verbs.linux.run("jailhouse enable /tmp/report.cell")
    assert told.status == 1
    assert "memmap=" in told.output
    assert "/proc/iomem" in told.output


#: What is reserved: 0x3a000000 to 0x3f200000 on x86, 0x70000000 and up on arm64.
NOT_RESERVED = {
    "x86": {
        "partly below": (0x39F00000, 0x600000),
        "larger than reserved": (0x3A000000, 0x6000000),
        "in Linux' memory": (0x20000000, 0x600000),
    },
    "arm64": {
        "partly below": (0x6FF00000, 0x600000),
        "larger than reserved": (0x6F000000, 0x11000000),
        "in Linux' memory": (0x50000000, 0x600000),
    },
}


@x86
@pytest.mark.bug("A41")
@pytest.mark.parametrize("port", [0x1F8, 0x220], ids=hex)
def test_a41_console_that_is_not_there(verbs: Jailhouse, port: int) -> None:
    """A dead UART hung the hypervisor; ours waits a bounded time, and the log page has it all."""
    data = patched(root_config(verbs.linux), (CONSOLE_ADDRESS, u64(port)))
    verbs.linux.put(data, "/tmp/report.cell")
    mark = verbs.uart.end
    verbs.enable("/tmp/report.cell", timeout=20)
    assert "Activating hypervisor" in verbs.console()
    bench = Bench.create(verbs, "test-one")
    bench.run("violate", "what=port-in")
    bench.says("^GO$")
    verbs.linux.succeed(
        f"for i in $(seq 50); do grep -q 'Parking CPU {bench.cpu}' /sys/devices/jailhouse/console && exit; sleep 0.1; done; exit 1"
    )
    bench.destroy()
    verbs.disable()
    assert verbs.uart.text(mark) == ""


@pytest.mark.needs("network", "disk")
@pytest.mark.bug("A50")
def test_a50_devices_in_use_while_enabling(
    verbs: Jailhouse, target: Target, repeats: Repeats
) -> None:
    """Interrupts were lost or spurious at hand-over: disk and network are busy through
    enable and disable, everything arrives, and Linux complains about no vector."""
    linux = verbs.linux
    device = f"/dev/{target.machine.disks[0].device}"
    linux.ssh.run("true")
    linux.succeed("rm -f /tmp/stop-io; dmesg -c >/dev/null")
    linux.succeed(
        "(while [ ! -e /tmp/stop-io ]; do echo 3 >/proc/sys/vm/drop_caches; "
        f"dd if={device} of=/dev/null bs=64k count=16 2>/dev/null || echo bad; echo round; done) "
        ">/tmp/io.log 2>&1 &"
    )
    for _ in range(repeats(3, 50)):
        verbs.enable(target.root_config)
        assert linux.ssh_run("echo over").output == "over\n"
        verbs.disable()
        assert linux.ssh_run("echo over").output == "over\n"
    linux.succeed("touch /tmp/stop-io; sleep 0.5")
    log = linux.succeed("cat /tmp/io.log")
    assert "bad" not in log
    assert "round" in log
    said = linux.succeed("dmesg")
    # x86, and everybody
    assert "No irq handler for vector" not in said
    assert "nobody cared" not in said


# A cell, CPU 0, and a CPU of Linux that goes offline.
@pytest.mark.needs("cpus-3")
@pytest.mark.bug("U5")
def test_u5_refused_disable_changes_nothing(jailhouse: Jailhouse) -> None:
    """disable destroyed cells and then returned EBUSY because a CPU was offline. Our
    contract (decision 17): what must fail, fails before anything is touched."""
    linux = jailhouse.linux
    bench = Bench.create(jailhouse, "test-one")
    bench.run("protocol")
    bench.says("^READY$")
    linux.succeed("echo 0 >/sys/devices/system/cpu/cpu1/online")
    before = jailhouse.pools(), jailhouse.cells()
    with pytest.raises(JailhouseError) as error:
        jailhouse.disable()
    assert error.value.errno == errno.EBUSY
    assert (jailhouse.pools(), jailhouse.cells()) == before
    assert bench.state == "running"
    assert "MESSAGE" not in bench.text()
    linux.succeed("echo 1 >/sys/devices/system/cpu/cpu1/online", 20)
    jailhouse.disable()


@x86
@pytest.mark.bug("U4")
def test_u4_counts_of_an_enable_that_wrap(verbs: Jailhouse, target: Target) -> None:
    """num_pio_regions = 2^30 + n made the size wrap to a small one and the hypervisor walk
    off its end. EINVAL or EFAULT here; test_malformed.py has every count at every border."""
    good = root_config(verbs.linux)
    pio = int.from_bytes(good[356 + 64 : 356 + 68], "little")
    for count in (pio + (1 << 30), 0xFFFFFFFF, pio + 100_000):
        refused(
            verbs, patched(good, (356 + 64, count.to_bytes(4, "little"))), errno.EINVAL, errno.EFAULT
        )
    verbs.enable(target.root_config)


@x86
@pytest.mark.bug("A30")
@pytest.mark.parametrize("port", [0, 0xCF8, 0x64, 0x70, 0xFFFE, 0xFFFF], ids=hex)
def test_a30_pm_timer_address(verbs: Jailhouse, port: int) -> None:
    """The address was granted to every cell unchecked. An enable with one that collides is
    refused, or the port stays what it was: no cell reaches it."""
    data = patched(root_config(verbs.linux), (PM_TIMER, port.to_bytes(2, "little")))
    refusal = errno_of(enable_bytes, verbs, data)
    assert refusal in (0, errno.EINVAL)
    if refusal:
        return
    # 0x70 is an ordinary port, granted as any PM timer is; 0 grants nothing.
    assert port in (0, 0x70), f"{port:#x} was accepted"
    if port == 0:
        bench = Bench.create(verbs, "test-one")
        assert "Parking" in bench.outcome("port-in port=0x70")
        assert "Parking" in bench.outcome("port-in port=0x2")
