# SPDX-License-Identifier: GPL-2.0-only
"""An emulator's death is an erratum only with the symptom and version of an entry."""

from pathlib import Path

import pytest

from harness import errata
from harness.errors import BootFailure, EmulatorErratum
from harness.guest.linux import Linux
from harness.session import NOTES, Lab, Plan, Variant

WORDS = (
    "qemu-system-x86_64: system/physmem.c:2671: iotlb_to_section: "
    "Assertion `section_index < d->map.sections_nb' failed."
)


STALL = "rcu: rcu_preempt kthread timer wakeup didn't happen for 5251 jiffies! g-1143 f0x0"

#: As `Emulator.evidence` has it: QEMU's monitor ends its lines with "\r\n".
IDLE = (
    "run state: running\nCPU 0: RIP ffffffff81a4e8cb halted\nCPU 1: RIP ffffffff81a4e8cb halted\n"
    "--- last lines of root-console:\n\n"
    "dumping local APIC state for CPU 0 \r\nISR\t (none)\r\nIRR\t (none)\r\n"
    "dumping local APIC state for CPU 1 \r\nISR\t 236 \r\nIRR\t 33 34 236 \r\n"
)


@pytest.mark.parametrize(
    ("words", "name"),
    [(WORDS, "tcg-iotlb-section"), (STALL, "tcg-lost-timer"), (IDLE, "tcg-lost-eoi")],
)
def test_known_symptom(words: str, name: str) -> None:
    found = errata.known("qemu", (10, 0, 13), words)
    assert found is not None
    assert found.name == name


class Boots(Lab):
    """A lab whose first boots fail."""

    def __init__(self, results: Path, failures: list[Exception]) -> None:
        super().__init__(target=None, artifacts=None, results=results)  # type: ignore[arg-type]
        self.failures = failures

    def plan(self, *_: object) -> Plan:
        return None  # type: ignore[return-value]

    def _start(self, *_: object) -> Linux:
        return None  # type: ignore[return-value]

    def _ready(self, *_: object) -> Linux:
        if self.failures:
            raise self.failures.pop(0)
        return "booted"  # type: ignore[return-value]


def test_a_boot_is_repeated_once_and_said(tmp_path: Path) -> None:
    lab = Boots(tmp_path, [EmulatorErratum("tcg-lost-timer: note")])
    assert lab.linux(Variant()) == "booted"
    assert "repeated: emulator erratum tcg-lost-timer" in (tmp_path / NOTES).read_text()


def test_a_boot_is_not_repeated_twice(tmp_path: Path) -> None:
    lab = Boots(tmp_path, [EmulatorErratum("a"), EmulatorErratum("b")])
    with pytest.raises(EmulatorErratum, match="b"):
        lab.linux(Variant())


def test_other_failures_are_not_repeated(tmp_path: Path) -> None:
    lab = Boots(tmp_path, [BootFailure("no channel")])
    with pytest.raises(BootFailure):
        lab.linux(Variant())
    assert not (tmp_path / NOTES).exists()


@pytest.mark.parametrize(
    ("emulator", "version", "words"),
    [
        ("qemu", (7, 2, 0), WORDS),
        ("qemu", (11, 0, 0), WORDS),
        ("bochs", (10, 0, 13), WORDS),
        ("qemu", (10, 0, 13), "Segmentation fault"),
        # All is ended; a CPU runs, and may be in a handler.
        ("qemu", (10, 0, 13), IDLE.replace("236 \r\nIRR", "(none)\r\nIRR")),
        ("qemu", (10, 0, 13), IDLE.replace("CPU 1: RIP ffffffff81a4e8cb halted", "CPU 1: RIP 7")),
        ("qemu", (10, 0, 13), ""),
    ],
)
def test_anything_else_is_a_failure(
    emulator: str, version: tuple[int, int, int], words: str
) -> None:
    assert errata.known(emulator, version, words) is None


def test_names_are_unique() -> None:
    names = [entry.name for entry in errata.LEDGER]
    assert len(names) == len(set(names))
