# SPDX-License-Identifier: GPL-2.0-only
"""Device trees: read and written as others do, and nothing breaks on nonsense."""

from __future__ import annotations

import importlib.util
import random
import re
import struct
from pathlib import Path
from types import ModuleType

import fdt
import pytest

from harness import provision
from jailhouse.devicetree import MAGIC, DeviceTree, DeviceTreeError, Node

from .conftest import REPOSITORY

SAMPLE = DeviceTree(
    Node(
        "",
        {"#address-cells": b"\0\0\0\2", "model": b"sample\0", "odd": b"\1\2\3", "empty": b""},
        [
            Node("chosen"),
            Node("bus", {"reg": b"\0\0\0\1"}, [Node("leaf@1", {"reg": b"\0\0\0\2"})]),
        ],
    ),
    [(0x1000, 0x2000), (1 << 40, 16)],
    3,
)


def flat(blob: bytes) -> dict[str, dict[str, bytes]]:
    """Nodes by path with their properties, as the other reader sees them."""
    return {
        path: {item.name: value_of(item) for item in properties}
        for path, _, properties in fdt.parse_dtb(blob).walk()
    }


def value_of(item: fdt.Property) -> bytes:
    """It tells values in the file's form only: token, length, name, and the value padded."""
    entry: bytes = item.to_dtb("")[0]
    return entry[12 : 12 + int.from_bytes(entry[4:8], "big")]


def ours(node: Node, path: str = "") -> dict[str, dict[str, bytes]]:
    """The same, as we see them."""
    here = f"{path}/{node.name}" if node.name else ""
    found = {here or "/": dict(node.properties)}
    for child in node.children:
        found |= ours(child, here)
    return found


def test_written_and_read_again() -> None:
    blob = SAMPLE.to_bytes()
    assert DeviceTree.from_bytes(blob) == SAMPLE
    # What a file has behind the tree is none of it.
    assert DeviceTree.from_bytes(blob + b"more") == SAMPLE


def test_others_read_what_we_write() -> None:
    blob = SAMPLE.to_bytes()
    assert flat(blob) == ours(SAMPLE.root)
    assert fdt.parse_dtb(blob).header.boot_cpuid_phys == 3
    # That reader gathers the reservations of all trees in one list.
    entries = struct.pack(">6Q", 0x1000, 0x2000, 1 << 40, 16, 0, 0)
    assert blob[40 : 40 + len(entries)] == entries


@pytest.mark.parametrize("name", ["xilinx/zynqmp-zcu102-rev1.0.dtb", "freescale/imx8mp-evk.dtb"])
def test_trees_of_boards(name: str) -> None:
    """Large ones, made by dtc: nothing is lost on the way through us."""
    blob = provision.kernel(arch="arm64").device_tree(name)
    tree = DeviceTree.from_bytes(blob)
    assert ours(tree.root) == flat(blob)
    assert DeviceTree.from_bytes(tree.to_bytes()) == tree


def test_child_is_found_or_made() -> None:
    root = Node("")
    made = root.child("chosen")
    assert root.child("chosen") is made
    assert root.children == [made]


def header(**changes: int) -> bytes:
    """The sample with other numbers in its header."""
    names = ["magic", "total", "structure", "strings", "reserved", "version", "compatible", "cpu",
             "strings_size", "structure_size"]  # fmt: skip
    blob = bytearray(SAMPLE.to_bytes())
    for name, value in changes.items():
        struct.pack_into(">I", blob, 4 * names.index(name), value)
    return bytes(blob)


@pytest.mark.parametrize(
    ("blob", "words"),
    [
        (b"", "0 bytes are too few"),
        (bytes(40), f"starts with 0x00000000, a device tree (.dtb) with {MAGIC:#010x}"),
        (b"/dts-v1/; / { a = <1>; b = <2>; c = <3>; };", "starts with 0x2f647473"),
        (header(version=16), "version 16"),
        (header(compatible=18), "of the format"),
        (SAMPLE.to_bytes()[:-1], "cut off"),
        (header(strings=1 << 31), "block of strings"),
        (header(structure_size=1 << 31), "block of structure"),
        (header(structure_size=40), "ends inside an entry"),
        (header(reserved=1 << 31), "has no end"),
        (header(strings_size=3), "has no end"),
        (header(structure=40), "token 0x0 at 0 of the structure"),
    ],
)
def test_what_is_wrong_is_said(blob: bytes, words: str) -> None:
    with pytest.raises(DeviceTreeError, match=re.escape(words)):
        DeviceTree.from_bytes(blob)


def test_deep_nesting_is_refused() -> None:
    node = Node("")
    root = node
    for _ in range(64):
        node = node.child("deeper")
    blob = DeviceTree(root).to_bytes()
    with pytest.raises(DeviceTreeError, match="nested deeper than 64"):
        DeviceTree.from_bytes(blob)


def test_nonsense_is_refused_or_read() -> None:
    """Whatever the bytes are, there is one kind of error."""
    blob = SAMPLE.to_bytes()
    chance = random.Random(1)
    refused = 0
    for _ in range(20_000):
        changed = bytearray(blob)
        for _ in range(chance.randint(1, 4)):
            changed[chance.randrange(len(blob))] = chance.choice((0, 1, 2, 3, 9, 0x7F, 0xFF))
        try:
            DeviceTree.from_bytes(bytes(changed))
        except DeviceTreeError:
            refused += 1
    assert 5_000 < refused < 20_000


# --- our compiler of sources


@pytest.fixture(scope="module")
def dts() -> ModuleType:
    """configs/dts.py, which is a program."""
    spec = importlib.util.spec_from_file_location("dts", REPOSITORY / "configs/dts.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


SOURCE = """
/dts-v1/;
/* comment; { */
/ {
	#address-cells = <2>;
	compatible = "a,b", "c"; // comment
	mac = [00 11 2233];
	mixed = "x", <1 0x10>, <&last 8>;
	flag;
	first: clock@0 { reg = <0>; };
	/include/ "part.dtsi"
};
"""
PART = "\tlast: node { clocks = <&first>, <&first>; };\n"


def test_source_language(dts: ModuleType, tmp_path: Path) -> None:
    (tmp_path / "tree.dts").write_text(SOURCE)
    (tmp_path / "part.dtsi").write_text(PART)
    assert dts.main([str(tmp_path / "tree.dts"), str(tmp_path / "tree.dtb")]) == 0
    tree = DeviceTree.from_bytes((tmp_path / "tree.dtb").read_bytes())
    assert tree.root.properties == {
        "#address-cells": b"\0\0\0\2",
        "compatible": b"a,b\0c\0",
        "mac": b"\0\x11\x22\x33",
        "mixed": b"x\0" + struct.pack(">4I", 1, 16, 1, 8),
        "flag": b"",
    }
    clock, node = tree.root.children
    assert (clock.name, clock.properties) == ("clock@0", {"reg": bytes(4), "phandle": b"\0\0\0\2"})
    assert node.properties == {"clocks": struct.pack(">2I", 2, 2), "phandle": b"\0\0\0\1"}


@pytest.mark.parametrize(
    ("body", "words"),
    [
        ("a = <1 2x>;", "tree.dts:3: '2x', a number of 32 bits is wanted"),
        ("a = <0x100000000>;", "'0x100000000', a number"),
        ("a = <&nobody>;", "no node has the label nobody"),
        ("a = 1;", "'1', a value is wanted"),
        ("a = [0];", "two hexadecimal digits"),
        ("a", "tree.dts:4: '}', ; or = is wanted"),
        ('a = "b" c;', "'c', , or ; is wanted"),
        ("b {", "the file ends inside a node"),
        ("a = <1", "tree.dts:4: '}', a number"),
        ("= 1;", "tree.dts:3: '=', a name is wanted"),
        ("}; a", "'a', the end of the file is wanted"),
        ('a = "b', "what is"),
    ],
)
def test_source_errors_name_the_line(
    dts: ModuleType, tmp_path: Path, capsys: pytest.CaptureFixture[str], body: str, words: str
) -> None:
    (tmp_path / "tree.dts").write_text("/dts-v1/;\n/ {\n" + body + "\n};\n")
    assert dts.main([str(tmp_path / "tree.dts"), str(tmp_path / "tree.dtb")]) == 1
    assert words in capsys.readouterr().err
    assert not (tmp_path / "tree.dtb").exists()
