# SPDX-License-Identifier: GPL-2.0-only
"""Cells of the reference machine on the boards."""

import subprocess
from pathlib import Path

import pytest

from harness.artifacts import TOOLCHAINS
from harness.boards import on_board
from harness.machine import IMX8MP, QEMU_ARM64_GICV2, ZCU102, MachineSpec
from harness.results import REPOSITORY
from jailhouse.cellfile import ArmPlatform, CellConfig, SystemConfig

BOARDS = pytest.mark.parametrize("spec", [ZCU102, IMX8MP], ids=lambda spec: spec.name)


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("configs")
    words = [*TOOLCHAINS["arm64"].words(), f"O={out}"]
    make = ["make", "-s", "-j2", "-C", str(REPOSITORY / "configs"), *words]
    subprocess.run(make, check=True, stdout=subprocess.PIPE)
    return out / "configs/arm64"


@pytest.fixture
def configs(built: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> list[Path]:
    monkeypatch.setenv("JAILHOUSE_CACHE", str(tmp_path / "cache"))
    return sorted(built.glob("*.cell"))


def on(spec: MachineSpec, configs: list[Path]) -> dict[str, Path]:
    return {path.stem: path for path in on_board(configs, spec)}


def inside(region_start: int, size: int, start: int, end: int) -> bool:
    return start <= region_start and region_start + size <= end


@BOARDS
def test_demos_are_those_of_the_board(
    spec: MachineSpec, built: Path, configs: list[Path]
) -> None:
    for demo in ("gic-demo", "uart-demo"):
        own = built / f"{spec.name}-{demo}.cell"
        assert on(spec, configs)[demo].read_bytes() == own.read_bytes()


@BOARDS
def test_cells_are_where_the_board_has_room(spec: MachineSpec, configs: list[Path]) -> None:
    """RAM between the reservation's start and the hypervisor, the board's own console and GIC."""
    placed = on(spec, configs)
    root = SystemConfig.from_file(placed[spec.name])
    assert isinstance(root.platform, ArmPlatform)
    assert spec.reservation is not None
    for name in ("gic-demo", "uart-demo", "smp-demo", "test-one", "test-two", "test-gic"):
        cell = CellConfig.from_file(placed[name])
        assert (cell.console.address, cell.console.type) == (
            root.debug_console.address, root.debug_console.type,
        )  # fmt: skip
        assert cell.console.divider == 0
        assert [chip.address for chip in cell.irqchips] == (
            [root.platform.gicd_base] if name == "test-gic" else []
        )
        ram, end = spec.reservation.start, root.hypervisor_memory.phys_start
        for region in cell.mem_regions:
            if not region.is_comm_region and region.phys_start != root.debug_console.address:
                assert inside(region.phys_start, region.size, ram, end), (name, region)


@BOARDS
def test_the_rest_of_a_cell_is_as_it_was(
    spec: MachineSpec, built: Path, configs: list[Path]
) -> None:
    before = CellConfig.from_file(built / "test-one.cell")
    after = CellConfig.from_file(on(spec, configs)["test-one"])
    assert (after.name, after.cpus, after.flags) == (before.name, before.cpus, before.flags)
    assert [(r.size, r.flags) for r in after.mem_regions] == [
        (r.size, r.flags) for r in before.mem_regions
    ]


def test_the_reference_machines_are_left_alone(configs: list[Path]) -> None:
    assert list(on_board(configs, QEMU_ARM64_GICV2)) == configs
