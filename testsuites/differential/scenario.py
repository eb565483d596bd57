# SPDX-License-Identifier: GPL-2.0-only
"""One scenario and the record of what a machine answered, counted and said meanwhile.

Records of two machines are comparable: what differs between any two runs (addresses,
times, numbers of CPUs, the root cell's name) is not in them.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from itertools import groupby

from harness.verbs import Jailhouse, JailhouseError
from testsuites.checks import Bench

#: Accesses of violate.c, each in a start of its own.
PROGRAMS = (
    "cr8",
    "cpuid count=100",
    "mem-read",
    "mem-write size=1",
    "mem-push",
    "hv-mem",
    "page-table",
    "port-in",
    "string-io",
    "port-out port=0xcf9 value=6",
    "wrmsr",
    "rdmsr msr=0xdeadbeef",
    "pat",
    "xsetbv",
    "efer-reserved",
    "cr4-set value=0x8000000",
    "apic-lvt",
    "apic-mmio-write",
    "apic-nmi",
    "smi-ipi",
    "pci-read",
    "pci-write",
    "vmcall",
    "vmrun",
    "vmxoff",
    "icebp",
    "invd",
    "triple-fault",
)
#: What a CPU starts with that is no part of a reset: time and number of the CPU, and of its
#: local APIC the last command and how interrupts came that it had.
NOT_RESET = {"MSR TSC", "MSR TSC_AUX", "APIC ID", "APIC LDR", "APIC ICR", "APIC TMR"}
LVT_MASKED = 1 << 16
TICKS = 10
#: Interleaved with the hypervisor's lines as it happens.
TICK = r"^Timer fired, "


@dataclass
class Record:
    """What happened, by name: answers, states, exits; and the hypervisor's lines."""

    facts: dict[str, str] = field(default_factory=dict)
    log: list[str] = field(default_factory=list)


def play(jailhouse: Jailhouse, root_config: str) -> Record:
    """Enable, a locked cell, one forbidden access after the other, what a CPU starts with,
    disable."""
    record = Record()
    mark = jailhouse.uart.end

    def answer(name: str, action: Callable[..., None], *arguments: object) -> None:
        record.facts[f"answer: {name}"] = _answer(action, *arguments)

    def states(when: str) -> None:
        record.facts[f"states: {when}"] = _states(jailhouse)

    answer("enable", jailhouse.enable, root_config)
    root = jailhouse.cell(0).name
    answer("enable again", jailhouse.enable, root_config)
    answer("start of the root cell", jailhouse.start, 0)
    answer("start of nobody", jailhouse.start, 77)
    answer("create", jailhouse.create, "apic-demo")
    answer("create again", jailhouse.create, "apic-demo")
    states("created")
    answer("load", jailhouse.load, "apic-demo", "apic-demo")
    answer("start", jailhouse.start, "apic-demo")
    jailhouse.uart.expect_lines(TICK, TICKS, 30, mark)
    states("ticking")
    answer("shutdown", jailhouse.shutdown, "apic-demo")
    states("shutdown refused")
    answer("second shutdown", jailhouse.shutdown, "apic-demo")
    states("shut down")
    record.facts |= _exits_of_demo(jailhouse, mark)
    answer("destroy", jailhouse.destroy, "apic-demo")
    bench = Bench.create(jailhouse, "test-one")
    for what in PROGRAMS:
        record.facts |= _program(bench, what)
    states("after the last violation")
    bench.run("probe")
    record.facts |= reset_state(bench.done())
    answer("destroy after violations", jailhouse.destroy, "test-one")
    answer("disable", jailhouse.disable)
    answer("disable again", jailhouse.disable)
    record.log = comparable(jailhouse.uart.text(mark).splitlines(), root)
    return record


def _answer(action: Callable[..., None], *arguments: object) -> str:
    try:
        action(*arguments)
    except JailhouseError as error:
        return error.name
    return "ok"


def _states(jailhouse: Jailhouse) -> str:
    return ", ".join(f"{cell.name} {cell.state}" for cell in jailhouse.cells()[1:])


def _exits_of_demo(jailhouse: Jailhouse, mark: int) -> dict[str, str]:
    """What the stopped apic-demo cost: a tick, of which each run has another number, and
    all else. More ticks than MSR exits besides them: so one division tells them apart."""
    jailhouse.uart.expect(r"^Stopped APIC demo$", 10, mark)
    ticks = len(re.findall(TICK, jailhouse.uart.text(mark), re.M))
    spent = jailhouse.stats("apic-demo")
    each, spent["msr_other"] = divmod(spent["msr_other"], ticks)
    return {"exits of a tick: msr_other": str(each), **_exits("apic-demo", spent)}


def _exits(program: str, spent: dict[str, int]) -> dict[str, str]:
    """Exits by reason. How often it is asked to leave depends on how fast the others are."""
    reasons = {name: count for name, count in spent.items() if name not in ("total", "management")}
    return {f"exits of {program}: {name}": str(count) for name, count in reasons.items()}


def _program(bench: Bench, what: str) -> dict[str, str]:
    before = bench.jailhouse.stats(bench.number)
    outcome = bench.outcome(what)
    after = bench.jailhouse.stats(bench.number)
    spent = {name: after[name] - before[name] for name in after}
    return {f"outcome: {what}": plain(outcome.splitlines()[0]), **_exits(what, spent)}


def reset_state(text: str) -> dict[str, str]:
    """Field by field what the probe (inmates/tests/x86/probe.c) found when it started."""
    found = {}
    for line in text.splitlines():
        kind, *words = line.split()
        if kind in ("REG", "SEG", "DR"):
            pairs = zip(words[::2], words[1::2], strict=True)
            found |= {f"{kind} {name}": value for name, value in pairs}
        elif kind in ("MSR", "APIC"):
            found[f"{kind} {words[0]}"] = " ".join(words[1:])
        elif kind == "TABLE":
            found[kind] = " ".join(words)
    return {f"reset: {name}": _lvt(name, value)
            for name, value in found.items() if name not in NOT_RESET}  # fmt: skip


def _lvt(name: str, value: str) -> str:
    """Which vector an entry has that is masked, its last owner knows."""
    masked = name.startswith("APIC LVT_") and int(value, 16) & LVT_MASKED
    return "masked" if masked else value


def plain(line: str) -> str:
    """A line without its numbers."""
    line = re.sub(r"\b0x[0-9a-f]+|\b[0-9a-f]{16}\b", "#", line.rstrip())
    return re.sub(r"(?<![\w#])[0-9a-f]*\d[0-9a-f]*\b", "#", line)


def comparable(lines: Iterable[str], root: str) -> list[str]:
    """Lines without numbers and the root cell's name; equal ones in a row are one."""
    found = [plain(line.replace(f'"{root}"', '"root"')) for line in lines if not re.match(TICK, line)]
    return [line for line, _ in groupby(line for line in found if line)]
