# SPDX-License-Identifier: GPL-2.0-only
"""Fixtures of these tests."""

from testsuites.fixtures import bench, hvcall, small, timer, verbs

__all__ = ["bench", "hvcall", "small", "timer", "verbs"]
