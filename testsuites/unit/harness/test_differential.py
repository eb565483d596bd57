# SPDX-License-Identifier: GPL-2.0-only
"""The differential run's comparison: what differs is found, what is explained must be there."""

from pathlib import Path

import pytest

from testsuites.differential import ledger
from testsuites.differential.ledger import Difference, Explained
from testsuites.differential.scenario import Record, comparable, plain, reset_state

AMD = Record({"answer: enable": "ok", "exits: cr": "0"}, ["a", "Unit: AMD IOMMU", "b"])
INTEL = Record({"answer: enable": "ok", "exits: cr": "2"}, ["a", "Unit: VT-d", "Unit: CAT", "b"])
CR = Explained("exits: cr", "0", r"\d", "hardware", "CR0 exits there")
UNITS = Explained("log", "(Unit: AMD IOMMU)?", "Unit: .*", "product", "other units")


def test_differences_are_facts_and_lines() -> None:
    assert ledger.differences(AMD, INTEL) == [
        Difference("exits: cr", "0", "2"),
        Difference("log", "Unit: AMD IOMMU", "Unit: VT-d"),
        Difference("log", "", "Unit: CAT"),
    ]
    assert ledger.differences(AMD, AMD) == []


def test_what_is_not_explained_is_told() -> None:
    found = ledger.differences(AMD, INTEL)
    assert ledger.unexplained(found, [CR, UNITS]) == []
    (wrong,) = ledger.unexplained(found, [UNITS])
    assert wrong.startswith("exits: cr\n")


def test_what_explains_nothing_is_told() -> None:
    (wrong,) = ledger.unexplained([Difference("exits: cr", "0", "2")], [CR, UNITS])
    assert "other units" in wrong


def test_an_entry_says_why(tmp_path: Path) -> None:
    path = tmp_path / "errata.toml"
    entry = 'what = "x"\namd = ""\nintel = ""\nwhose = "product"\nwhy = "{}"\n'
    path.write_text("[[difference]]\n" + entry.format(""))
    with pytest.raises(ValueError, match="nothing is explained"):
        ledger.ledger(path)
    assert ledger.ledger(), "the real one can be read"


@pytest.mark.parametrize(
    ("line", "same"),
    [
        ("FATAL: Invalid PIO read, port: 70 size: 1, cell \"c\", CPU 2: none",
         "FATAL: Invalid PIO read, port: # size: #, cell \"c\", CPU #: none"),
        ("RIP: 0x0000000000001a2b FLAGS: 10046", "RIP: # FLAGS: #"),
        ("CS: 8 BASE: 0x0 AR-BYTES: a09b EFER.LMA 1", "CS: # BASE: # AR-BYTES: # EFER.LMA #"),
        (" CPU 0... (APIC ID 0) OK", " CPU #... (APIC ID #) OK"),
        ("Unhandled MSR write: c0010114", "Unhandled MSR write: #"),
        ("a dead cell", "a dead cell"),
    ],
)  # fmt: skip
def test_lines_without_numbers(line: str, same: str) -> None:
    assert plain(line) == same


def test_lines_of_any_number_of_cpus_are_one() -> None:
    lines = [" CPU 0 OK", " CPU 1 OK", "Timer fired, jitter: 1 ns", '"Bochs" is up', ""]
    assert comparable(lines, "Bochs") == [" CPU # OK", '"root" is up']


def test_what_a_cpu_starts_with_is_compared_by_field() -> None:
    text = """REG cr0 60000010 cr3 0
TABLE gdt 0 ffff idt 0 ffff
MSR TSC a668d8b8
MSR VM_CR gp
APIC LDR 2
APIC LVT_TIMER 100ec
APIC LVT_ERROR fe
APIC ISR 0 0
CPUID 0.0 d 756e6547 6c65746e 49656e69
DONE probe ok
"""
    assert reset_state(text) == {
        "reset: REG cr0": "60000010", "reset: REG cr3": "0", "reset: TABLE": "gdt 0 ffff idt 0 ffff",
        "reset: MSR VM_CR": "gp", "reset: APIC LVT_TIMER": "masked",
        "reset: APIC LVT_ERROR": "fe", "reset: APIC ISR": "0 0",
    }  # fmt: skip
