# SPDX-License-Identifier: GPL-2.0-only
"""Whose fault it is, and what a target may leave out."""

from pathlib import Path

import pytest

from harness import errors
from harness.errors import verdict_of
from harness.expected import Outcome, plain_name, read, violations


def test_every_exception_has_a_verdict() -> None:
    known = {"product", "harness", "erratum", "starved", "unsupported"}
    for name in dir(errors):
        value = getattr(errors, name)
        if isinstance(value, type) and issubclass(value, errors.Verdict):
            assert value.verdict in known
            assert name in (errors.__doc__ or "") or value is errors.Verdict


def test_whose_fault() -> None:
    assert verdict_of(AssertionError()) == "product"
    assert verdict_of(errors.CommandTimeout("x")) == "product"
    assert verdict_of(errors.EmulatorDied("x")) == "harness"
    assert verdict_of(errors.MachineReset("x")) == "product"
    assert verdict_of(errors.HostStarved("x")) == "starved"
    assert verdict_of(TypeError()) == "harness"
    with pytest.raises(pytest.fail.Exception) as raised:
        pytest.fail("said so")
    assert verdict_of(raised.value) == "product"


def test_exit_codes_differ() -> None:
    assert len(set(errors.EXIT_CODES.values())) == len(errors.EXIT_CODES)


def test_names() -> None:
    for node, name in (
        ("testsuites/system/test_a.py::test_b[amd-tcg]", "system/test_a.py::test_b"),
        ("testsuites/system/test_a.py::test_b[amd-tcg-6.12]", "system/test_a.py::test_b[6.12]"),
        ("testsuites/system/test_a.py::test_b[6.12-amd-tcg]", "system/test_a.py::test_b[6.12]"),
        ("testsuites/system/test_a.py::test_b[x-amd-tcg-y]", "system/test_a.py::test_b[x-y]"),
        ("testsuites/unit/test_a.py::test_b[x-1]", "unit/test_a.py::test_b[x-1]"),
    ):
        assert plain_name(node, "amd-tcg") == name


def test_rules() -> None:
    lists = {"amd-tcg": {"a": "feature", "b": "feature"}}
    outcomes = [
        Outcome("a", "amd-tcg", True),
        Outcome("b", "amd-tcg", False),
        Outcome("c", "amd-tcg", True, "no such thing"),
        Outcome("d", "amd-tcg", False),
        Outcome("a", "host", True),
    ]
    found = violations(outcomes, lists)
    assert [line.split()[0] for line in found] == ["b", "c", "a"]
    assert "no such thing" in found[1]


def test_every_listed_test_names_a_feature(tmp_path: Path) -> None:
    (tmp_path / "t.toml").write_text('[unsupported]\n"a" = "no MSI"\n')
    assert read(tmp_path, "t") == {"a": "no MSI"}
    (tmp_path / "u.toml").write_text('[unsupported]\n"a" = ""\n')
    with pytest.raises(ValueError, match="missing feature"):
        read(tmp_path, "u")
    assert read(tmp_path, "absent") == {}


def test_lists_of_this_tree_name_existing_files() -> None:
    testsuites = Path(__file__).resolve().parents[2]
    for path in (testsuites / "expected").glob("*.toml"):
        for name in read(path.parent, path.stem):
            assert (testsuites / name.partition("::")[0]).is_file(), name
