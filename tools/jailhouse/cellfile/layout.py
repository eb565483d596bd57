# SPDX-License-Identifier: GPL-2.0-only
"""Packed little-endian records as dataclasses whose fields declare their layout.

    @dataclass
    class Point(Record):
        x: int = u32()
        tags: list[int] = ints(2, 4)      # four 16-bit integers

The order of the fields is the order in memory; there is no padding.
"""

from __future__ import annotations

import dataclasses
import functools
from collections.abc import Callable, Iterator
from typing import Any, Protocol, TypeVar

R = TypeVar("R", bound="Record")


class Codec(Protocol):
    """How one field is stored: ``size`` bytes."""

    size: int

    def read(self, data: bytes) -> Any: ...

    def write(self, value: Any) -> bytes: ...


class IntCodec:
    def __init__(self, size: int) -> None:
        self.size = size

    def read(self, data: bytes) -> int:
        return int.from_bytes(data, "little")

    def write(self, value: int) -> bytes:
        if not isinstance(value, int) or not 0 <= value < 1 << 8 * self.size:
            raise ValueError(f"{value!r} does not fit {self.size} bytes")
        return value.to_bytes(self.size, "little")


class IntsCodec:
    def __init__(self, size: int, count: int) -> None:
        self._item = IntCodec(size)
        self._count = count
        self.size = size * count

    def read(self, data: bytes) -> list[int]:
        step = self._item.size
        return [self._item.read(data[at : at + step]) for at in range(0, self.size, step)]

    def write(self, value: list[int]) -> bytes:
        if len(value) != self._count:
            raise ValueError(f"{len(value)} items where {self._count} belong")
        return b"".join(map(self._item.write, value))


class BytesCodec:
    def __init__(self, size: int) -> None:
        self.size = size

    def read(self, data: bytes) -> bytes:
        return bytes(data)

    def write(self, value: bytes) -> bytes:
        if len(value) != self.size:
            raise ValueError(f"{len(value)} bytes where {self.size} belong")
        return bytes(value)


class NameCodec:
    """Text padded with NUL; bytes that are no UTF-8 survive a round trip."""

    def __init__(self, size: int) -> None:
        self.size = size

    def read(self, data: bytes) -> str:
        return data.rstrip(b"\0").decode("utf-8", "surrogateescape")

    def write(self, value: str) -> bytes:
        data = value.encode("utf-8", "surrogateescape")
        if len(data) > self.size:
            raise ValueError(f"name {value!r} is longer than {self.size} bytes")
        return data.ljust(self.size, b"\0")


class RecordCodec:
    def __init__(self, kind: type[Record], count: int | None = None) -> None:
        self.kind = kind
        self.count = count
        self.size = kind.sizeof() * (1 if count is None else count)

    def read(self, data: bytes) -> Any:
        if self.count is None:
            return self.kind.read(data)
        step = self.kind.sizeof()
        return [self.kind.read(data[at : at + step]) for at in range(0, self.size, step)]

    def write(self, value: Any) -> bytes:
        if self.count is None:
            return bytes(value.write())
        if len(value) != self.count:
            raise ValueError(f"{len(value)} records where {self.count} belong")
        return b"".join(item.write() for item in value)


def _field(codec: Codec, default: Callable[[], Any]) -> Any:
    return dataclasses.field(default_factory=default, metadata={"codec": codec})


def _integer(size: int, default: int) -> Any:
    return dataclasses.field(default=default, metadata={"codec": IntCodec(size)})


def u8(default: int = 0) -> Any:
    return _integer(1, default)


def u16(default: int = 0) -> Any:
    return _integer(2, default)


def u32(default: int = 0) -> Any:
    return _integer(4, default)


def u64(default: int = 0) -> Any:
    return _integer(8, default)


def ints(size: int, count: int) -> Any:
    return _field(IntsCodec(size, count), lambda: [0] * count)


def raw(size: int, default: bytes | None = None) -> Any:
    return _field(BytesCodec(size), lambda: bytes(size) if default is None else default)


def name(size: int) -> Any:
    return _field(NameCodec(size), str)


def record(kind: type[Record]) -> Any:
    return _field(RecordCodec(kind), kind)


def records(kind: type[Record], count: int) -> Any:
    return _field(RecordCodec(kind, count), lambda: [kind() for _ in range(count)])


@dataclasses.dataclass(frozen=True)
class Slot:
    """Place of one field: its dotted name, offset and size in bytes."""

    field: str
    offset: int
    size: int

    @property
    def end(self) -> int:
        return self.offset + self.size


@dataclasses.dataclass
class Record:
    """Base of all records; see the module's docstring."""

    @classmethod
    @functools.cache
    def _codecs(cls) -> tuple[tuple[str, Codec], ...]:
        return tuple((item.name, item.metadata["codec"]) for item in dataclasses.fields(cls))

    @classmethod
    def sizeof(cls) -> int:
        """Bytes of one record."""
        return sum(codec.size for _, codec in cls._codecs())

    @classmethod
    def read(cls: type[R], data: bytes) -> R:
        """Decode exactly sizeof() bytes; any bit pattern is a record."""
        values = {}
        offset = 0
        for field, codec in cls._codecs():
            values[field] = codec.read(data[offset : offset + codec.size])
            offset += codec.size
        return cls(**values)

    def write(self) -> bytes:
        """Encode; ValueError names the field whose value does not fit."""
        parts = []
        for field, codec in self._codecs():
            try:
                parts.append(codec.write(getattr(self, field)))
            except ValueError as error:
                raise ValueError(f"{type(self).__name__}.{field}: {error}") from None
        return b"".join(parts)

    @classmethod
    def slots(cls, offset: int = 0, prefix: str = "") -> Iterator[Slot]:
        """Every field with its place, nested records and their arrays resolved."""
        for field, codec in cls._codecs():
            path = f"{prefix}{field}"
            if not isinstance(codec, RecordCodec):
                yield Slot(path, offset, codec.size)
            elif codec.count is None:
                yield from codec.kind.slots(offset, f"{path}.")
            else:
                step = codec.kind.sizeof()
                for index in range(codec.count):
                    yield from codec.kind.slots(offset + index * step, f"{path}[{index}].")
            offset += codec.size
