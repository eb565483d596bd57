# SPDX-License-Identifier: GPL-2.0-only
"""The malformed configurations that system tests feed to everybody: `config check` refuses them."""

from __future__ import annotations

from pathlib import Path

import pytest

from jailhouse.check.report import run
from testsuites import cellgen

from .conftest import make_cell, make_system

SYSTEM = make_system().to_bytes()
CELL = make_cell().to_bytes()
OTHER = make_cell("other", 3, 0x3EE00000).to_bytes()


def refused(folder: Path, system: bytes, *cells: bytes) -> bool:
    (folder / "system.cell").write_bytes(system)
    files = []
    for number, cell in enumerate(cells):
        path = folder / f"{number}.cell"
        path.write_bytes(cell)
        files.append(str(path))
    return run(str(folder / "system.cell"), files) == 1


def test_the_originals_are_accepted(tmp_path: Path) -> None:
    assert not refused(tmp_path, SYSTEM, CELL, OTHER)


def test_cell_variants(tmp_path: Path) -> None:
    wrong = [
        variant.name
        for variant in cellgen.cell_variants(CELL, SYSTEM)
        if refused(tmp_path, SYSTEM, variant.data) != variant.check
    ]
    assert wrong == []


def test_system_variants(tmp_path: Path) -> None:
    wrong = [
        variant.name
        for variant in cellgen.system_variants(SYSTEM)
        if refused(tmp_path, variant.data) != variant.check
    ]
    assert wrong == []


def test_variants_between_cells(tmp_path: Path) -> None:
    for variant in cellgen.between_cells(CELL, OTHER):
        assert refused(tmp_path, SYSTEM, OTHER, variant.data), variant.name
        assert not refused(tmp_path, SYSTEM, variant.data), variant.name


@pytest.mark.parametrize(
    "variants", [cellgen.cell_variants(CELL, SYSTEM), cellgen.system_variants(SYSTEM)]
)
def test_names_are_unique_and_bytes_differ(variants: list[cellgen.Variant]) -> None:
    assert len({variant.name for variant in variants}) == len(variants)
    assert not {CELL, SYSTEM} & {v.data for v in variants if v.name != "system file"}


def test_all_kinds_of_overlap_are_there() -> None:
    names = [variant.name for variant in cellgen.cell_variants(CELL, SYSTEM)]
    for kind in ("full", "surrounding", "head", "tail", "one page", "one byte at the end"):
        assert f"hypervisor overlap: {kind}" in names
    # RAM at 0 has nothing before it.
    assert "guest-physical overlap: tail" in names
    assert "guest-physical overlap: head" not in names


def test_trailing_bytes_of_the_original_do_not_hide_truncation() -> None:
    variants = cellgen.cell_variants(CELL + bytes(56), SYSTEM)
    truncated = [v for v in variants if v.name.startswith("truncated")]
    assert max(len(v.data) for v in truncated) < len(CELL)
