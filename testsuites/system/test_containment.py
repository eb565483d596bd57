# SPDX-License-Identifier: GPL-2.0-only
"""A cell that leaves its boundary stops, alone, and the console says who and what.

A test runs one table of accesses in one cell, loaded and started again for
each; what goes wrong is collected, so that one defect does not hide the next.
"""

import re

import pytest

from harness.targets import Target
from harness.verbs import Jailhouse
from testsuites.checks import FAILED, Bench, assert_parked, cpus_but, survived
from testsuites.contained import (
    check_one_of_two_cpus_fails,
    check_root_goes_on,
    check_taken_in_time,
)

pytestmark = pytest.mark.architectures("x86", reason="its test programs are x86 code")

#: Accesses (the command line of violate.c) and the line that ends them, or how
#: the program goes on: "survived", "exception N".
FATAL: dict[str, dict[str, str]] = {
    "memory": {
        "mem-read": r"FATAL: Invalid MMIO/RAM read, addr: 0x0000000010000000 size: 4",
        "mem-read size=1": r"FATAL: Invalid MMIO/RAM read, addr: 0x0000000010000000 size: 1",
        "mem-read size=8": r"FATAL: Invalid MMIO/RAM read, addr: 0x0000000010000000 size: 8",
        "mem-write": r"FATAL: Invalid MMIO/RAM write, addr: 0x0000000010000000 size: 4",
        "mem-read addr=0x101000": r"FATAL: Invalid MMIO/RAM read, addr: 0x0000000000101000 size: 4",
        "mem-write addr=0x600000": r"FATAL: Invalid MMIO/RAM write, addr: 0x0000000000600000",
        "mem-write addr=0xfec80000": r"FATAL: Invalid MMIO/RAM write, addr: 0x00000000fec80000",
        "hv-mem": r"FATAL: Invalid MMIO/RAM write, addr: 0x000000003a000000 size: 4",
        "mem-exec": r"FATAL: (unable to get MMIO instruction|Invalid MMIO/RAM)",
        "mem-movs": r"FATAL: unsupported instruction \(0xa4",
        "mem-xchg": r"FATAL: unsupported instruction \(0x87",
        "mem-push": r"FATAL: unsupported instruction \(0x50",
        "mem-stos": r"FATAL: unsupported instruction \(0xf3",
        "page-table": r"FATAL: (unable to get MMIO instruction|Invalid MMIO/RAM)",
        "gdt": r"FATAL: (unable to get MMIO instruction|unsupported instruction|Invalid MMIO/RAM)",
    },
    "ports": {
        "port-in": r"FATAL: Invalid PIO read, port: 70 size: 1",
        "port-out": r"FATAL: Invalid PIO write, port: 70 size: 1",
        "string-io": r"FATAL: Invalid PIO read, port: 70 size: 1",
        "port-in port=0x2fd": r"FATAL: Invalid PIO read, port: 2fd size: 1",
        "port-out port=0x64 value=0xfe": r"FATAL: Invalid PIO write, port: 64 size: 1",
        "port-out port=0xcf9 value=6": r"FATAL: Invalid P(IO|CI config) write, port: cf9",
        "port-out port=0x604 size=2 value=0x3400": r"FATAL: Invalid PIO write, port: 604 size: 2",
        "port-in port=0x3fe size=4": r"FATAL: Invalid PIO read, port: 3fe size: 4",
        "port-in port=0xffff size=4": r"FATAL: Invalid PIO read, port: ffff size: 4",
        "port-in port=0x80 size=2": r"FATAL: Invalid PIO read, port: 80 size: 2",
        "port-out port=0x80": "survived",
        "port-in port={pm_timer:#x} size=4": "survived",
    },
    "registers": {
        "wrmsr": r"FATAL: Unhandled MSR write: 200",
        "apicbase": r"FATAL: Unhandled MSR write: 1b",
        "wrmsr msr=0x79": r"FATAL: Unhandled MSR write: 79",
        "wrmsr msr=0xc0010114": r"FATAL: Unhandled MSR write: c0010114",
        "wrmsr msr=0xc0010117": r"FATAL: Unhandled MSR write: c0010117",
        "wrmsr msr=0xc0010010": r"FATAL: Unhandled MSR write: c0010010",
        "pat": r"FATAL: Invalid PAT value: 202020202020202",
        "xsetbv": r"FATAL: Invalid xsetbv parameters:",
        "xsetbv value=6": r"FATAL: Invalid xsetbv parameters:",
        "rdmsr msr=0xdeadbeef": "exception 13",
        "wrmsr msr=0xdeadbeef": "exception 13",
        "rdmsr msr=0xc0010117": "exception 13",
        "efer-reserved": "exception 13",
        # TCG checks no reserved bits; what it then can't run is stopped.
        "cr0-set": "exception 13|survived",
        "cr0-clear": "exception 13|survived",
        "cr4-set value=0x8000000": "exception 13|FATAL: Unexpected #VMEXIT, exitcode ffffffff",
        "cr8": "survived",
        "rdmsr msr=0xc0000080": "survived",
    },
    "apic": {
        "apic-lvt": r"FATAL: Setting invalid LVT delivery mode",
        "apic-lvt value=0x10700": "survived",
        "apic-lvt value=0x400": "survived",
        "apic-nmi": "survived",
        "apic-ldr": "exception 13",
        "apic-reserved": r"FATAL: Trying to set reserved APIC bits \(reg 0f",
        "apic-mmio-read": "survived",
        "apic-mmio-write": "survived",
        "apic-mmio-write size=2": r"FATAL: Unhandled APIC access, offset 128, is_write: 1",
        "apic-mmio-odd": r"FATAL: Unhandled APIC access, offset 132, is_write: 1",
        "apic-mmio-write addr=0xfee000d0 value=0x01000000": r"FATAL: Unsupported change to LDR: 1000000",
        "apic-mmio-write addr=0xfee000e0 value=0": r"FATAL: Unsupported change to DFR: 0",
        "smi-ipi": r"FATAL: Unsupported/invalid APIC delivery mode, ICR.lo=",
        "init-all": "survived",
        "nmi-all": "survived",
    },
    "pci": {
        "pci-read": "survived\nVALUE ffffffff",
        "pci-read dev=0xf8": "survived\nVALUE ffffffff",
        "pci-write": r"FATAL: Invalid PCI config write, device 00:02.0, reg: 0x4, size: 2",
        "pci-write dev=0xd8 reg=0x10 size=4": r"FATAL: Invalid PCI config write, device 00:1b.0, reg: 0x10, size: 4",
        "port-in port=0xcf8": r"FATAL: Invalid PCI config read, port: cf8, size: 1",
        "port-in port=0xcfe size=4": r"FATAL: Invalid P(IO|CI config) read",
    },
    "mmconfig": {
        "mmconfig-read": "survived\nVALUE ffffffff",
        "mmconfig-write": r"FATAL: Invalid PCI MMCONFIG write, device 00:02.0",
        "mmconfig-write size=8": r"FATAL: Invalid PCI MMCONFIG write, device 00:02.0",
        "mmconfig-read size=8": r"FATAL: Invalid PCI MMCONFIG read, device 00:02.0",
    },
    "instructions": {
        "vmrun": "exception 6",
        "vmload": "exception 6",
        "vmsave": "exception 6",
        "stgi": "exception 6",
        "clgi": "exception 6",
        "skinit": "exception 6",
        "invlpga": "exception 6",
        "vmcall": "exception 6",
        "vmxoff": "exception 6",
        "rsm": "exception 6",
        "icebp": "exception 1",
        "wbinvd": "survived",
        "invd": "survived",
        "triple-fault": r"FATAL: Unexpected #VMEXIT, exitcode 7f",
    },
}

#: Where Intel's processors, or the image for them, answer otherwise.
VMX: dict[str, dict[str, str]] = {
    "registers": {
        "wrmsr msr=0xc0010114": "exception 13",
        "wrmsr msr=0xc0010117": "exception 13",
        "wrmsr msr=0xc0010010": "exception 13",
        "cr4-set value=0x8000000": "exception 13",
    },
    "instructions": {
        # The hypercall's instruction there; AMD's is the undefined one.
        "vmcall": "survived",
        "triple-fault": r"FATAL: Unhandled VM-Exit, reason 2",
    },
}

#: The first column's regions are those of configs/x86/test-subpage.c.
SUBPAGE = {
    "mem-read addr=0x800000": "survived",
    "mem-write addr=0x800004 value=7": "survived",
    "unaligned": r"FATAL: Invalid MMIO read, address: 800002, size: 4",
    "subpage-width": r"FATAL: Invalid MMIO read, address: 800000, size: 2",
    "mem-read addr=0x800000 size=8": r"FATAL: Invalid MMIO read, address: 800000, size: 8",
    "mem-read addr=0x800021": "survived",
    "mem-read addr=0x800023 size=8": "survived",
    "subpage-gap": r"FATAL: Invalid MMIO/RAM read, addr: 0x0000000000800080 size: 4",
    "mem-read addr=0x800100 size=2": "survived",
    "subpage-ro": r"FATAL: Invalid MMIO write, address: 800100, size: 4",
    # Across the end of the record: not in it as a whole.
    "mem-read addr=0x80001e": r"FATAL: Invalid MMIO(/RAM)? read",
    "mem-stos addr=0x800020": r"FATAL: unsupported instruction \(0xf3",
}

#: Interrupts sent to a CPU of somebody else: dropped with a line.
OUTSIDE = r"^WARNING: CPU {cpu} specified IPI destination outside cell boundaries, ICR\.hi="


def judge(bench: Bench, what: str, wanted: str) -> None:
    pm_base = bench.jailhouse.linux.machine.spec.pm_base or 0
    outcome = bench.outcome(what.format(pm_timer=pm_base + 8))
    if outcome.startswith("FATAL"):
        assert_parked(bench, outcome, wanted, bench.cpu)
        assert bench.state == "failed"
        assert "Cell: " not in outcome.rpartition("\n")[0], outcome
    else:
        assert re.match(wanted, outcome), f"{outcome!r} instead of {wanted!r}"
        assert bench.stopped()


def judge_all(bench: Bench, table: dict[str, str]) -> None:
    wrong = []
    for what, wanted in table.items():
        try:
            judge(bench, what, wanted)
        except FAILED as error:
            wrong.append(f"{what}: {error}")
    assert not wrong, "\n".join(wrong)


mmconfig = pytest.param("mmconfig", marks=pytest.mark.needs("mmconfig"))


@pytest.mark.parametrize("kind", [*(kind for kind in FATAL if kind != "mmconfig"), mmconfig])
def test_only_the_offender_stops(jailhouse: Jailhouse, target: Target, kind: str) -> None:
    before = jailhouse.pools()
    table = FATAL[kind] | (VMX.get(kind, {}) if target.extension == "vmx" else {})
    bench = Bench.create(jailhouse, "test-one")
    created = jailhouse.pools()
    judge_all(bench, table)
    assert jailhouse.pools() == created
    bench.destroy()
    survived(jailhouse, before)


def test_subpage_regions(jailhouse: Jailhouse) -> None:
    before = jailhouse.pools()
    bench = Bench.create(jailhouse, "test-subpage")
    judge_all(bench, SUBPAGE)
    bench.destroy()
    survived(jailhouse, before)


def test_interrupts_for_others_are_dropped(bench: Bench) -> None:
    """To every CPU of the root cell; all of them go on."""
    linux = bench.jailhouse.linux
    others = [cpu for cpu in range(linux.machine.spec.cpus) if cpu != bench.cpu]
    for what in ("apic-icr", "nmi-ipi", "foreign-ipi", "foreign-init", "foreign-sipi"):
        for cpu in others:
            bench.run("violate", f"what={what} dest={cpu}")
            bench.hypervisor_says(OUTSIDE.format(cpu=bench.cpu))
            assert "survived" in bench.done()
    for cpu in others:
        assert linux.succeed(["taskset", "-c", str(cpu), "echo", "up"]) == "up\n"
    linux.check_consoles()


def test_create_and_destroy_again_after_a_violation(jailhouse: Jailhouse) -> None:
    before = jailhouse.pools()
    for _ in range(3):
        bench = Bench.create(jailhouse, "test-one")
        judge(bench, "mem-write", FATAL["memory"]["mem-write"])
        bench.destroy()
        assert jailhouse.pools() == before
        assert jailhouse.cell(0).cpus == cpus_but(jailhouse.linux)
    bench = Bench.create(jailhouse, "test-one")
    bench.run("violate", "what=cr8")
    bench.done()
    bench.destroy()
    survived(jailhouse, before)


def test_restart_clears_the_mark(bench: Bench) -> None:
    judge(bench, "port-in", FATAL["ports"]["port-in"])
    bench.start()
    bench.hypervisor_says(rf"^Parking CPU {bench.cpu}", 10)
    bench.load("violate", "what=cr8")
    cell = bench.jailhouse.cell(bench.number)
    assert (cell.state, cell.cpus_failed) == ("shut down", "")
    bench.start()
    bench.done()


@pytest.mark.needs("cpus-4")
def test_one_of_two_cpus_fails(jailhouse: Jailhouse) -> None:
    check_one_of_two_cpus_fails(jailhouse, "mem-write")


@pytest.mark.parametrize("what", ["hlt", "spin"])
def test_a_cpu_that_never_comes_back_is_taken(jailhouse: Jailhouse, what: str) -> None:
    """Interrupts off, halted or spinning: management gets its CPU all the same."""
    check_taken_in_time(jailhouse, what)


def test_ten_starts_of_a_failing_cell(bench: Bench) -> None:
    created = bench.jailhouse.pools()
    for _ in range(10):
        bench.run("violate", "what=triple-fault")
        bench.hypervisor_says(rf"^Parking CPU {bench.cpu}")
        assert bench.state == "failed"
    assert bench.jailhouse.pools() == created


@pytest.mark.needs("network")
def test_root_keeps_its_cpus_and_network(bench: Bench) -> None:
    check_root_goes_on(bench, "mem-write")


def test_dump_has_the_lines_of_the_contract(bench: Bench) -> None:
    """abi.md 11.1: six lines between the reason and the parking."""
    outcome_at = bench.outcome("port-in")
    assert outcome_at.endswith(f'Parking CPU {bench.cpu} (Cell: "test-one")')
    text = bench.hypervisor_text()
    hexadecimal = r"0x[0-9a-f]{16}"
    lines = [
        rf"RIP: {hexadecimal} RSP: {hexadecimal} FLAGS: [0-9a-f]+",
        rf"RAX: {hexadecimal} RBX: {hexadecimal} RCX: {hexadecimal}",
        rf"RDX: {hexadecimal} RSI: {hexadecimal} RDI: {hexadecimal}",
        rf"CS: [0-9a-f]+ BASE: {hexadecimal} AR-BYTES: [0-9a-f]+ EFER\.LMA 1",
        rf"CR0: {hexadecimal} CR3: {hexadecimal} CR4: {hexadecimal}",
        rf"EFER: {hexadecimal}",
        rf'Parking CPU {bench.cpu} \(Cell: "test-one"\)',
    ]
    assert re.search(r"^FATAL: .*\n" + "\n".join(lines) + "$", text, re.M), text


def test_the_line_says_what_would_allow_it(bench: Bench) -> None:
    assert "PIO_RANGE(0x70, 1)" in bench.outcome("port-in")
    assert "JAILHOUSE_MEM_WRITE" in bench.outcome("mem-write")
    assert ".pci_devices" in bench.outcome("pci-write")
