# SPDX-License-Identifier: GPL-2.0-only
"""Hang reports of guests that were hung on purpose: the state by name, the symbol in the trace."""

import json
import re
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from harness.deadlines import Deadline, scaled
from harness.errors import DeadlineExpired, EmulatorDied, HostStarved, MachineReset
from harness.guest.linux import Linux
from harness.hang.attach import builds, explain
from harness.hang.report import Report, collect
from harness.hang.states import Kind, Mode
from harness.image import Artifacts
from harness.targets import Target
from harness.verbs import Jailhouse
from testsuites.checks import Bench, hypervisor_with

#: The register that hangs its CPU, as a cell of test-one sees it (hypervisor/arch/x86/test_device.c).
HANG = 0x101FF0
#: See driver/tests/deadlock.c.
DEADLOCK = "/sys/module/deadlock/parameters/hang"


def look(linux: Linux) -> Report:
    return collect(linux.machine, linux.release, builds(linux), DeadlineExpired("on purpose"))


def seen(linux: Linux, kind: Kind, says: str = "") -> Report:
    """The report, as soon as the machine has got there."""
    deadline = Deadline.after(scaled(10))
    report = look(linux)
    while (report.state.kind is not kind or says not in report.state.text) and not deadline.expired:
        time.sleep(0.1)
        report = look(linux)
    assert report.state.kind is kind, report.text()
    assert says in report.state.text, report.text()
    return report


def symbols(report: Report, cpu: int) -> list[str]:
    return [place.symbol for place in report.samples[-1].cpus[cpu].frames]


def test_silent_inmates(jailhouse: Jailhouse, target: Target) -> None:
    """Two ways of saying nothing, told apart; none of them harms the machine."""
    linux = jailhouse.linux
    bench = Bench.create(jailhouse, "test-passive")
    bench.run("silent", "how=spin")
    report = seen(linux, Kind.SILENT_INMATE)
    assert re.search(r"'test-passive' stays at inmates/tests/common/silent.c:\d+ \(wait_for_something\)",
                     report.state.text)  # fmt: skip
    functions = [name for name in symbols(report, bench.cpu) if "(inlined)" not in name]
    # On ARM its caller is assembly without unwind information.
    outer = ["inmate_start"] if target.architecture == "x86" else []
    assert functions == ["wait_for_something", "inmate_main", *outer]

    bench.run("silent", "how=halt")
    report = seen(linux, Kind.SILENT_INMATE)
    assert "'test-passive' is halted at inmates/" in report.state.text
    assert ("local APIC" in report.text()) == (target.architecture == "x86" and "monitor" in target.capabilities)
    assert "inmate_main" in symbols(report, bench.cpu)
    assert linux.run("true").ok


# Where a guest was when it came to the hypervisor is found in memory only on AMD (SDM 3C, 25.1).
@pytest.mark.needs("svm")
def test_exit_storm(jailhouse: Jailhouse) -> None:
    """A third: an inmate that does nothing but leave the guest."""
    linux = jailhouse.linux
    bench = Bench.create(jailhouse, "test-passive")
    bench.run("silent", "how=storm")
    report = seen(linux, Kind.STORM)
    assert re.match(rf"CPU {bench.cpu} leaves the guest \d+ times a second \(cpuid\)", report.state.text)
    first, last = (sample.cpus[bench.cpu] for sample in (report.samples[0], report.samples[-1]))
    assert last.exits["cpuid"] > first.exits["cpuid"]
    cpu = report.samples[-1].cpus[bench.cpu]
    assert "ask_for_ever" in [place.symbol for place in (*cpu.frames, *cpu.guest_frames)]
    assert linux.run("true").ok


@pytest.mark.architectures("arm64", reason="x86 has a test of its own")
def test_exit_storm_on_arm(jailhouse: Jailhouse) -> None:
    """Both sides of the storm are seen, each with its functions, but not at once."""
    linux = jailhouse.linux
    bench = Bench.create(jailhouse, "test-passive")
    bench.run("silent", "how=storm")
    wanted = {(Mode.INMATE, "ask_for_ever"), (Mode.HYPERVISOR, "exit_sync")}
    found: set[tuple[Mode, str]] = set()
    deadline = Deadline.after(scaled(20))
    while not wanted <= found and not deadline.expired:
        report = seen(linux, Kind.STORM)
        assert re.match(rf"CPU {bench.cpu} leaves the guest \d+ times a second \(hypercall\)",
                        report.state.text)  # fmt: skip
        for cpu in (sample.cpus[bench.cpu] for sample in report.samples):
            found |= {(cpu.mode, place.symbol) for place in cpu.frames}
    assert wanted <= found, found
    assert linux.run("true").ok


@pytest.mark.needs("svm")
def test_spinning_hypervisor(
    fresh_linux: Callable[..., Linux], artifacts: Artifacts, tmp_path: Path
) -> None:
    """A CPU that spins in the hypervisor; the report is written as for an expired wait."""
    firmware = hypervisor_with("TEST_DEVICE")
    linux = fresh_linux(artifacts=replace(artifacts, firmware=(firmware,)))
    jailhouse = Jailhouse(linux)
    jailhouse.load_module()
    jailhouse.enable("qemu-x86")
    bench = Bench.create(jailhouse, "test-one")
    bench.run("violate", f"what=mem-write addr={HANG:#x}")
    # Whose fault it is, a busy host decides; that it was in vain is what counts.
    with pytest.raises((DeadlineExpired, HostStarved)) as expired:
        bench.says("^DONE", 1)
    report = explain(linux, expired.value, [tmp_path])
    assert report is not None
    assert report.state.kind is Kind.SPINNING, report.text()
    assert re.search(r"CPU 2 at hypervisor/arch/x86/test_device.c:\d+ \(test_device_hang\)",
                     report.state.text)  # fmt: skip
    cpu = report.samples[-1].cpus[2]
    assert cpu.mode is Mode.HYPERVISOR
    assert {"test_device_hang", "handle_access", "svm_handle_exit"} <= set(symbols(report, 2))
    assert "mem_write" in [place.symbol for place in cpu.guest_frames]
    assert cpu.exits["total"] > 0
    assert expired.value.__notes__ == [f"hang report: {report.state}"]
    assert "test_device_hang" in (tmp_path / "hang.txt").read_text()
    assert json.loads((tmp_path / "hang.json").read_text())["state"]["kind"] == "spinning"
    assert explain(linux, expired.value, [tmp_path]) is None


def test_deadlock_in_linux(fresh_linux: Callable[..., Linux]) -> None:
    """Two threads and two mutexes; then a CPU that takes a spinlock twice."""
    linux = fresh_linux()
    linux.succeed(f"insmod /lib/modules/{linux.release}/updates/deadlock.ko")
    linux.succeed(f"echo mutex > {DEADLOCK}")
    report = seen(linux, Kind.DEADLOCK)
    for task, function in (("hang-first", "first_then_second"), ("hang-second", "second_then_first")):
        assert re.search(rf"task {task} \(\d+\) waits for a lock in {function}\+0x\w+ \[deadlock\]",
                         report.state.text)  # fmt: skip
    frames = [place.symbol for task in report.blocked for place in task.frames]
    assert {"__schedule", "kthread", "ret_from_fork"} <= set(frames)

    linux.succeed(f"echo spin > {DEADLOCK}")
    # The mutexes are a deadlock already: wait until the other thread runs, too.
    last = linux.machine.spec.cpus - 1
    report = seen(linux, Kind.DEADLOCK, f"CPU {last} spins on a lock wanted by lock_twice")
    assert report.samples[-1].cpus[last].task.startswith("hang-spin")


@pytest.mark.needs("random-addresses")
def test_random_addresses(fresh_linux: Callable[..., Linux]) -> None:
    """The slide of a kernel with KASLR is found."""
    linux = fresh_linux(without=("nokaslr",))
    text = int(linux.succeed("grep -i ' t do_idle$' /proc/kallsyms").split()[0], 16)
    report = seen(linux, Kind.HALTED)
    places = [p for cpu in report.samples[-1].cpus for p in cpu.frames if p.symbol == "do_idle"]
    assert places
    assert {place.address - place.offset for place in places} == {text}, "the slide is wrong"


@pytest.mark.architectures("x86", reason="an ARM CPU takes exceptions for ever instead")
@pytest.mark.needs("triple-fault")
def test_triple_fault(fresh_linux: Callable[..., Linux]) -> None:
    """What the machine did last is named."""
    linux = fresh_linux()
    linux.run("echo triple > /sys/kernel/reboot/type; (sleep 0.2; echo b > /proc/sysrq-trigger) >/dev/null 2>&1 &")
    deadline = Deadline.after(scaled(20))
    while linux.machine.alive and not deadline.expired:
        time.sleep(0.05)
    assert look(linux).state.kind is Kind.TRIPLE_FAULT, look(linux).text()
    # Not the emulator's fault, and not ours who run it.
    with pytest.raises(MachineReset, match="from inside"):
        linux.run("true")


def test_dead_emulator(fresh_linux: Callable[..., Linux]) -> None:
    """It is killed while a command runs."""
    linux = fresh_linux()
    linux.machine.kill()
    with pytest.raises(EmulatorDied) as died:
        linux.run("true")
    report = look(linux)
    assert report.state.kind is Kind.DEAD
    assert "killed by signal 9" in report.state.text
    assert "killed by signal 9" in str(died.value)
    assert "root@jailhouse" in report.streams["root-console"]
