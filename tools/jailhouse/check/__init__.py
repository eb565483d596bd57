# SPDX-License-Identifier: GPL-2.0-only
"""Judges configurations, alone and together (abi.md 6.9, decisions 10, 11, 18).

    from jailhouse.check import check
    for finding in check(system, [cell, ...]):
        print(finding)

The first seven checks are those that users know from the existing tool; ours
follow.  Errors are what hypervisor or driver refuse or what breaks isolation;
warnings are legal and probably not meant.
"""

from __future__ import annotations

from collections.abc import Sequence

from jailhouse.cellfile import CellConfig, SystemConfig
from jailhouse.check import cells, cpus, devices, interrupts, memory, platform, windows
from jailhouse.check.base import Check, ConfigSet, Finding, Severity

CHECKS: tuple[Check, ...] = (
    *memory.CONTRACT_CHECKS,
    *windows.CONTRACT_CHECKS,
    *cpus.CONTRACT_CHECKS,
    *memory.CHECKS,
    *windows.CHECKS,
    *cpus.CHECKS,
    *platform.CHECKS,
    *interrupts.CHECKS,
    *devices.CHECKS,
    *cells.CHECKS,
)


def check(system: SystemConfig, others: Sequence[CellConfig] = ()) -> list[Finding]:
    """All findings in a system configuration and non-root cells, in the order of CHECKS."""
    configs = ConfigSet(system, tuple(others))
    return [
        finding for item in CHECKS if item.applies(configs) for finding in item.findings(configs)
    ]


__all__ = ["CHECKS", "Check", "ConfigSet", "Finding", "Severity", "check"]
