# SPDX-License-Identifier: GPL-2.0-only
"""The programs without hypervisor. Not collected: run it by its name (docs/jitter.md says why)."""

from __future__ import annotations

from harness.jitterdata import JitterRun, Kind, Place


def test_the_bare_machine_is_measured_too(with_bare: JitterRun) -> None:
    """The report shows what the hypervisor adds: the same program is faster without it."""
    found = {(s.name, s.kind, s.place): s.median for s in with_bare.series}
    bare = [key for key in found if key[2] is Place.BARE]
    assert ("apic-demo", Kind.JITTER, Place.BARE) in bare
    for name, kind, _ in bare:
        assert found[name, kind, Place.BARE] < found[name, kind, Place.CELL], name
