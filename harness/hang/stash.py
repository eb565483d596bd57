# SPDX-License-Identifier: GPL-2.0-only
"""What fixtures leave for the hooks."""

from __future__ import annotations

from pathlib import Path

import pytest

from harness.guest.linux import Linux

#: A test's machines, newest last, each with the test's results folder.
MACHINES = pytest.StashKey[list[tuple[Linux, Path]]]()
