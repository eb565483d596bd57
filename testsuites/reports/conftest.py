# SPDX-License-Identifier: GPL-2.0-only
"""Fixtures of these tests."""

from testsuites.fixtures import bench, hvcall, verbs

__all__ = ["bench", "hvcall", "verbs"]
