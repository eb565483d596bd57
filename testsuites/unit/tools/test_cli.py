# SPDX-License-Identifier: GPL-2.0-only
"""The command: arguments, outputs, exit statuses (abi.md 6)."""

from __future__ import annotations

import errno
import os
from pathlib import Path

import pytest

from jailhouse import VERSION, device, sysfs, usage
from jailhouse.cli import main, parse_number

from .conftest import REPOSITORY, make_cell, make_system
from .fakes import Driver, Tree


def run(*arguments: str) -> int:
    return main(["jailhouse", *arguments])


Capture = pytest.CaptureFixture[str]


# General


def test_version(capsys: Capture) -> None:
    assert run("--version") == 0
    assert capsys.readouterr() == (f"Jailhouse management tool {VERSION}\n", "")


def test_version_is_that_of_the_project() -> None:
    assert (REPOSITORY / "VERSION").read_text().strip() == VERSION


def test_usage_goes_to_stdout(capsys: Capture) -> None:
    assert run("--help") == 0
    out, err = capsys.readouterr()
    assert out.startswith("Usage: jailhouse { COMMAND | --help | --version }\n")
    assert err == ""
    assert run() == 1
    assert capsys.readouterr() == (out, "")
    for name in usage.COMMANDS:
        assert f"   {name}" in out


@pytest.mark.parametrize("command", list(usage.COMMANDS))
@pytest.mark.parametrize("option", ["--help", "-h"])
def test_every_command_has_help(command: str, option: str, capsys: Capture) -> None:
    assert run(*command.split(), option) == 0
    out, err = capsys.readouterr()
    assert out.startswith(f"Usage: jailhouse {command}")
    assert err == ""


@pytest.mark.parametrize("group", ["cell", "config", "hardware"])
def test_every_group_has_help(group: str, capsys: Capture) -> None:
    assert run(group, "--help") == 0
    out = capsys.readouterr().out
    assert out.startswith(f"Usage: jailhouse {group} COMMAND")
    assert run(group) == 1
    assert capsys.readouterr().out == out


@pytest.mark.parametrize(
    "arguments",
    [
        ["nonsense"],
        ["cell", "nonsense"],
        ["enable"],
        ["enable", "a", "b"],
        ["enable", "--fast", "a"],
        ["disable", "now"],
        ["console", "--watch"],
        ["cell", "create"],
        ["cell", "list", "all"],
        ["cell", "load"],
        ["cell", "load", "1"],
        ["cell", "load", "--name"],
        ["cell", "load", "1", "-s"],
        ["cell", "load", "1", "-a", "0"],
        ["cell", "load", "1", "image", "-a"],
        ["cell", "load", "1", "image", "-a", "high"],
        ["cell", "load", "1", "image", "-a", "0x10000000000000000"],
        ["cell", "load", "1", "image", "-x"],
        ["cell", "start"],
        ["cell", "start", "1", "2"],
        ["cell", "start", "--id", "1"],
        ["cell", "shutdown"],
        ["cell", "destroy"],
        ["cell", "linux"],
        ["cell", "linux", "cell"],
        ["cell", "linux", "cell", "kernel", "more"],
        ["cell", "linux", "cell", "kernel", "-d"],
        ["cell", "linux", "cell", "kernel", "-x"],
        ["cell", "linux", "cell", "kernel", "-a", "mips"],
        ["cell", "linux", "cell", "kernel", "-k", "-1"],
        ["cell", "stats"],
        ["config", "check"],
        ["hardware", "check", "a", "b"],
    ],
    ids=" ".join,
)
def test_usage_errors(arguments: list[str], driver: Driver, capsys: Capture) -> None:
    assert run(*arguments) == 1
    out, err = capsys.readouterr()
    assert out.startswith("Usage: jailhouse ")
    assert err.startswith("jailhouse")
    assert err.count("\n") == 1
    assert driver.calls == []


@pytest.mark.parametrize(
    "arguments",
    [
        ["cell", "linux", "-a", "x86", "a", "b"],
        ["cell", "linux", "-a", "arm", "a", "b"],
        ["config", "create", "f"],
        ["config", "collect", "f"],
    ],
)
def test_not_implemented_yet(
    arguments: list[str], capsys: Capture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", "")
    assert run(*arguments) == 1
    assert capsys.readouterr() == (
        "",
        f"jailhouse {' '.join(arguments[:2])}: not implemented yet\n",
    )


def test_helper_programs_are_found(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    helper = tmp_path / "jailhouse-cell-paint"
    helper.write_text("#!/bin/sh\n")
    helper.chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path))
    started: list[tuple[str, list[str]]] = []

    def execute(path: str, arguments: list[str]) -> None:
        started.append((path, arguments))
        raise SystemExit(0)

    monkeypatch.setattr(os, "execv", execute)
    with pytest.raises(SystemExit):
        run("cell", "paint", "red", "-x")
    assert started == [(str(helper), ["paint", "red", "-x"])]
    assert "libexec/jailhouse" in os.environ["PATH"]


@pytest.mark.parametrize(
    ("text", "number"),
    [
        ("0", 0),
        ("12", 12),
        ("0x1F", 31),
        ("010", 8),
        ("08", None),
        ("1_0", None),
        ("-1", None),
        ("+1", None),
        ("", None),
        ("0x", None),
        ("1a", None),
        ("\u0661", None),
        ("apic-demo", None),
    ],
)
def test_numbers_in_c_syntax(text: str, number: int | None) -> None:
    assert parse_number(text) == number


# Driver operations


def test_success_prints_nothing(driver: Driver, capsys: Capture) -> None:
    Path("root.cell").write_bytes(make_system().to_bytes())
    Path("demo.cell").write_bytes(make_cell().to_bytes())
    Path("image").write_bytes(b"code")
    assert run("enable", "root.cell") == 0
    assert run("cell", "create", "demo.cell") == 0
    assert run("cell", "load", "demo", "image") == 0
    assert run("cell", "start", "1") == 0
    assert run("cell", "shutdown", "--name", "1") == 0
    assert run("cell", "destroy", "0x1") == 0
    assert run("disable") == 0
    assert capsys.readouterr() == ("", "")
    assert driver.calls == [
        ("enable", make_system().to_bytes()),
        ("create", make_cell().to_bytes()),
        ("load", "demo", [(b"code", 0)]),
        ("start", 1),
        ("load", "1", ()),
        ("destroy", 1),
        ("disable",),
    ]


def test_load_in_the_order_given(driver: Driver) -> None:
    Path("a").write_bytes(b"A")
    Path("b").write_bytes(b"B")
    images = ["a", "-a", "0xf0000", "-s", "--help", "--address", "4096", "--string", "b c", "b"]
    assert run("cell", "load", "7", *images) == 0
    assert driver.calls == [
        ("load", 7, [(b"A", 0xF0000), (b"--help\0", 0x1000), (b"b c\0", 0), (b"B", 0)])
    ]


@pytest.mark.parametrize(
    ("arguments", "line"),
    [
        (["enable", "root.cell"], "JAILHOUSE_ENABLE"),
        (["disable"], "JAILHOUSE_DISABLE"),
        (["cell", "create", "demo.cell"], "JAILHOUSE_CELL_CREATE"),
        (["cell", "load", "1", "root.cell"], "JAILHOUSE_CELL_LOAD"),
        (["cell", "start", "1"], "JAILHOUSE_CELL_START"),
        (["cell", "shutdown", "1"], "JAILHOUSE_CELL_LOAD"),
        (["cell", "destroy", "1"], "JAILHOUSE_CELL_DESTROY"),
    ],
)
def test_failing_ioctl(arguments: list[str], line: str, driver: Driver, capsys: Capture) -> None:
    Path("root.cell").write_bytes(make_system().to_bytes())
    Path("demo.cell").write_bytes(make_cell().to_bytes())
    driver.error = errno.EINVAL
    assert run(*arguments) == 1
    out, err = capsys.readouterr()
    assert out == ""
    assert err.splitlines()[0] == f"{line}: Invalid argument"
    assert "old line" not in err


def test_missing_device(capsys: Capture, tree: Tree, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(device, "DEVICE", "/dev/does-not-exist")
    for arguments in (["disable"], ["cell", "start", "1"], ["console"]):
        assert run(*arguments) == 1
        expected = "opening /dev/does-not-exist: No such file or directory\n"
        assert capsys.readouterr() == ("", expected)


def test_missing_file(driver: Driver, capsys: Capture) -> None:
    assert run("enable", "nowhere.cell") == 1
    assert run("cell", "load", "1", "nowhere.bin") == 1
    err = capsys.readouterr().err
    assert err == (
        "opening nowhere.cell: No such file or directory\n"
        "opening nowhere.bin: No such file or directory\n"
    )
    assert driver.calls == []


def test_console(capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(device, "console", lambda follow: iter([b"one\n", b"two\xff\n"]))
    assert run("console") == 0
    assert capfd.readouterr().out.startswith("one\ntwo")


def test_console_follow(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[bool] = []

    def console(follow: bool) -> list[bytes]:
        asked.append(follow)
        return []

    monkeypatch.setattr(device, "console", console)
    for arguments in ([], ["-f"], ["--follow"]):
        assert run("console", *arguments) == 0
    assert asked == [False, True, True]


def test_console_when_disabled(capsys: Capture, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(follow: bool) -> None:
        raise device.DeviceError(errno.EAGAIN, "read(console)")

    monkeypatch.setattr(device, "console", refuse)
    assert run("console") == 1
    assert capsys.readouterr().err == "read(console): Resource temporarily unavailable\n"


# cell list


def test_list(tree: Tree, capsys: Capture) -> None:
    tree.cell(10, "later", "failed", "3", "3")
    tree.cell(2, "apic-demo", "running/locked", "2")
    assert run("cell", "list") == 0
    rows = [
        ("ID", "Name", "State", "Assigned CPUs", "Failed CPUs"),
        ("0", "root", "running", "0-3", ""),
        ("2", "apic-demo", "running/locked", "2", ""),
        ("10", "later", "failed", "3", "3"),
    ]
    expected = "".join(f"{a:<8}{b:<24}{c:<18}{d:<24}{e:<24}\n" for a, b, c, d, e in rows)
    assert capsys.readouterr() == (expected, "")


def test_list_without_cells_or_driver(
    tree: Tree, capsys: Capture, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sysfs, "ROOT", str(tmp_path / "empty"))
    (tmp_path / "empty" / "cells").mkdir(parents=True)
    assert run("cell", "list") == 0
    monkeypatch.setattr(sysfs, "ROOT", str(tmp_path / "nothing"))
    assert run("cell", "list") == 0
    assert capsys.readouterr() == ("", "")


def test_list_of_what_is_no_directory(
    capsys: Capture, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sysfs, "ROOT", str(tmp_path / "odd"))
    (tmp_path / "odd").mkdir()
    (tmp_path / "odd" / "cells").touch()
    assert run("cell", "list") == 1
    assert capsys.readouterr() == ("", "scandir: Not a directory\n")


# Explanations after a failure


IOMEM = """\
00001000-0009fbff : System RAM
{lines}
b0000000-bfffffff : PCI MMCONFIG 0000 [bus 00-ff]
"""


def explain_enable(
    driver: Driver, tmp_path: Path, capsys: Capture, iomem: str, cmdline: str
) -> str:
    Path("root.cell").write_bytes(make_system().to_bytes())
    (tmp_path / "proc" / "iomem").write_text(IOMEM.format(lines=iomem))
    (tmp_path / "proc" / "cmdline").write_text(cmdline)
    (tmp_path / "online").write_text("0-3\n")
    tree = Tree(tmp_path / "sysfs")
    tree.write("enabled", "0")
    driver.error = errno.EINVAL
    assert run("enable", "root.cell") == 1
    return capsys.readouterr().err


def test_missing_reservation(driver: Driver, tmp_path: Path, capsys: Capture) -> None:
    ram = "00100000-3ffdffff : System RAM\n  01000000-01ffffff : Kernel code"
    err = explain_enable(driver, tmp_path, capsys, ram, "quiet")
    assert err == (
        "JAILHOUSE_ENABLE: Invalid argument\n"
        "  hint: hypervisor memory 0x3a000000-0x3a5fffff is not reserved\n"
        "  hint: collides with /proc/iomem: 00100000-3ffdffff : System RAM\n"
        "  hint: the kernel's command line has no memmap= (such as memmap=6M$0x3a000000)\n"
    )


def test_swallowed_dollar(driver: Driver, tmp_path: Path, capsys: Capture) -> None:
    ram = "00100000-3ffdffff : System RAM"
    err = explain_enable(driver, tmp_path, capsys, ram, "memmap=82Mx3a000000 quiet")
    assert 'started with memmap=82Mx3a000000\n  hint: the "$" is missing' in err


def test_partial_reservation(driver: Driver, tmp_path: Path, capsys: Capture) -> None:
    lines = "3a000000-3a1fffff : Reserved\n3a200000-3ffdffff : System RAM"
    err = explain_enable(driver, tmp_path, capsys, lines, "memmap=2M$0x3a000000")
    assert "only partly reserved in /proc/iomem: 3a000000-3a1fffff : Reserved" in err
    assert "collides with /proc/iomem: 3a200000-3ffdffff : System RAM" in err


def test_nothing_there_at_all(driver: Driver, tmp_path: Path, capsys: Capture) -> None:
    assert "no line of /proc/iomem covers it" in explain_enable(driver, tmp_path, capsys, "", "")


def test_good_reservation_gives_no_hint(driver: Driver, tmp_path: Path, capsys: Capture) -> None:
    lines = "3a000000-3f1fffff : Reserved"
    err = explain_enable(driver, tmp_path, capsys, lines, "memmap=82M$0x3a000000")
    assert err == "JAILHOUSE_ENABLE: Invalid argument\n"


def test_offline_cpu(driver: Driver, tmp_path: Path, capsys: Capture) -> None:
    explain_enable(driver, tmp_path, capsys, "3a000000-3f1fffff : Reserved", "")
    (tmp_path / "online").write_text("0-1,3\n")
    assert run("enable", "root.cell") == 1
    assert "the root cell lists 4 CPUs, but 3 are online" in capsys.readouterr().err


def test_bad_file_is_explained(driver: Driver, tree: Tree, capsys: Capture) -> None:
    tree.write("enabled", "0")
    Path("root.cell").write_bytes(make_system().to_bytes()[:-1])
    driver.error = errno.EFAULT
    assert run("enable", "root.cell") == 1
    assert "  hint: root.cell: offset" in capsys.readouterr().err


def test_kernel_log_is_quoted(
    driver: Driver, capsys: Capture, tree: Tree, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail() -> None:
        with driver.kernel_log.open("a") as log:
            log.write("3,2,2,-;jailhouse: ordered shutdown failed!\n")
        raise device.DeviceError(errno.EPERM, "JAILHOUSE_DISABLE")

    tree.cell(3, "demo", "running/locked")
    monkeypatch.setattr(device, "disable", fail)
    assert run("disable") == 1
    assert capsys.readouterr().err == (
        "JAILHOUSE_DISABLE: Operation not permitted\n"
        "  kernel: jailhouse: ordered shutdown failed!\n"
        '  hint: cell "demo" is running/locked\n'
    )


def test_hypervisor_log_is_quoted(
    driver: Driver, capsys: Capture, tree: Tree, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(config: bytes) -> None:
        log = 'Configuration of cell "old" refused: x\nActivating hypervisor\nCreated cell "a"\n'
        log += 'Configuration of cell "demo" refused: irqchip 0: pin_base 8'
        tree.write("console", log)
        raise device.DeviceError(errno.EINVAL, "JAILHOUSE_CELL_CREATE")

    tree.write("console", 'Configuration of cell "old" refused: x\nActivating hypervisor')
    Path("demo.cell").write_bytes(make_cell().to_bytes())
    monkeypatch.setattr(device, "create", fail)
    assert run("cell", "create", "demo.cell") == 1
    assert capsys.readouterr().err == (
        "JAILHOUSE_CELL_CREATE: Invalid argument\n"
        '  hypervisor: Configuration of cell "demo" refused: irqchip 0: pin_base 8\n'
    )


def test_log_of_a_failed_enable(
    driver: Driver, capsys: Capture, tree: Tree, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(config: bytes) -> None:
        (Path("node")).write_text("Initializing\nConfiguration refused: too odd\n")
        raise device.DeviceError(errno.EINVAL, "JAILHOUSE_ENABLE")

    tree.write("console", "")
    monkeypatch.setattr(device, "enable", fail)
    monkeypatch.setattr(device, "DEVICE", "node")
    Path("root.cell").write_bytes(make_system().to_bytes())
    assert run("enable", "root.cell") == 1
    assert "  hypervisor: Configuration refused: too odd\n" in capsys.readouterr().err


def test_create_hints(driver: Driver, capsys: Capture) -> None:
    cell = make_cell("root", 7)
    Path("demo.cell").write_bytes(cell.to_bytes())
    driver.error = errno.EBUSY
    assert run("cell", "create", "demo.cell") == 1
    assert "CPU 7 does not belong to the root cell (0-3)" in capsys.readouterr().err
    driver.error = errno.EEXIST
    assert run("cell", "create", "demo.cell") == 1
    assert 'hint: there is a cell "root" already' in capsys.readouterr().err
    cell.set_cpus([0])
    Path("demo.cell").write_bytes(cell.to_bytes())
    driver.error = errno.EINVAL
    assert run("cell", "create", "demo.cell") == 1
    assert "CPU 0 can't leave the root cell on x86" in capsys.readouterr().err


def test_old_revision_is_explained(driver: Driver, capsys: Capture) -> None:
    Path("old.cell").write_bytes(b"JHCELL\x0d\0" + bytes(200))
    driver.error = errno.EINVAL
    assert run("cell", "create", "old.cell") == 1
    assert "revision 13: since then the signature" in capsys.readouterr().err


def test_a_cell_that_denies(driver: Driver, capsys: Capture) -> None:
    driver.error = errno.EPERM
    assert run("cell", "destroy", "demo") == 1
    assert capsys.readouterr().err == (
        "JAILHOUSE_CELL_DESTROY: Operation not permitted\n  hint: a cell denied the request\n"
    )


# The warning of cell start (decision 24)


def created(tree: Tree, reset: int) -> None:
    tree.cell(1, "demo", "shut down")
    cell = make_cell("demo")
    cell.cpu_reset_address = reset
    Path("demo.cell").write_bytes(cell.to_bytes())
    Path("image").write_bytes(bytes(0x100))
    assert run("cell", "create", "demo.cell") == 0


def test_start_warns_when_nothing_covers_the_reset_address(
    driver: Driver, tree: Tree, capsys: Capture
) -> None:
    created(tree, 0)
    assert run("cell", "load", "demo", "image", "-a", "0xf0000") == 0
    assert run("cell", "start", "demo") == 0
    assert capsys.readouterr() == (
        "",
        "Warning: nothing loaded covers the cell's reset address 0x0 (loaded: 0xf0000-0xf00ff)\n",
    )


def test_start_warns_when_nothing_was_loaded(driver: Driver, tree: Tree, capsys: Capture) -> None:
    created(tree, 0xFFFF0)
    assert run("cell", "start", "1") == 0
    assert "reset address 0xffff0 (nothing was loaded)" in capsys.readouterr().err


def test_start_is_silent_when_something_covers_it(
    driver: Driver, tree: Tree, capsys: Capture
) -> None:
    created(tree, 0xF0010)
    assert run("cell", "load", "1", "image", "-a", "0xf0000") == 0
    assert run("cell", "shutdown", "1") == 0
    assert run("cell", "load", "1", "-s", "console=com1", "-a", "0x1000") == 0
    assert run("cell", "start", "demo") == 0
    assert capsys.readouterr() == ("", "")


def test_nothing_is_said_about_cells_made_elsewhere(
    driver: Driver, tree: Tree, capsys: Capture
) -> None:
    tree.cell(1, "demo", "shut down")
    assert run("cell", "start", "demo") == 0
    assert capsys.readouterr() == ("", "")


def test_records_end_with_the_cell(driver: Driver, tree: Tree, tmp_path: Path) -> None:
    created(tree, 0)
    assert list((tmp_path / "run").iterdir())
    assert run("cell", "destroy", "demo") == 0
    assert not list((tmp_path / "run").iterdir())
    created(tree, 0)
    assert run("disable") == 0
    assert not list((tmp_path / "run").iterdir())
