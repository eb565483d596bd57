# SPDX-License-Identifier: GPL-2.0-only
"""What `config check` prints, to the letter (abi.md 6.9)."""

from __future__ import annotations

from pathlib import Path

import pytest

from jailhouse.cellfile import CellConfig, SystemConfig
from jailhouse.cli import main

from .conftest import make_cell, make_system


class Files:
    """Writes configurations where the test runs, and checks them."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def write(self, name: str, config: SystemConfig | CellConfig | bytes) -> str:
        data = config if isinstance(config, bytes) else config.to_bytes()
        (self.folder / name).write_bytes(data)
        return name

    def check(self, *names: str) -> int:
        return main(["jailhouse", "config", "check", *names])


@pytest.fixture
def files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Files:
    monkeypatch.chdir(tmp_path)
    found = Files(tmp_path)
    found.write("root.cell", make_system())
    found.write("a.cell", make_cell("a", 1, 0x3EF00000))
    b = make_cell("b", 2, 0x3EE00000)
    b.pio_regions[0].base = b.console.address = 0x2F8
    found.write("b.cell", b)
    return found


HEAD = "Reading configuration set:\n  Architecture:  x86\n  Root cell:     root (root.cell)\n"
CHECKS = (
    "Overlapping memory regions inside cell: None\n"
    "Overlapping memory regions with hypervisor: None\n"
    "Missing PCI MMCONFIG interceptions: None\n"
    "Missing resource interceptions for architecture x86: None\n"
)


def test_root_alone(files: Files, capsys: pytest.CaptureFixture[str]) -> None:
    assert files.check("root.cell") == 0
    assert capsys.readouterr() == (HEAD + CHECKS, "")


def test_one_cell(files: Files, capsys: pytest.CaptureFixture[str]) -> None:
    assert files.check("root.cell", "a.cell") == 0
    expected = HEAD + "  Non-root cell: a (a.cell)\n" + CHECKS + "Root cell CPU starvation: None\n"
    assert capsys.readouterr() == (expected, "")


def test_two_cells(files: Files, capsys: pytest.CaptureFixture[str]) -> None:
    assert files.check("root.cell", "a.cell", "b.cell") == 0
    out, err = capsys.readouterr()
    assert "  Non-root cell: a (a.cell)\n  Non-root cell: b (b.cell)\n" in out
    assert out.endswith(
        "Root cell CPU starvation: None\nOverlapping cores between non-root cells: None\n"
    )
    assert err == ""


def test_optional_checks_depend_on_the_machine(
    files: Files, capsys: pytest.CaptureFixture[str]
) -> None:
    system = make_system()
    system.pci_mmconfig_base = 0
    system.iommu_units[0].type, system.iommu_units[0].base = 1, 0xFED80000
    system.iommu_units[0].size = 0x80000
    files.write("root.cell", system)
    assert files.check("root.cell") == 0
    out = capsys.readouterr().out
    assert "MMCONFIG" not in out
    assert "Missing IOMMU interceptions: None\n" in out


def test_error_and_warning(files: Files, capsys: pytest.CaptureFixture[str]) -> None:
    cell = make_cell("a", 1)
    cell.mem_regions[0].phys_start = 0x3A5FF000
    cell.msg_reply_timeout = 0
    files.write("a.cell", cell)
    assert files.check("root.cell", "a.cell") == 1
    out = capsys.readouterr().out
    assert (
        "Overlapping memory regions with hypervisor:\n"
        '  error: cell "a": memory region 0 (0x3a5ff000-0x3a6fefff) overlaps the hypervisor\'s '
        "memory (0x3a000000-0x3a5fffff)\n"
    ) in out
    assert 'Endless waiting for replies:\n  warning: cell "a": msg_reply_timeout is 0' in out


def test_warnings_alone_succeed(files: Files, capsys: pytest.CaptureFixture[str]) -> None:
    files.write("a.cell", make_cell("a", 1).to_bytes() + bytes(56))
    assert files.check("root.cell", "a.cell") == 0
    out = capsys.readouterr().out
    assert 'Doubtful file sizes:\n  warning: cell "a": a.cell: 56 bytes behind the end' in out


def test_verbose_names_all_checks(files: Files, capsys: pytest.CaptureFixture[str]) -> None:
    assert files.check("-v", "root.cell") == 0
    assert "Invalid PM timer: None\n" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("data", "as_root", "message"),
    [
        (make_cell().to_bytes(), True, "Not a root cell configuration: x.cell\n"),
        (make_system().to_bytes(), False, "Not a cell configuration: x.cell\n"),
        (b"garbage!", False, "Not a cell configuration: x.cell\n"),
        (b"", True, "Not a root cell configuration: x.cell\n"),
        (
            b"JHCELL\x0d\0" + bytes(200),
            False,
            "Configuration file revision mismatch: x.cell\n",
        ),
        (
            b"JHSYS\0\x0f\0" + bytes(500),
            True,
            "Configuration file revision mismatch: x.cell\n",
        ),
        (
            b"JHCLL\x09\x0e\0" + bytes(200),
            False,
            "Configuration has unsupported architecture: x.cell\n",
        ),
        (
            # Complete otherwise; nobody has a driver for 32-bit ARM.
            b"JHSYS\x01" + make_system().to_bytes()[6:],
            True,
            "Configuration has unsupported architecture: x.cell\n",
        ),
        (make_cell().to_bytes()[:-1], False, "Truncated configuration: x.cell\n"),
    ],
)
def test_unreadable_files(
    files: Files, data: bytes, as_root: bool, message: str, capsys: pytest.CaptureFixture[str]
) -> None:
    files.write("x.cell", data)
    assert files.check(*(["x.cell"] if as_root else ["root.cell", "x.cell"])) == 1
    out, err = capsys.readouterr()
    assert out.startswith("Reading configuration set:\n")
    assert err.startswith(message)
    assert err.count("\n") == 2, "the reason, then what exactly"


def test_architecture_mismatch(files: Files, capsys: pytest.CaptureFixture[str]) -> None:
    cell = make_cell()
    cell.architecture = 2
    files.write("a.cell", cell)
    assert files.check("root.cell", "a.cell") == 1
    assert capsys.readouterr().err == "Cell architecture mismatch: arm64: a.cell\n"


def test_missing_file(files: Files, capsys: pytest.CaptureFixture[str]) -> None:
    assert files.check("root.cell", "nowhere.cell") == 1
    assert capsys.readouterr().err == "nowhere.cell: No such file or directory\n"
