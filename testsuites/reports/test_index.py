# SPDX-License-Identifier: GPL-2.0-only
"""docs/bugs.md names tests that exist, and every test with a bug's marker is of a bug there."""

import re
from pathlib import Path

TESTSUITES = Path(__file__).parents[1]
INDEX = (TESTSUITES.parent / "docs" / "bugs.md").read_text()
FOLDERS = {"S": "system", "R": "reports", "U": "unit"}


def test_named_tests_exist() -> None:
    named = re.findall(r"`([SRU])/([\w/]+\.py)::(\w+)`", INDEX)
    assert len(named) > 60
    missing = [
        f"{folder}/{file}::{name}"
        for folder, file, name in named
        if not (path := TESTSUITES / FOLDERS[folder] / file).exists()
        or not re.search(rf"def {name}\(", path.read_text())
    ]
    assert missing == []


def test_marked_bugs_are_listed() -> None:
    rows = set(re.findall(r"^\| ([AU]\d+) \|", INDEX, re.MULTILINE))
    marked = set()
    for path in TESTSUITES.rglob("test_*.py"):
        marked |= set(re.findall(r'mark\.bug\("(\w+)"\)', path.read_text()))
    assert marked
    assert marked <= rows
