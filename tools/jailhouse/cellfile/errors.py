# SPDX-License-Identifier: GPL-2.0-only
"""What can be wrong with a configuration file before its content is looked at.

ValueError
 +-- CellFileError            file, offset, field, value, expected
      +-- TruncatedError      the file ends inside a field or an array
      +-- SignatureError      another kind of file
      +-- RevisionError       another revision of the format
      +-- ArchitectureError   an architecture that nobody knows, or that nothing is built for
"""

from __future__ import annotations


class CellFileError(ValueError):
    """One precise complaint: which file, where, what is there, what is right."""

    def __init__(self, file: str, offset: int, field: str, value: object, expected: str) -> None:
        super().__init__(file, offset, field, value, expected)
        self.file = file
        self.offset = offset
        self.field = field
        self.value = value
        self.expected = expected

    def __str__(self) -> str:
        return (
            f"{self.file}: offset {self.offset} ({self.field}): found {self.value}, {self.expected}"
        )


class TruncatedError(CellFileError):
    """The file is shorter than its own counts say."""


class SignatureError(CellFileError):
    """Neither signature of the current format, or that of the other kind."""


class RevisionError(CellFileError):
    """A file of an older or newer revision of the format."""


class ArchitectureError(CellFileError):
    """An architecture byte outside 0 to 2, or of one that nothing is built for."""
