# SPDX-License-Identifier: GPL-2.0-only
"""The same programs without hypervisor, so that the report shows what it adds."""

from __future__ import annotations

from harness import jitterrun
from harness.jitterdata import Kind, Place
from testsuites.jitter.measured import Measured


def test_every_program_ran_on_the_bare_machine_and_was_faster(measured: Measured) -> None:
    found = {(s.name, s.kind, s.place): s.median for s in measured.run.series}
    bare = {key[:2] for key in found if key[2] is Place.BARE}
    events = [event for event in jitterrun.EVENTS if event != "hypercall"]
    assert bare == {
        ("apic-demo", Kind.JITTER),
        *((f"tick-{event}", Kind.JITTER) for event in events),
        *((f"tick-{event}", Kind.COST) for event in events if event != "none"),
    }
    for name, kind in bare:
        assert found[name, kind, Place.BARE] < found[name, kind, Place.CELL], (name, kind)


def test_every_exit_costs_more_than_the_same_on_the_bare_machine(measured: Measured) -> None:
    found = {(cost.name, cost.place): cost.median for cost in measured.run.costs}
    bare = {name for name, place in found if place is Place.BARE}
    # Nobody answers a hypercall there, and the xAPIC page is off.
    assert bare == set(jitterrun.REFERENCES) - {"hypercall", "xapic-mmio-write"} | {
        "pat-msr-read", "ipi-send",
    }  # fmt: skip
    for name in bare:
        assert found[name, Place.BARE] < found[name, Place.CELL], name
