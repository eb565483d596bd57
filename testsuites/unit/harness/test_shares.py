# SPDX-License-Identifier: GPL-2.0-only
"""Lists of what a default run does on a target."""

import re
from pathlib import Path

import pytest

from harness import shares
from harness.results import REPOSITORY
from harness.targets import TARGETS

TESTSUITES = REPOSITORY / "testsuites"


def test_names_and_what_begins_with_them() -> None:
    share = {"system/a.py": "x", "system/b.py::test_one": "x", "system/b.py::test_two[six]": "x"}
    assert shares.holds(share, "system/a.py::test_any[1-2]")
    assert shares.holds(share, "system/a.py::TestGroup::test_in_it")
    assert shares.holds(share, "system/b.py::test_one[p]")
    assert shares.holds(share, "system/b.py::test_two[six]")
    assert not shares.holds(share, "system/b.py::test_two[seven]")
    assert not shares.holds(share, "system/b.py::test_one_more")
    assert not shares.holds(share, "system/a.pyc::test_any")


def test_what_a_run_does_that_names_no_target() -> None:
    """Nobody talks to a guest whose time is counted; boards take too long for every change."""
    default = {target.name: target.share for target in TARGETS.values() if target.default}
    assert default == {
        "amd-tcg": "", "amd-kvm": "", "arm64-gicv3": "arm64-gicv3",
        "arm64-gicv2": "arm64-gicv2", "intel-bochs": "intel-bochs",
        "intel-bochs-smp": "intel-bochs-smp",
    }  # fmt: skip


def test_an_entry_without_reason(tmp_path: Path) -> None:
    (tmp_path / "x.toml").write_text('[tests]\n"system/a.py" = ""\n')
    with pytest.raises(ValueError, match="says why"):
        shares.read(tmp_path, "x")


@pytest.mark.parametrize("name", sorted({t.share for t in TARGETS.values() if t.share}))
def test_what_is_listed_exists(name: str) -> None:
    for entry in shares.read(TESTSUITES / "shares", name):
        file, *parts = entry.partition("[")[0].split("::")
        text = (TESTSUITES / file).read_text()
        for part in parts:
            assert re.search(rf"^\s*(def|class) {part}\b", text, re.MULTILINE), entry
