# SPDX-License-Identifier: GPL-2.0-only
"""`python -m harness.report`: one HTML file out of a run (`make report`)."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

from harness import results
from harness.packages import PackageError
from harness.report import allure, browser
from harness.report.allure import ReportError


def main(arguments: Sequence[str] | None = None) -> int:
    """Make the report of a run; with --install, only fetch what that and its tests need."""
    parser = argparse.ArgumentParser(prog="python -m harness.report", description=main.__doc__)
    parser.add_argument("run", nargs="?", type=Path, default=results.results_root() / "latest-run",
                        help="default: the newest run of tests")  # fmt: skip
    parser.add_argument("--output", type=Path, metavar="FILE", help="default: report.html in RUN")
    parser.add_argument("--install", action="store_true", help="only fetch what reports need")
    options = parser.parse_args(arguments)
    try:
        if options.install:
            allure.install()
            browser.program()
            return 0
        history = results.results_root() / "allure-history.jsonl"
        made = allure.generate(options.run, options.output, history)
    except (ReportError, PackageError) as error:
        print(f"report: {error}", file=sys.stderr)
        return 1
    print(f"report: {made.resolve().as_uri()} ({made.stat().st_size / 1e6:.1f} MB)")
    return 0


if __name__ == "__main__":
    sys.exit(main())
