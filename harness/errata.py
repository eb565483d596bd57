# SPDX-License-Identifier: GPL-2.0-only
"""Ledger of known defects of emulators.

An entry turns an emulator's death, or a boot that never ends, with exactly that
symptom into an expected failure that names it: neither the product's fault nor
the harness's, and never silent. What no entry describes stays a failure.
"""

from __future__ import annotations

import re
from dataclasses import dataclass


@dataclass(frozen=True)
class Erratum:
    """One known defect: which emulator, which versions, what its last words are."""

    name: str
    emulator: str
    #: Versions it applies to: from `since`, before `until`. Whether newer ones have it was
    #: not tried: there it is a failure until somebody looks.
    since: tuple[int, int, int]
    until: tuple[int, int, int]
    #: Searched in what the emulator wrote before it ended; and in the root console, the
    #: state and the interrupt controllers of a machine that did not get as far as its channels.
    symptom: str
    #: What is known about it.
    note: str


LEDGER = (
    Erratum(
        name="tcg-iotlb-section",
        emulator="qemu",
        since=(10, 0, 0),
        until=(11, 0, 0),
        symptom=r"iotlb_to_section: Assertion [`']?section_index < d->map\.sections_nb",
        note="multi-threaded TCG looks up a stale MMIO section while another CPU changes the "
        "memory map (PCI BARs during boot); seen once, with 10.0.13 on a loaded host",
    ),
    Erratum(
        name="tcg-lost-timer",
        emulator="qemu",
        since=(10, 0, 0),
        until=(11, 0, 0),
        symptom=r"rcu_preempt kthread timer wakeup didn't happen",
        note="a CPU's local APIC timer never fires again, in Linux alone, before there is a "
        "hypervisor; seen four times, with 10.0.13 on a loaded host",
    ),
    Erratum(
        name="tcg-lost-eoi",
        emulator="qemu",
        since=(10, 0, 0),
        until=(11, 0, 0),
        symptom=r"(?ms)^run state: running\n(CPU \d+: RIP \w+ halted\n)+---.*^ISR\s+\d",
        note="a local APIC has an interrupt in service, hence delivers no other, though all CPUs "
        "of a booting Linux are in its idle loop: the write that ends it was lost, while drivers "
        "enable devices; seen twice in one run, with 10.0.13; probably tcg-iotlb-section's cause",
    ),
)


def known(emulator: str, version: tuple[int, int, int], last_words: str) -> Erratum | None:
    """The ledger's entry for an emulator of `version` that ended with these words."""
    for entry in LEDGER:
        applies = entry.emulator == emulator and entry.since <= version < entry.until
        if applies and re.search(entry.symptom, last_words):
            return entry
    return None
