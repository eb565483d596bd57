# SPDX-License-Identifier: GPL-2.0-only
"""Reading the driver's sysfs tree (abi.md 5.4)."""

from __future__ import annotations

from pathlib import Path

import pytest

from jailhouse import sysfs

from .fakes import Tree


def test_not_loaded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sysfs, "ROOT", str(tmp_path / "nothing"))
    assert (sysfs.loaded(), sysfs.enabled(), sysfs.cells()) == (False, False, [])


def test_cells_sort_by_number(tree: Tree) -> None:
    for number in (10, 2, 1):
        tree.cell(number, f"cell-{number}", "shut down", cpus=str(number))
    assert [cell.id for cell in sysfs.cells()] == [0, 1, 2, 10]


def test_cell_attributes(tree: Tree) -> None:
    tree.cell(1, "demo", "running/locked", cpus="1-3,7", failed="2")
    cell = sysfs.cell(1)
    assert (cell.name, cell.state) == ("demo", "running/locked")
    assert (cell.cpu_numbers, cell.failed_cpu_numbers) == ([1, 2, 3, 7], [2])
    assert cell == sysfs.cell(1) != sysfs.cell(0)
    assert "running/locked" in repr(cell)


def test_find(tree: Tree) -> None:
    tree.cell(1, "0", "running")
    assert sysfs.find(0) == sysfs.cell(0)
    assert sysfs.find("0") == sysfs.cell(1)
    assert sysfs.find("none") is None


def test_pools(tree: Tree) -> None:
    pools = sysfs.pools()
    assert (pools.mem_pool_size, pools.mem_pool_used) == (1500, 190)
    assert (pools.remap_pool_size, pools.remap_pool_used) == (131072, 5)
    assert pools == sysfs.pools()
    assert repr(pools) == "Pools(mem 190/1500, remap 5/131072)"


def test_statistics(tree: Tree) -> None:
    tree.cell(1, "demo", "running", cpus="2,10")
    tree.counters(1, None, vmexits_total=30, vmexits_mmio=1)
    tree.counters(1, 2, vmexits_total=10)
    tree.counters(1, 10, vmexits_total=20)
    assert sysfs.statistics(1) == {"vmexits_total": 30, "vmexits_mmio": 1}
    assert list(sysfs.statistics(1)) == ["vmexits_total", "vmexits_mmio"]
    assert sysfs.statistics_cpus(1) == [2, 10]
    assert sysfs.statistics(1, 10) == {"vmexits_total": 20}


def test_enabled_and_console(tree: Tree) -> None:
    assert sysfs.enabled()
    assert sysfs.console() == "Activating hypervisor"
    tree.write("enabled", "0")
    assert not sysfs.enabled()


@pytest.mark.parametrize(
    ("text", "cpus"),
    [("", []), ("\n", []), ("0", [0]), ("0-2\n", [0, 1, 2]), ("1,3-4,9", [1, 3, 4, 9])],
)
def test_cpu_lists(text: str, cpus: list[int]) -> None:
    assert sysfs.parse_cpu_list(text) == cpus
