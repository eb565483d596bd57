# SPDX-License-Identifier: GPL-2.0-only
"""A machine that tests share is found as it was left by its boot.

What the harness looks at between tests (harness/plugin/shared.py) is little: cells, pages,
CPUs, consoles. This is the proof that it is enough: after everything that tests do on a
shared machine, Linux and each CPU's registers are what they were before.
"""

import errno
from difflib import unified_diff

import pytest

from harness.guest.linux import Linux
from harness.targets import Target
from harness.verbs import Jailhouse, JailhouseError
from testsuites.checks import Bench, Hvcall, online, root_config

pytestmark = pytest.mark.architectures("x86", reason="it looks at registers of x86")

#: Memory and port maps, interrupts by number and name, PCI headers without their status,
#: modules, firmware.
VIEW = r"""
cat /proc/cmdline /proc/iomem /proc/ioports /proc/mtrr
sed 's/:.*[0-9]  */: /' /proc/interrupts
for d in /sys/bus/pci/devices/*; do
    echo $d; head -c 64 $d/config | hexdump -v -e '1/1 "%02x"' | sed 's/^\(.\{12\}\)..../\1/'; echo
done
cut -d ' ' -f 1 /proc/modules; md5sum /lib/firmware/jailhouse*
"""
#: Paging, system calls, caches, virtualisation of both vendors; where one has none, that.
MSRS = (0x1B, 0x3A, 0x174, 0x175, 0x176, 0x1D9, 0x277, 0x2FF, 0xC0000080, 0xC0000081, 0xC0000082,
        0xC0000083, 0xC0000084, 0xC0000101, 0xC0000103, 0xC0010114, 0xC0010117)  # fmt: skip
#: The local APIC's ID, TPR, LDR, DFR, SVR, performance, LINT0, LINT1, error, divider.
APIC = tuple(0xFEE00000 + at for at in (
    0x20, 0x80, 0xD0, 0xE0, 0xF0, 0x340, 0x350, 0x360, 0x370, 0x3E0))  # fmt: skip


def seen(linux: Linux, hvcall: Hvcall) -> list[str]:
    """All of it, a line each."""
    calls = [
        (operation, cpu, *words)
        for cpu in range(linux.machine.spec.cpus)
        for operation, *words in (
            ("cr", 0), ("cr", 4), *(("rdmsr", number) for number in MSRS),
            *(("read", address, 4) for address in APIC),
        )
    ]  # fmt: skip
    answers = zip(calls, hvcall.batch(calls), strict=True)
    return [*linux.succeed(VIEW).splitlines(), *(f"{call}: {answer}" for call, answer in answers)]


def lead_a_full_life(verbs: Jailhouse, target: Target) -> None:
    """Refusals, violations, a locked cell, a CPU off and on, and a disable that waits."""
    linux = verbs.linux
    linux.put(root_config(linux)[:300], "/tmp/cut.cell")
    with pytest.raises(JailhouseError):
        verbs.enable("/tmp/cut.cell")
    verbs.enable(target.root_config)
    bench = Bench.create(verbs, "test-one")
    for what in ("port-in", "mem-write", "wrmsr", "pci-write", "triple-fault", "cr8"):
        bench.outcome(what)
    bench.destroy()
    switch = f"/sys/devices/system/cpu/cpu{bench.cpu}/online"
    linux.succeed(f"echo 0 > {switch}; echo 1 > {switch}", 30)
    timer = target.programs.timer.name
    mark = verbs.uart.end
    verbs.create(timer)
    verbs.load(timer, timer)
    verbs.start(timer)
    verbs.uart.expect(target.programs.timer.says, 20, mark)
    with pytest.raises(JailhouseError) as refused:
        verbs.disable()
    assert refused.value.errno == errno.EPERM
    verbs.disable()


def test_a_full_life_leaves_no_trace(verbs: Jailhouse, target: Target, hvcall: Hvcall) -> None:
    before = seen(verbs.linux, hvcall)
    lead_a_full_life(verbs, target)
    after = seen(verbs.linux, hvcall)
    assert online(verbs.linux) == f"0-{target.machine.cpus - 1}"
    assert "\n".join(unified_diff(before, after, "before", "after", n=0, lineterm="")) == ""
