# SPDX-License-Identifier: GPL-2.0-only
"""Flattened device trees, read and written (Devicetree Specification 0.4, chapter 5).

A tree is untrusted: reading raises nothing but DeviceTreeError, whatever is in the file.
What reading gives, writing gives back, with names of properties kept once.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass, field

MAGIC = 0xD00DFEED
#: The version that we write, and the oldest one whose readers understand it (5.2).
VERSION, COMPATIBLE = 17, 16
#: No tree is that deep; Linux takes 64 (drivers/of/fdt.c, FDT_MAX_DEPTH).
MAX_DEPTH = 64

_HEADER = struct.Struct(">10I")
_WORD = struct.Struct(">I")
_RANGE = struct.Struct(">QQ")
_BEGIN_NODE, _END_NODE, _PROP, _NOP, _END = 1, 2, 3, 4, 9


class DeviceTreeError(ValueError):
    """The data is no device tree; the text says what is wrong where."""


@dataclass
class Node:
    """A node with its properties in the order of the file; values are big-endian bytes."""

    name: str
    properties: dict[str, bytes] = field(default_factory=dict)
    children: list[Node] = field(default_factory=list)

    def child(self, name: str) -> Node:
        """The child of exactly that name, made if it is not there."""
        for node in self.children:
            if node.name == name:
                return node
        node = Node(name)
        self.children.append(node)
        return node


@dataclass
class DeviceTree:
    """A tree; `reservations` are (address, size) of memory that nobody may use."""

    root: Node = field(default_factory=lambda: Node(""))
    reservations: list[tuple[int, int]] = field(default_factory=list)
    boot_cpu: int = 0

    @classmethod
    def from_bytes(cls, data: bytes) -> DeviceTree:
        """Read a blob; what follows its own size is ignored."""
        if len(data) < _HEADER.size:
            raise DeviceTreeError(f"{len(data)} bytes are too few for a device tree")
        magic, total, at, strings_at, reserved_at, version, compatible, boot_cpu, *sizes = (
            _HEADER.unpack_from(data)
        )
        if magic != MAGIC:
            raise DeviceTreeError(
                f"it starts with {magic:#010x}, a device tree (.dtb) with {MAGIC:#010x}"
            )
        if version < VERSION or compatible > VERSION:
            raise DeviceTreeError(f"version {version} of the format, {VERSION} is wanted")
        if total > len(data):
            raise DeviceTreeError(f"cut off: {len(data)} of {total} bytes are there")
        strings = _block(data[:total], strings_at, sizes[0], "strings")
        structure = _block(data[:total], at, sizes[1], "structure")
        reservations = _read_reservations(data[:total], reserved_at)
        return cls(_Structure(structure, strings).root(), reservations, boot_cpu)

    def to_bytes(self) -> bytes:
        """The blob, as small as it can be."""
        strings = _Strings()
        structure = bytearray()
        _write_node(self.root, structure, strings)
        structure += _WORD.pack(_END)
        reserved = b"".join(_RANGE.pack(*entry) for entry in (*self.reservations, (0, 0)))
        at = _HEADER.size + len(reserved)
        end = at + len(structure)
        header = _HEADER.pack(
            MAGIC, end + len(strings.block), at, end, _HEADER.size, VERSION, COMPATIBLE,
            self.boot_cpu, len(strings.block), len(structure),
        )  # fmt: skip
        return header + reserved + bytes(structure) + bytes(strings.block)


def _block(data: bytes, at: int, size: int, name: str) -> bytes:
    if at + size > len(data):
        raise DeviceTreeError(f"the block of {name} ends at {at + size}, the tree at {len(data)}")
    return data[at : at + size]


def _read_reservations(data: bytes, at: int) -> list[tuple[int, int]]:
    found: list[tuple[int, int]] = []
    while at + _RANGE.size <= len(data):
        address, size = _RANGE.unpack_from(data, at)
        if address == size == 0:
            return found
        found.append((address, size))
        at += _RANGE.size
    raise DeviceTreeError("the list of memory reservations has no end")


class _Structure:
    """Takes the structure block to pieces (5.4)."""

    def __init__(self, block: bytes, strings: bytes) -> None:
        self._block = block
        self._strings = strings
        self._at = 0

    def root(self) -> Node:
        """The root node with all that is below."""
        # Above the root, so that it is a child like any other.
        top = Node("")
        stack = [top]
        while True:
            token = self._word()
            if token == _END:
                break
            if token == _BEGIN_NODE:
                node = Node(self._name())
                stack[-1].children.append(node)
                stack.append(node)
            elif token == _END_NODE and len(stack) > 1:
                stack.pop()
            elif token == _PROP and len(stack) > 1:
                self._property(stack[-1])
            elif token != _NOP:
                raise DeviceTreeError(f"token {token:#x} at {self._at - 4} of the structure")
            if len(stack) > MAX_DEPTH:
                raise DeviceTreeError(f"nodes are nested deeper than {MAX_DEPTH}")
        if len(stack) != 1 or len(top.children) != 1:
            raise DeviceTreeError("the structure is not one whole root node")
        return top.children[0]

    def _take(self, size: int) -> bytes:
        """The next bytes; the position stays a multiple of four."""
        part = self._block[self._at : self._at + size]
        if len(part) < size:
            raise DeviceTreeError(f"the structure ends inside an entry, at {len(self._block)}")
        self._at += size + -size % 4
        return part

    def _word(self) -> int:
        value: int = _WORD.unpack(self._take(4))[0]
        return value

    def _name(self) -> str:
        name = _text(self._block, self._at)
        self._take(len(name) + 1)
        return name

    def _property(self, node: Node) -> None:
        size, name_at = self._word(), self._word()
        node.properties[_text(self._strings, name_at)] = self._take(size)


def _text(block: bytes, at: int) -> str:
    end = block.find(b"\0", at)
    if end < at:
        raise DeviceTreeError(f"a name at {at} has no end")
    try:
        return block[at:end].decode("ascii")
    except UnicodeDecodeError:
        raise DeviceTreeError(f"a name at {at} is not ASCII") from None


class _Strings:
    """The strings block: each name once."""

    def __init__(self) -> None:
        self.block = bytearray()
        self._places: dict[str, int] = {}

    def place(self, name: str) -> int:
        if name not in self._places:
            self._places[name] = len(self.block)
            self.block += name.encode("ascii") + b"\0"
        return self._places[name]


def _padded(data: bytes) -> bytes:
    return data + bytes(-len(data) % 4)


def _write_node(node: Node, out: bytearray, strings: _Strings) -> None:
    out += _WORD.pack(_BEGIN_NODE) + _padded(node.name.encode("ascii") + b"\0")
    for name, value in node.properties.items():
        out += _WORD.pack(_PROP) + _WORD.pack(len(value)) + _WORD.pack(strings.place(name))
        out += _padded(value)
    for child in node.children:
        _write_node(child, out, strings)
    out += _WORD.pack(_END_NODE)
