# SPDX-License-Identifier: GPL-2.0-only
"""`python -m harness.report.jitter`: one HTML page and one JSON file out of jitter measurements.

Input is `jitter.json` of a run (`harness/jitterdata.py` tells what is in it) and a
history: folders of such files without samples, one a commit. The page carries its
style, script and data; it asks nobody for anything.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path

from harness import jitterdata, results
from harness.cache import write_atomically
from harness.jitterdata import FormatError, JitterRun

TEMPLATE = Path(__file__).parent / "jitter.html"
SCRIPT = Path(__file__).parent / "jitter.js"
#: Names of the report's two files inside a run's folder.
PAGE = "jitter-report.html"
DATA = "jitter-report.json"
#: Where the repository keeps commits worth it; this host's are in the results (`jitterdata`).
HISTORY = results.REPOSITORY / "testsuites/jitter/history"


def record(run: JitterRun, history: Sequence[JitterRun]) -> dict[str, object]:
    """What the page shows: a run, and every measured commit including this one, oldest first."""
    others = [entry for entry in history if entry.commit != run.commit]
    everything = sorted([*others, run], key=lambda entry: (entry.date, entry.commit))
    return {
        "run": asdict(run),
        "history": [asdict(entry.without_samples()) for entry in everything],
    }


def page(shown: dict[str, object]) -> str:
    """The page, complete in itself."""
    # "<" could end the element that carries the data.
    data = json.dumps(shown, separators=(",", ":")).replace("<", "\\u003c")
    return TEMPLATE.read_text().replace("@SCRIPT@", SCRIPT.read_text()).replace("@DATA@", data)


def generate(run: JitterRun, history: Sequence[JitterRun], folder: Path) -> Path:
    """Write page and JSON into a folder; returns the page's path."""
    shown = record(run, history)
    write_atomically(folder / DATA, (json.dumps(shown, indent=1) + "\n").encode())
    write_atomically(folder / PAGE, page(shown).encode())
    return folder / PAGE


def newest(root: Path) -> Path:
    """The newest run's jitter.json; FormatError if no run has one."""
    found = sorted(root.glob(f"*/{jitterdata.FILE}"), key=lambda path: path.stat().st_mtime)
    if not found:
        raise FormatError(
            f"{root}: no run has a {jitterdata.FILE}; pytest testsuites/jitter makes one"
        )
    return found[-1]


def main(arguments: Sequence[str] | None = None) -> int:
    """Make the jitter report of a run: jitter-report.html and jitter-report.json."""
    parser = argparse.ArgumentParser(
        prog="python -m harness.report.jitter", description=main.__doc__
    )
    parser.add_argument(
        "data", nargs="?", type=Path, metavar="RUN",
        help=f"a run's folder or its {jitterdata.FILE}; default: the newest run that has one",
    )  # fmt: skip
    parser.add_argument("--history", type=Path, default=HISTORY, help="folder, one file a commit")
    parser.add_argument("--output", type=Path, metavar="DIR", help="default: the run's folder")
    parser.add_argument("--record", action="store_true", help="also add the run to the history")
    options = parser.parse_args(arguments)
    try:
        source = options.data or newest(results.results_root())
        source = source / jitterdata.FILE if source.is_dir() else source
        run = jitterdata.read(source)
        kept = results.results_root() / jitterdata.HISTORY
        history = jitterdata.read_history(options.history, kept)
        made = generate(run, history, options.output or source.parent)
    except (FormatError, OSError) as error:
        print(f"jitter-report: {error}", file=sys.stderr)
        return 1
    if options.record:
        run.without_samples().write(jitterdata.history_path(options.history, run))
    print(f"jitter-report: {made.resolve().as_uri()}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
