# SPDX-License-Identifier: GPL-2.0-only
"""What workflows run that is not pinned to a content: a maintainer fills it in.

A tag of an action or image can be moved; a commit or digest can not. Nobody
should invent one either: who pins looks the commit of a release up and writes it
with the release as a comment, ``uses: actions/checkout@<commit> # v4.2.2``.

The list is for people; an error (exit code 1) is only what zizmor cannot judge: a
commit without its release beside it, or of the wrong length.
"""

from __future__ import annotations

import argparse
import re
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

_USES = re.compile(r"^\s*(?:- )?uses:\s*(?P<what>[^\s#]+)(?:\s*#\s*(?P<note>.*))?$")
_IMAGE = re.compile(r"^\s*(?:image|container):\s*(?P<what>[\w./-]+:[\w.-]+)\s*(?:#.*)?$")
_COMMIT = re.compile(r"[0-9a-f]{40}")
_LIKE_A_COMMIT = re.compile(r"[0-9a-f]{7,}")


@dataclass(frozen=True)
class Pin:
    """One thing that a workflow fetches; `problem` only if it is an error."""

    what: str
    open: bool
    problem: str = ""


def pin(line: str) -> Pin | None:
    """What a line of a workflow fetches, if it does; own actions (./) are no business of ours."""
    image = _IMAGE.match(line)
    if image is not None:
        return Pin(image["what"], open=True)
    uses = _USES.match(line)
    if uses is None or uses["what"].startswith("./"):
        return None
    reference = uses["what"].partition("@")[2]
    if _COMMIT.fullmatch(reference):
        named = re.match(r"v?\d", uses["note"] or "")
        return Pin(uses["what"], open=False, problem="" if named else "which release is that?")
    if _LIKE_A_COMMIT.fullmatch(reference):
        return Pin(uses["what"], open=True, problem="a commit has 40 digits")
    return Pin(uses["what"], open=True)


def pins(path: Path) -> Iterator[tuple[int, Pin]]:
    """Everything a workflow fetches, by line."""
    for number, line in enumerate(path.read_text().splitlines(), 1):
        found = pin(line)
        if found is not None:
            yield number, found


def main(arguments: Sequence[str] | None = None) -> int:
    """List what a maintainer must pin; ends with 1 if a pin is wrong."""
    parser = argparse.ArgumentParser(
        prog="python -m harness.quality.pins", description=main.__doc__
    )
    parser.add_argument("workflows", nargs="+", type=Path)
    options = parser.parse_args(arguments)
    places: dict[str, list[str]] = {}
    wrong = False
    for path in options.workflows:
        for number, found in pins(path):
            if found.problem:
                wrong = True
                print(f"{path}:{number}: {found.what}: {found.problem}")
            elif found.open:
                places.setdefault(found.what, []).append(str(number))
    for what, lines in sorted(places.items()):
        print(f"  to be pinned by a maintainer: {what} (lines {', '.join(lines)})")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
