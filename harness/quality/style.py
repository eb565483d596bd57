# SPDX-License-Identifier: GPL-2.0-only
"""C style: what clang-format and the author disagree about, less matters of taste.

clang-format breaks lines and aligns tables by penalties; people do it by
meaning, and its way changes between versions.  So both texts are compared
token by token, and only three things count:

- the indentation of a line that begins a statement,
- a brace or a control structure's body that shares a line where kernel style
  gives it one of its own, or the other way round (rows of tables may hold a
  whole function),
- a space between two tokens of a line that should not be there, or is missing.

Comments and preprocessor lines are not looked at, but no line without a text
in it may be longer than COLUMNS.
"""

from __future__ import annotations

import argparse
import concurrent.futures
import os
import re
import subprocess
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

#: Formatters aim at 100; what a person lets hang over may be this long.
COLUMNS = 110
TAB = 8

_TOKEN = re.compile(
    r"""(?P<blank>[ \t\f]+|\\\n)
      | (?P<newline>\n)
      | (?P<comment>/\*.*?\*/|//[^\n]*)
      | (?P<text>"(?:\\.|[^"\\\n])*"|'(?:\\.|[^'\\\n])*')
      | (?P<word>\w+)
      | (?P<sign>\.\.\.|<<=|>>=|->|\+\+|--|<<|>>|[-+*/%&|^=!<>]=|&&|\|\||\#\#|.)""",
    re.VERBOSE | re.DOTALL,
)
_DIRECTIVE = re.compile(r"^[ \t]*#(?:[^\n\\]|\\.|\\\n)*", re.MULTILINE | re.DOTALL)


@dataclass(frozen=True)
class Token:
    """One token and what stands before it: ``column`` of a line's first token, or None."""

    text: str
    line: int
    column: int | None
    spaced: bool


def tokens(source: str) -> Iterator[Token]:
    """The tokens of a C source without comments and preprocessor lines."""

    def emptied(match: re.Match[str]) -> str:
        return "\n" * match[0].count("\n")

    line, column, fresh, spaced = 1, 0, True, False
    for match in _TOKEN.finditer(_DIRECTIVE.sub(emptied, source)):
        kind, text = match.lastgroup, match[0]
        if kind == "newline":
            fresh, column = True, 0
        elif kind == "blank":
            spaced = True
            for letter in text if fresh else "":
                column += TAB - column % TAB if letter == "\t" else 1
        elif kind == "comment":
            spaced = True
            fresh = fresh or "\n" in text
        else:
            yield Token(text, line, column if fresh else None, spaced)
            fresh = spaced = False
        line += text.count("\n")


#: After these a new statement, declaration or member begins.
_ENDS = frozenset(";{}")
#: Spaces that kernel style or a table's author decides: "*const", bit fields, ranges, empty braces.
_TASTE = frozenset({("*", "const"), ("{", "}")})


@dataclass(frozen=True)
class _Place:
    """Where a token stands: the one before, whether a statement begins, and an open block's end."""

    before: Token | None
    statement: bool
    one_line: bool  # "{" whose "}" is on the same line
    following: str


def _complaint(place: _Place, mine: Token, theirs: Token) -> str | None:
    """What is wrong with the white space before a token; None if nothing, or taste."""
    before = place.before.text if place.before is not None else ""
    if mine.column is not None and theirs.column is not None:
        if place.statement and mine.column != theirs.column:
            return f"indent {mine.text!r} by {theirs.column} columns, not {mine.column}"
    elif mine.column is not None:
        opens = mine.text == "{" and before not in ("=", ",")
        goes_on = before == "}" and mine.text in ("else", "while")
        if opens or goes_on:
            return f"{mine.text!r} belongs on the line of {before!r}"
    elif theirs.column is not None:
        # Rows of a table may hold a whole function, structure or case.
        body = before in (")", "else", "do") and place.statement
        if body or (mine.text == "{" and not place.one_line):
            return f"{mine.text!r} belongs on a line of its own"
    elif mine.spaced != theirs.spaced and not _is_taste(place, mine.text):
        return f"{'a' if theirs.spaced else 'no'} space between {before!r} and {mine.text!r}"
    return None


def _is_taste(place: _Place, text: str) -> bool:
    before = place.before.text if place.before is not None else ""
    operand_of_asm = before.endswith('"') and text == "("
    pointer_to_function_or_array = text == "(" and place.following == "*"
    return (
        (before, text) in _TASTE
        or ":" in (before, text)
        or text == "..."
        or operand_of_asm
        or pointer_to_function_or_array
    )


def disagreements(source: str, formatted: str) -> Iterator[tuple[int, str]]:
    """Line numbers of ``source`` and what is wrong there."""
    yield from _lines(source)
    mine, theirs = list(tokens(source)), list(tokens(formatted))
    ends = _ends_of_blocks(mine)
    before: Token | None = None
    depth = 0  # of parentheses and initialisers
    control = False  # the last closed parenthesis belongs to if, for, while or switch
    openers: list[str] = []
    for index, (one, other) in enumerate(zip(mine, theirs, strict=True)):
        after_head = before is not None and (
            before.text in ("else", "do") or (before.text == ")" and control)
        )
        statement = depth == 0 and (before is None or before.text in _ENDS or after_head)
        following = mine[index + 1].text if index + 1 < len(mine) else ""
        place = _Place(before, statement, ends.get(index) == one.line, following)
        problem = _complaint(place, one, other)
        if problem is not None:
            yield one.line, problem
        if one.text in ("(", "[") or (one.text == "{" and (depth or _initialises(before))):
            depth += 1
            openers.append(before.text if before is not None else "")
        elif one.text in (")", "]") or (one.text == "}" and depth):
            depth -= 1
            control = openers.pop() in ("if", "for", "while", "switch")
        before = one


def _lines(source: str) -> Iterator[tuple[int, str]]:
    for number, text in enumerate(source.split("\n"), 1):
        # A message is not torn apart: people search for it.
        if len(text.expandtabs(TAB)) > COLUMNS and '"' not in text:
            yield number, f"longer than {COLUMNS} columns"
        if text != text.rstrip():
            yield number, "white space at the end of the line"


def _ends_of_blocks(sequence: Sequence[Token]) -> dict[int, int]:
    """Line of the closing brace, by index of the opening one."""
    found: dict[int, int] = {}
    opened: list[int] = []
    for index, token in enumerate(sequence):
        if token.text == "{":
            opened.append(index)
        elif token.text == "}" and opened:
            found[opened.pop()] = token.line
    return found


def _initialises(before: Token | None) -> bool:
    return before is not None and before.text in ("=", ",", "return")


def clang_format(path: Path) -> str:
    """What clang-format of this Python environment makes of a file."""
    program = Path(sys.executable).with_name("clang-format")
    done = subprocess.run(
        [program, "--style=file", path], capture_output=True, text=True, check=True
    )
    return done.stdout


def check(path: Path) -> list[str]:
    """All complaints about one file, one line each."""
    found = disagreements(path.read_text(), clang_format(path))
    return [f"{path}:{line}: {problem}" for line, problem in sorted(set(found))]


def main(arguments: Sequence[str] | None = None) -> int:
    """Check the style of C files; ends with 1 if one of them needs changes."""
    parser = argparse.ArgumentParser(
        prog="python -m harness.quality.style", description=main.__doc__
    )
    parser.add_argument("files", nargs="+", type=Path)
    options = parser.parse_args(arguments)
    with concurrent.futures.ThreadPoolExecutor(os.cpu_count()) as pool:
        complaints = [line for lines in pool.map(check, options.files) for line in lines]
    for line in complaints:
        print(line)
    return 1 if complaints else 0


if __name__ == "__main__":
    sys.exit(main())
