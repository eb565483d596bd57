# SPDX-License-Identifier: GPL-2.0-only
"""`python -m harness.report.summary DIR...`: one Markdown table of all runs below folders.

For the summary page of continuous integration, and the standard library alone.
A run is a folder with `junit.xml` and, if it came that far, `run.json`.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from xml.etree import ElementTree

#: Failures that are listed below the table, of each run.
_LISTED = 20


@dataclass
class Row:
    """One run."""

    name: str
    targets: str = "?"
    kernel: str = "?"
    passed: int = 0
    failed: int = 0
    skipped: int = 0
    seconds: float = 0.0
    verdicts: list[str] = field(default_factory=list)
    failures: list[str] = field(default_factory=list)
    ended: bool = False

    @property
    def word(self) -> str:
        if not self.ended:
            return "did not end"
        return ", ".join(self.verdicts) or "passed"


def row(folder: Path, root: Path) -> Row:
    """A run's figures; one that was killed has no run.json and says so."""
    path = folder.relative_to(root)
    made = Row(str(path) if path.parts else folder.name)
    for suite in ElementTree.parse(folder / "junit.xml").getroot().iter("testsuite"):
        counts = {key: int(suite.attrib[key]) for key in ("tests", "failures", "errors", "skipped")}
        failed, skipped = counts["failures"] + counts["errors"], counts["skipped"]
        made.failed += failed
        made.skipped += skipped
        made.passed += counts["tests"] - failed - skipped
        made.seconds += float(suite.attrib["time"])
        for case in suite.iter("testcase"):
            if case.find("failure") is not None or case.find("error") is not None:
                made.failures.append(f"{case.attrib['classname']}::{case.attrib['name']}")
    record = folder / "run.json"
    if record.exists():
        told = json.loads(record.read_text())
        made.targets, made.kernel = ", ".join(told["targets"]), told["kernel"]
        made.verdicts, made.ended = told["verdicts"], True
    return made


def rows(roots: Sequence[Path]) -> Iterator[Row]:
    """Every run below some folders, in the order of their names."""
    for root in roots:
        for path in sorted(root.rglob("junit.xml")):
            yield row(path.parent, root)


def markdown(found: Sequence[Row]) -> str:
    """The table, and below it what failed."""
    lines = ["| run | target | kernel | passed | failed | skipped | minutes | verdict |",
             "|---|---|---|--:|--:|--:|--:|---|"]  # fmt: skip
    for one in found:
        cells = [
            one.name, one.targets, one.kernel, str(one.passed), str(one.failed), str(one.skipped),
            f"{one.seconds / 60:.1f}", one.word,
        ]  # fmt: skip
        lines.append(f"| {' | '.join(cell.replace('|', chr(92) + '|') for cell in cells)} |")
    for one in found:
        if one.failures:
            lines += ["", f"Failed in {one.name}:", ""]
            lines += [f"- `{name}`" for name in one.failures[:_LISTED]]
            if len(one.failures) > _LISTED:
                lines.append(f"- and {len(one.failures) - _LISTED} more")
    return "\n".join(lines)


def main(arguments: Sequence[str] | None = None) -> int:
    """Print the table; ends with 1 if there is no run at all."""
    parser = argparse.ArgumentParser(
        prog="python -m harness.report.summary", description=main.__doc__
    )
    parser.add_argument("folders", nargs="+", type=Path)
    options = parser.parse_args(arguments)
    found = list(rows(options.folders))
    if not found:
        print("no run of tests left results", file=sys.stderr)
        return 1
    print(markdown(found))
    return 0


if __name__ == "__main__":
    sys.exit(main())
