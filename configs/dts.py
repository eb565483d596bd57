#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-only
"""Compile a device tree of ours: dts.py SOURCE.dts TARGET.dtb

Knows the part of the source language (Devicetree Specification 0.4, chapter 6) that cells
need: nodes, labels, strings, <cells> with &references, [bytes], /include/. Trees that need
more are compiled with dtc.
"""

from __future__ import annotations

import re
import struct
import sys
from pathlib import Path
from typing import NamedTuple

sys.path.insert(0, str(Path(__file__).resolve().parent.parent / "tools"))
from jailhouse.devicetree import DeviceTree, Node

_TOKEN = re.compile(
    r"""(?P<blank>\s+|//[^\n]*|/\*.*?\*/)
    |(?P<directive>/dts-v1/|/include/)
    |(?P<string>"[^"\\\n]*")
    |(?P<label>[A-Za-z_]\w*:)
    |(?P<reference>&[A-Za-z_]\w*)
    |(?P<sign>[{};=<>,/\[\]])
    |(?P<word>[\w#?+.-][\w#?+.,@-]*)""",
    re.VERBOSE | re.DOTALL,
)

#: Bytes, or the label of the node whose phandle stands there.
Value = list[bytes | str]


class SourceError(Exception):
    """Where, and what is wrong there."""


class Token(NamedTuple):
    kind: str
    text: str
    place: str


def tokens(path: Path) -> list[Token]:
    """All words of a file and of those that it includes."""
    text = path.read_text()
    found: list[Token] = []
    at = 0
    while at < len(text):
        place = f"{path.name}:{text.count(chr(10), 0, at) + 1}"
        match = _TOKEN.match(text, at)
        if match is None:
            raise SourceError(f"{place}: what is {text[at : at + 20]!r}?")
        at = match.end()
        if match.lastgroup == "blank":
            continue
        if match.lastgroup == "string" and found and found[-1].text == "/include/":
            found[-1:] = tokens(path.parent / match[0].strip('"'))
            continue
        found.append(Token(str(match.lastgroup), match[0], place))
    return found


class Compiler:
    """Reads one tree; phandles are known when all of it is."""

    def __init__(self, source: list[Token]) -> None:
        self._source = source
        self._at = 0
        self._labels: dict[str, Node] = {}
        self._values: list[tuple[Node, str, Value, str]] = []

    def tree(self) -> DeviceTree:
        for text in ("/dts-v1/", ";", "/"):
            self._expect(text)
        root = self._body(Node(""))
        if self._at != len(self._source):
            raise self._wrong(self._source[self._at], "the end of the file")
        handles = self._phandles()
        for node, name, value, place in self._values:
            for part in value:
                if isinstance(part, str) and part not in handles:
                    raise SourceError(f"{place}: no node has the label {part}")
            node.properties[name] = b"".join(
                part if isinstance(part, bytes) else handles[part] for part in value
            )
        return DeviceTree(root)

    def _phandles(self) -> dict[str, bytes]:
        """Of the nodes that are referred to, in that order; they get it as a property."""
        handles: dict[str, bytes] = {}
        for part in (part for _, _, value, _ in self._values for part in value):
            if isinstance(part, str) and part in self._labels and part not in handles:
                handles[part] = struct.pack(">I", len(handles) + 1)
                self._labels[part].properties["phandle"] = handles[part]
        return handles

    # --- the language

    def _wrong(self, token: Token, wanted: str) -> SourceError:
        return SourceError(f"{token.place}: {token.text!r}, {wanted} is wanted")

    def _next(self) -> Token:
        if self._at == len(self._source):
            raise SourceError("the file ends inside a node")
        self._at += 1
        return self._source[self._at - 1]

    def _peek(self) -> str:
        return self._source[self._at].text if self._at < len(self._source) else ""

    def _expect(self, *texts: str) -> str:
        token = self._next()
        if token.text not in texts:
            raise self._wrong(token, " or ".join(texts))
        return token.text

    def _body(self, node: Node) -> Node:
        """From the brace that opens a node to the semicolon behind it."""
        self._expect("{")
        labels: list[str] = []
        while (token := self._next()).text != "}":
            if token.kind == "label":
                labels.append(token.text[:-1])
            elif token.kind != "word":
                raise self._wrong(token, "a name")
            elif self._peek() == "{":
                child = Node(token.text)
                self._labels.update(dict.fromkeys(labels, child))
                labels = []
                node.children.append(self._body(child))
            else:
                self._values.append((node, token.text, self._value(), token.place))
                node.properties[token.text] = b""  # keeps its place
        self._expect(";")
        return node

    def _value(self) -> Value:
        value: Value = []
        sign = self._expect(";", "=")
        while sign != ";":
            token = self._next()
            if token.kind == "string":
                value.append(token.text[1:-1].encode("ascii") + b"\0")
            elif token.text == "<":
                value += self._cells()
            elif token.text == "[":
                value.append(self._bytes())
            else:
                raise self._wrong(token, "a value")
            sign = self._expect(",", ";")
        return value

    def _cells(self) -> Value:
        cells: Value = []
        while (token := self._next()).text != ">":
            if token.kind == "reference":
                cells.append(token.text[1:])
                continue
            try:
                cells.append(struct.pack(">I", int(token.text, 0)))
            except (ValueError, struct.error):
                raise self._wrong(token, "a number of 32 bits") from None
        return cells

    def _bytes(self) -> bytes:
        found = ""
        while (token := self._next()).text != "]":
            found += token.text
        try:
            return bytes.fromhex(found)
        except ValueError:
            raise self._wrong(token, "two hexadecimal digits a byte") from None


def main(arguments: list[str]) -> int:
    """Compile one file; 1 and one line where it is wrong."""
    source, target = (Path(word) for word in arguments)
    try:
        target.write_bytes(Compiler(tokens(source)).tree().to_bytes())
    except (OSError, SourceError) as error:
        print(f"{source}: {error}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
