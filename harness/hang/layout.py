# SPDX-License-Identifier: GPL-2.0-only
"""Where a structure's members are, from BTF (Linux) or DWARF (ours).

Layouts are read from the very binary that runs, so no number of another
version's structure can slip in.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any


class NoLayout(LookupError):
    """The binary does not describe that structure or member."""


@dataclass(frozen=True)
class Member:
    """Bytes from the structure's start, and the number of its type (0: not followed)."""

    offset: int
    type: int


Structure = Mapping[str, Member]

# Kinds of BTF types (Documentation/bpf/btf.rst, 2.2).
_INT, _ARRAY, _STRUCT, _UNION, _ENUM = 1, 3, 4, 5, 6
_TYPEDEF, _VOLATILE, _CONST, _RESTRICT = 8, 9, 10, 11
_PROTO, _VAR, _DATASEC, _DECL_TAG, _TYPE_TAG, _ENUM64 = 13, 14, 15, 17, 18, 19
_TRANSPARENT = {_TYPEDEF, _VOLATILE, _CONST, _RESTRICT, _TYPE_TAG}


class Btf:
    """A kernel's .BTF section."""

    def __init__(self, data: bytes) -> None:
        magic, _, _, header = struct.unpack_from("<HBBI", data)
        if magic != 0xEB9F:
            raise NoLayout("no BTF: wrong magic")
        types, type_size, strings, string_size = struct.unpack_from("<IIII", data, 8)
        self._strings = data[header + strings :][:string_size]
        self._types = data[header + types :][:type_size]
        #: Offset, kind, number of items and flag of every type; number 0 is void.
        self._index: list[tuple[int, int, int, bool]] = [(0, 0, 0, False)]
        self._named: dict[str, int] = {}
        self._build()
        self._known: dict[int, Structure] = {}

    def _build(self) -> None:
        offset = 0
        unpack = struct.Struct("<II").unpack_from
        while offset < len(self._types):
            name, info = unpack(self._types, offset)
            kind, items = info >> 24 & 0x1F, info & 0xFFFF
            if kind == _STRUCT and name:
                self._named.setdefault(self._string(name), len(self._index))
            self._index.append((offset, kind, items, bool(info >> 31)))
            offset += 12 + _extra(kind, items)

    def _string(self, offset: int) -> str:
        return self._strings[offset : self._strings.index(b"\0", offset)].decode()

    def _resolved(self, number: int) -> int:
        while self._index[number][1] in _TRANSPARENT:
            number = struct.unpack_from("<I", self._types, self._index[number][0] + 8)[0]
        return number

    def _members(self, number: int) -> Structure:
        if number not in self._known:
            self._known[number] = dict(self._walk(number, 0))
        return self._known[number]

    def _walk(self, number: int, base: int) -> Iterator[tuple[str, Member]]:
        offset, kind, items, bits = self._index[number]
        if kind not in (_STRUCT, _UNION):
            return
        for item in range(items):
            name, kind_of, where = struct.unpack_from("<III", self._types, offset + 12 + item * 12)
            where = (where & 0xFFFFFF if bits else where) // 8 + base
            inner = self._resolved(kind_of)
            if name:
                yield self._string(name), Member(where, inner)
            else:
                yield from self._walk(inner, where)

    def offset(self, structure: str, path: str) -> int:
        """Bytes from the start of `structure` to the member `path` ("a.b"); NoLayout."""
        number = self._named.get(structure)
        if number is None:
            raise NoLayout(f"struct {structure}")
        total = 0
        for name in path.split("."):
            member = self._members(number).get(name)
            if member is None:
                raise NoLayout(f"struct {structure} has no {path}")
            total += member.offset
            number = member.type
        return total

    def has(self, structure: str, path: str) -> bool:
        try:
            self.offset(structure, path)
        except NoLayout:
            return False
        return True

    def size(self, structure: str) -> int:
        """Bytes of a structure."""
        number = self._named.get(structure)
        if number is None:
            raise NoLayout(f"struct {structure}")
        return int(struct.unpack_from("<I", self._types, self._index[number][0] + 8)[0])


def _extra(kind: int, items: int) -> int:
    """Bytes that follow a type's twelve."""
    if kind in (_STRUCT, _UNION, _DATASEC, _ENUM64):
        return items * 12
    if kind in (_ENUM, _PROTO):
        return items * 8
    return {_INT: 4, _ARRAY: 12, _VAR: 4, _DECL_TAG: 4}.get(kind, 0)


class Dwarf:
    """Structures of one of our own images."""

    def __init__(self, dwarf: Any) -> None:
        """`dwarf` is pyelftools' DWARFInfo."""
        self._dwarf = dwarf
        self._found: dict[str, Any] = {}

    def offset(self, structure: str, path: str) -> int:
        """See `Btf.offset()`."""
        die, total = self._structure(structure), 0
        for name in path.split("."):
            member = next((m for m in _members(die) if _name(m) == name), None)
            if member is None:
                raise NoLayout(f"struct {structure} has no {path}")
            total += int(member.attributes["DW_AT_data_member_location"].value)
            die = _stripped(member)
        return total

    def size(self, structure: str) -> int:
        return int(self._structure(structure).attributes["DW_AT_byte_size"].value)

    def _structure(self, name: str) -> Any:
        if not self._found:
            self._search()
        if name not in self._found:
            raise NoLayout(f"struct {name}")
        return self._found[name]

    def _search(self) -> None:
        """Units are read until one has shown everything that is common to all."""
        for unit in self._dwarf.iter_CUs():
            for die in unit.get_top_DIE().iter_children():
                if die.tag == "DW_TAG_structure_type" and "DW_AT_byte_size" in die.attributes:
                    self._found.setdefault(_name(die), die)


def _name(die: Any) -> str:
    attribute = die.attributes.get("DW_AT_name")
    return attribute.value.decode() if attribute is not None else ""


def _members(die: Any) -> Iterator[Any]:
    return (child for child in die.iter_children() if child.tag == "DW_TAG_member")


def _stripped(member: Any) -> Any:
    """A member's type without qualifiers and names."""
    die = member.get_DIE_from_attribute("DW_AT_type")
    while die.tag in ("DW_TAG_typedef", "DW_TAG_const_type", "DW_TAG_volatile_type"):
        die = die.get_DIE_from_attribute("DW_AT_type")
    return die
