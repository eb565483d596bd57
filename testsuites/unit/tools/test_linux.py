# SPDX-License-Identifier: GPL-2.0-only
"""`jailhouse cell linux`: what goes where, what is refused, what is done (abi.md 6.10, 7.9)."""

from __future__ import annotations

import errno
import gzip
import itertools
import shlex
import struct
from pathlib import Path

import pytest

from jailhouse import linux
from jailhouse.cellfile import Architecture, CellConfig, MemFlag, Memory
from jailhouse.cli import main, take_images, take_selector
from jailhouse.devicetree import DeviceTree, Node

from .fakes import Driver, Tree

RAM = MemFlag.READ | MemFlag.WRITE | MemFlag.EXECUTE | MemFlag.DMA | MemFlag.LOADABLE
IO = MemFlag.READ | MemFlag.WRITE | MemFlag.IO
LOADER = b"the loader"
WORD = struct.Struct(">I")

Capture = pytest.CaptureFixture[str]


def image(size: int, text_offset: int = 0, needs: int | None = None) -> bytes:
    """A kernel of that many bytes that says it needs so many of memory."""
    needs = size if needs is None else needs
    head = struct.pack("<IIQQQQQQ4sI", 0, 0, text_offset, needs, 10, 0, 0, 0, b"ARM\x64", 0)
    return head + bytes(n % 251 for n in range(size - len(head)))


def cell(*regions: Memory) -> CellConfig:
    """A cell with the loader's memory at 0, and these regions (default: 128 MiB)."""
    config = CellConfig(Architecture.ARM64, "linux-demo")
    config.set_cpus([2, 3])
    config.mem_regions = [
        Memory(0x73FF0000, 0, 0x10000, RAM & ~MemFlag.DMA),
        *(regions or (Memory(0x70000000, 0x70000000, 128 << 20, RAM),)),
        Memory(0x9040000, 0x9040000, 0x1000, IO),
        Memory(0, 0x80000000, 0x1000, MemFlag.READ | MemFlag.WRITE | MemFlag.COMM_REGION),
    ]
    return config


def dtb(addresses: int | None = 2, sizes: int | None = 2, *children: Node) -> DeviceTree:
    cells = {"#address-cells": addresses, "#size-cells": sizes}
    properties = {name: WORD.pack(count) for name, count in cells.items() if count is not None}
    return DeviceTree(Node("", properties, list(children)))


class Files:
    """The files of a call, in the current folder."""

    def __init__(self, folder: Path, tree: Tree) -> None:
        self.folder = folder
        self.tree = tree
        self.write("linux.cell", cell().to_bytes())
        self.write("Image", image(100_000))
        self.write("linux.dtb", dtb().to_bytes())
        self.write("initrd", bytes(range(256)) * 20)
        (folder / "libexec/jailhouse").mkdir(parents=True)
        self.write("libexec/jailhouse/linux-loader.bin", LOADER)

    def write(self, name: str, data: bytes) -> None:
        (self.folder / name).write_bytes(data)

    def read(self, name: str) -> bytes:
        return (self.folder / name).read_bytes()


@pytest.fixture
def files(
    driver: Driver, tree: Tree, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Files:
    """In the folder that the command runs in; `driver` has made it so."""
    monkeypatch.setattr("sys.argv", [str(tmp_path / "sbin/jailhouse")])
    return Files(tmp_path, tree)


def run(*words: str) -> int:
    return main(["jailhouse", "cell", "linux", "-a", "arm64", *words])


def run_all(*more: str) -> int:
    return run("-d", "linux.dtb", "-i", "initrd", "-c", "console=ttyAMA0", *more, "linux.cell", "Image")


def kernel(size: int, text_offset: int = 0, needs: int | None = None) -> linux.Kernel:
    return linux.Kernel.from_bytes(image(size, text_offset, needs), "Image")


# Places


def test_the_example_of_the_contract() -> None:
    """abi.md 7.9: a kernel of 32 MiB in 128 MiB at 0x70000000."""
    big = linux.Kernel(bytes(0x1F6E000), 0, 0x2000000, False)
    place = linux.placed(cell(), 0x4000, big, 5 << 20, 1)
    assert (place.tree, place.kernel, place.initrd) == (0x70000000, 0x70200000, 0x740DC000)


def test_what_the_kernel_clears_itself_is_kept_free() -> None:
    place = linux.placed(cell(), 0x4000, kernel(100_000, needs=10 << 20), 1, 1)
    assert place.initrd == 0x70200000 + (10 << 20)
    place = linux.placed(cell(), 0x4000, kernel(100_000), 1, 200)
    assert place.initrd == 0x70200000 + 0x132C000, "201 kernels, in whole pages"


def test_text_offset_and_long_trees() -> None:
    place = linux.placed(cell(), (2 << 20) + 1, kernel(100_000, text_offset=0x80000), 1, 1)
    assert place.kernel == 0x70480000
    assert kernel(100_000, text_offset=5, needs=0).text_offset == 0x80000, "before Linux 3.17"


def test_memory_that_the_loader_runs_in() -> None:
    config = cell(Memory(0x70000000, 0, 128 << 20, RAM))
    del config.mem_regions[0]
    place = linux.placed(config, 0x1000, kernel(100_000), 1, 1)
    assert (place.tree, place.kernel) == (0x10000, 0x200000)


def test_first_region_that_is_large_enough() -> None:
    small, large = Memory(0x70000000, 0x70000000, 3 << 20, RAM), Memory(0, 1 << 32, 64 << 20, RAM)
    shared = Memory(0x71000000, 0x71000000, 64 << 20, RAM | MemFlag.ROOTSHARED)
    fixed = Memory(0x71000000, 0x72000000, 64 << 20, RAM & ~MemFlag.LOADABLE)
    config = cell(shared, fixed, small, large)
    assert linux.placed(config, 0x1000, kernel(100_000), 1, 1).tree == 0x70000000
    assert linux.placed(config, 0x1000, kernel(2 << 20), 1, 1).tree == 1 << 32
    assert linux.ram_of(config) == [fixed, small, large]


@pytest.mark.bug("A62")
@pytest.mark.parametrize("size", [1, 4095, 4096, 4097, 8191])
def test_a62_nothing_overlaps(size: int, files: Files, driver: Driver) -> None:
    """Every image whole, apart from the others and inside its region, whatever the sizes."""
    files.write("initrd", bytes([size % 256]) * size)
    for length in (100_000, 100_001, 102_399, 102_400):
        files.write("Image", image(length, needs=length + 4097))
        driver.calls.clear()
        assert run_all() == 0
        images = driver.calls[1][2]
        assert isinstance(images, list)
        places = sorted((address, address + len(data)) for data, address in images)
        assert all(end <= start for (_, end), (start, _) in itertools.pairwise(places))
        assert places[-1][1] <= 0x78000000
        assert images[2][0] == files.read("Image")
        assert images[4][0] == files.read("initrd")


# The device tree


def filled(tree: DeviceTree, cmdline: bytes | None, initrd: tuple[int, int] = (0, 0)) -> Node:
    config = cell(Memory(0, 0x70000000, 1 << 20, RAM), Memory(0, 1 << 31, 2 << 20, RAM))
    return DeviceTree.from_bytes(linux.filled(tree, "x.dtb", config, cmdline, initrd)).root


def test_memory_command_line_and_initrd() -> None:
    root = filled(dtb(), b"quiet\0", (0x70400000, 0x123))
    memory, chosen = root.child("memory").properties, root.child("chosen").properties
    assert memory["device_type"] == b"memory\0"
    assert memory["reg"] == struct.pack(">4Q", 0x70000000, 1 << 20, 1 << 31, 2 << 20)
    assert chosen["bootargs"] == b"quiet\0"
    assert chosen["linux,initrd-start"] == struct.pack(">Q", 0x70400000)
    assert chosen["linux,initrd-end"] == struct.pack(">Q", 0x70400123)


def test_what_was_in_the_tree() -> None:
    """Memory nodes and an initrd of others go; a command line stays, and so does the rest."""
    old = {"bootargs": b"old\0", "linux,initrd-start": bytes(8), "stdout-path": b"serial0\0"}
    tree = dtb(
        2, 2, Node("memory@0", {"reg": b"old"}), Node("ram", {"device_type": b"memory\0"}),
        Node("chosen", old), Node("timer"),
    )  # fmt: skip
    root = filled(tree, None)
    assert [node.name for node in root.children] == ["chosen", "timer", "memory"]
    assert root.child("chosen").properties == {"bootargs": b"old\0", "stdout-path": b"serial0\0"}
    assert filled(tree, b"\0").child("chosen").properties["bootargs"] == b"\0"


def test_widths_of_the_root_node() -> None:
    root = filled(dtb(1, 1), None, (0x70400000, 1))
    assert root.child("memory").properties["reg"] == struct.pack(
        ">4I", 0x70000000, 1 << 20, 1 << 31, 2 << 20
    )
    assert root.child("chosen").properties["linux,initrd-end"] == WORD.pack(0x70400001)
    absent = filled(dtb(None, None), None).child("memory").properties["reg"]
    assert absent == struct.pack(">QIQI", 0x70000000, 1 << 20, 1 << 31, 2 << 20)


# What is done


def test_create_load_start(files: Files, driver: Driver, capsys: Capture) -> None:
    assert run_all() == 0
    assert capsys.readouterr() == ("", "")
    names = [call[0] for call in driver.calls]
    assert names == ["create", "load", "start"]
    assert driver.calls[0] == ("create", files.read("linux.cell"))
    _, name, images = driver.calls[1]
    assert name == driver.calls[2][1] == "linux-demo"
    assert isinstance(images, list)
    assert images[0] == (LOADER, 0)
    assert images[1] == (b"kernel=0x70200000 dtb=0x70000000\0", 0x1000)
    assert images[2] == (files.read("Image"), 0x70200000)
    assert images[3][1] == 0x70000000
    assert images[4] == (files.read("initrd"), 0x70231000)
    chosen = DeviceTree.from_bytes(images[3][0]).root.child("chosen").properties
    assert chosen["bootargs"] == b"console=ttyAMA0\0"
    assert chosen["linux,initrd-start"] == struct.pack(">Q", 0x70231000)


def test_without_initrd(files: Files, driver: Driver) -> None:
    assert run("-d", "linux.dtb", "linux.cell", "Image") == 0
    images = driver.calls[1][2]
    assert isinstance(images, list)
    assert len(images) == 4
    assert DeviceTree.from_bytes(images[3][0]).root.child("chosen").properties == {}


def test_packed_kernels_are_the_same(files: Files, driver: Driver) -> None:
    assert run_all() == 0
    plain, driver.calls = driver.calls, []
    files.write("Image", gzip.compress(files.read("Image")))
    assert run_all() == 0
    assert driver.calls == plain


def test_a_cell_that_exists_is_loaded_anew(files: Files, driver: Driver) -> None:
    files.tree.cell(1, "linux-demo", "running", "2-3")
    assert run_all() == 0
    assert [call[0] for call in driver.calls] == ["load", "start"]


@pytest.mark.parametrize("failing", ["load", "start"])
@pytest.mark.parametrize("exists", [False, True])
def test_failures_leave_things_as_they_were(
    files: Files, driver: Driver, capsys: Capture, failing: str, exists: bool
) -> None:
    if exists:
        files.tree.cell(1, "linux-demo", "shut down", "2-3")
    driver.error, driver.failing = errno.EINVAL, failing
    assert run_all() == 1
    operation = f"JAILHOUSE_CELL_{failing.upper()}"
    assert capsys.readouterr().err.splitlines()[0] == f"{operation}: Invalid argument"
    assert ("destroy", "linux-demo") in driver.calls or exists
    assert (driver.calls[-1][0] == "destroy") is not exists


def test_a_create_that_fails_is_the_end(files: Files, driver: Driver, capsys: Capture) -> None:
    driver.error = errno.EBUSY
    assert run_all() == 1
    assert [call[0] for call in driver.calls] == ["create"]
    assert "JAILHOUSE_CELL_CREATE: Device or resource busy" in capsys.readouterr().err


def test_commands_instead(files: Files, driver: Driver, capsys: Capture) -> None:
    """-w: nothing is done; the printed commands would load the same to the same places."""
    assert run_all("-w", "filled in.dtb") == 0
    assert driver.calls == []
    create, load, start = (shlex.split(line) for line in capsys.readouterr().out.splitlines())
    assert create == ["jailhouse", "cell", "create", "linux.cell"]
    assert start == ["jailhouse", "cell", "start", "--name", "linux-demo"]
    words = load[3:]
    assert take_selector(words) == "linux-demo"
    named = {
        address: text.encode() + b"\0" if is_string else Path(text).read_bytes()
        for text, is_string, address in take_images(words)
    }
    assert run_all() == 0
    images = driver.calls[1][2]
    assert isinstance(images, list)
    assert named == {address: data for data, address in images}


# What is refused


def refused(capsys: Capture, *words: str) -> str:
    assert run(*words) == 1
    out, err = capsys.readouterr()
    assert out == ""
    assert err.count("\n") == 1
    return err.removeprefix("jailhouse cell linux: ").strip()


USUAL = ("-d", "linux.dtb", "linux.cell", "Image")


def test_no_device_tree(files: Files, driver: Driver, capsys: Capture) -> None:
    assert refused(capsys, "linux.cell", "Image") == (
        "-d DTB is missing: Linux on ARM64 needs the device tree of its cell"
    )
    assert driver.calls == []


@pytest.mark.parametrize("name", ["linux.cell", "linux.dtb", "Image"])
def test_files_that_are_not_there(files: Files, name: str, capsys: Capture) -> None:
    (files.folder / name).unlink()
    assert refused(capsys, *USUAL) == f"opening {name}: No such file or directory"


WRONG = {
    "no kernel": ("Image", b"MZ" + bytes(100), "Image: no ARM64 kernel: bytes 56 to 59 are"),
    "an empty kernel": ("Image", b"", "Image: no ARM64 kernel"),
    "a kernel cut off": ("Image", gzip.compress(image(9999))[:-50], "Image: the gzip archive is cut off"),
    "no gzip": ("Image", b"\x1f\x8b" + bytes(50), "Image: gzip: "),
    "no kernel in gzip": ("Image", gzip.compress(b"hello" * 50), "Image: no ARM64 kernel"),
    "no tree": ("linux.dtb", b"/dts-v1/;" + bytes(99), "linux.dtb: it starts with 0x2f647473"),
    "three address cells": ("linux.dtb", dtb(3, 2).to_bytes(), "linux.dtb: #address-cells of the root node is 3, 1 or 2 is right"),
    "no size cells": ("linux.dtb", dtb(2, 0).to_bytes(), "linux.dtb: #size-cells of the root node is 0, 1 or 2 is right"),
    "no cell": ("linux.cell", b"nothing", "linux.cell: offset 7 (revision)"),
    "a cell for x86": ("linux.cell", CellConfig(Architecture.X86).to_bytes(), "linux.cell: the cell is for X86, ARM64 is wanted"),
    "too little memory": (
        "linux.cell", cell(Memory(0x70000000, 0x70000000, 1 << 20, RAM)).to_bytes(),
        "linux.cell: kernel, device tree and initrd need 2244 KiB in one piece, the largest memory region has 1024 KiB",
    ),
    "no memory to load to": (
        "linux.cell", cell(Memory(0x70000000, 0x70000000, 1 << 30, IO)).to_bytes(),
        "linux.cell: the cell has no loadable memory for Linux",
    ),
    "memory for no loader": (
        "linux.cell", CellConfig(Architecture.ARM64, cpu_reset_address=0x1000).to_bytes(),
        "linux.cell: the loader needs 64 KiB of loadable and executable memory at the reset address 0x1000",
    ),
}  # fmt: skip


@pytest.mark.parametrize("case", WRONG)
def test_wrong_files(files: Files, driver: Driver, capsys: Capture, case: str) -> None:
    """One line, with the file's name, before the driver hears of anything."""
    name, data, begins = WRONG[case]
    files.write(name, data)
    assert refused(capsys, *USUAL).startswith(begins)
    assert driver.calls == []


def test_memory_above_four_gigabytes_in_a_narrow_tree(files: Files, capsys: Capture) -> None:
    files.write("linux.cell", cell(Memory(0x70000000, 1 << 32, 128 << 20, RAM)).to_bytes())
    files.write("linux.dtb", dtb(1, 1).to_bytes())
    assert refused(capsys, *USUAL) == (
        "linux.dtb: 0x100000000 does not fit the root node's 32 bits, #address-cells and "
        "#size-cells must be 2"
    )


def test_archives_that_grow_without_end(
    files: Files, capsys: Capture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(linux, "MAX_KERNEL", 1 << 16)
    files.write("Image", gzip.compress(image(1 << 17)))
    assert refused(capsys, *USUAL).startswith("Image: the gzip archive unpacks to more than")


@pytest.mark.bug("A62")
@pytest.mark.parametrize("length", [0, 255, 2047, 2048])
def test_a62_long_command_lines(
    files: Files, driver: Driver, capsys: Capture, length: int
) -> None:
    """Whole or refused; Linux would cut it off without a word."""
    if length > 2047:
        assert refused(capsys, "-c", "x" * length, *USUAL) == (
            f"the command line has {length} bytes, Linux takes 2047"
        )
        return
    assert run("-c", "x" * length, *USUAL) == 0
    images = driver.calls[1][2]
    assert isinstance(images, list)
    chosen = DeviceTree.from_bytes(images[3][0]).root.child("chosen").properties
    assert chosen["bootargs"] == b"x" * length + b"\0"


def test_an_empty_initrd(files: Files, capsys: Capture) -> None:
    files.write("initrd", b"")
    assert refused(capsys, "-i", "initrd", *USUAL) == "initrd: the initrd is empty"


def test_packed_kernels_cannot_be_loaded_by_command(files: Files, capsys: Capture) -> None:
    files.write("Image", gzip.compress(image(9999)))
    assert refused(capsys, "-w", "out", *USUAL).startswith("Image: compressed")
    assert not (files.folder / "out").exists()


def test_no_loader(files: Files, capsys: Capture, monkeypatch: pytest.MonkeyPatch) -> None:
    (files.folder / "libexec/jailhouse/linux-loader.bin").unlink()
    monkeypatch.setattr(linux, "__file__", str(files.folder / "a/b/linux.py"))
    assert refused(capsys, *USUAL).startswith("linux-loader.bin is neither in ")
