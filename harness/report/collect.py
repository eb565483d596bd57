# SPDX-License-Identifier: GPL-2.0-only
"""pytest plugin: adds what only we know to the results that allure-pytest writes.

Every process of a run writes its own tests' results, as they end, into one
folder (``results/<run>/allure``). This plugin adds the verdict, links to known
defects, the steps of the transcript and every file of the test's folder. When
the run ends, the controlling process adds the tests whose worker died
(`crashed`) and says what was tested with what.
"""

from __future__ import annotations

import os
import platform
import re
import shlex
import subprocess
from collections.abc import Callable, Generator, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import allure_commons
import pytest
from allure_commons.logger import AllureFileLogger
from allure_commons.model2 import (
    Label,
    Link,
    Status,
    StatusDetails,
    TestResult,
    TestStepResult,
)
from allure_commons.utils import md5

from harness import expected, provision, results
from harness.errors import EmulatorErratum, Unsupported
from harness.report import crashed

#: Larger streams are shortened to their ends: a report is one file.
ATTACHMENT_LIMIT = 256 << 10
#: Verdicts that blame the product; allure calls everything else "broken".
_PRODUCT = "product"

_STEP = re.compile(r"^ *(?P<elapsed>[0-9.]+) (?P<text>.*)$")
_DURATION = re.compile(r" in (?P<seconds>[0-9.]+) s$")
#: In this order, with these names; whatever else a test's folder holds comes after.
_NAMES: Mapping[str, str] = {
    "failure.txt": "failure",
    "hang.txt": "hang report",
    "transcript.log": "transcript of steps and commands",
    "hypervisor-console.log": "console: hypervisor",
    "root-console.log": "console: root cell",
    "inmate-console.log": "console: inmate",
    "command-channel.log": "console: command channel (frames)",
    "hang.json": "hang report as data",
    "rerun.txt": "run this test again",
}
#: Files that are no text.
_PICTURES = (".png",)
#: Kept as a path to look into, replaced by what it leads to.
_MACHINES = "machine.txt"


class Collector:
    """In every process: completes a test's result when its teardown has ended."""

    def __init__(self, config: pytest.Config, run: Path, kernel: str) -> None:
        self._config = config
        self._run = run
        self._kernel = kernel
        self._links = BugLinks.of(results.REPOSITORY / "docs/bugs.md")
        self._verdicts: dict[str, str] = {}
        self._reports: dict[str, list[pytest.TestReport]] = {}

    @pytest.hookimpl(wrapper=True, tryfirst=True)
    def pytest_runtest_makereport(
        self, item: pytest.Item
    ) -> Generator[None, pytest.TestReport, pytest.TestReport]:
        report = yield
        verdict = verdict_of(report)
        if verdict is not None:
            self._verdicts.setdefault(item.nodeid, verdict)
        if report.when == "teardown":
            self._complete(item, dict(report.user_properties))
        return report

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        self._reports.setdefault(report.nodeid, []).append(report)

    @pytest.hookimpl(wrapper=True, tryfirst=True)
    def pytest_runtest_logfinish(self, nodeid: str) -> Generator[None, None, None]:
        """A test that ran in a process of its own: allure-pytest saw its name and nothing else."""
        reports = self._reports.pop(nodeid, [])
        listener = self._config.pluginmanager.get_plugin("allure_listener")
        result = listener.allure_logger.get_test(None) if listener is not None else None
        if result is not None and result.status is None and reports:
            fill(result, reports)
        return (yield)

    def _complete(self, item: pytest.Item, properties: Mapping[str, object]) -> None:
        listener = self._config.pluginmanager.get_plugin("allure_listener")
        result = listener.allure_logger.get_test(None) if listener is not None else None
        if listener is None or result is None:
            return
        verdict = self._verdicts.pop(item.nodeid, None)
        if verdict is not None and result.status in (Status.FAILED, Status.BROKEN):
            result.status = Status.FAILED if verdict == _PRODUCT else Status.BROKEN
        facts = {
            crashed.NODE_ID: item.nodeid,
            "target": properties.get("target"),
            "kernel": self._kernel if properties.get("target") != "host" else None,
            "verdict": verdict,
        }
        for name, value in facts.items():
            if value is not None:
                result.labels.append(Label(name=name, value=str(value)))
        for parameter in result.parameters:
            if parameter.name == "target":  # else all that a target is, and where it is in memory
                parameter.value = facts["target"]
        result.historyId = md5(item.nodeid)
        for marker in item.iter_markers("bug"):
            result.links.extend(self._links.link(str(bug)) for bug in marker.args)
        folder = self._run / results.folder_name(item.nodeid)
        if folder.is_dir():
            attach_folder(folder, result, listener.attach_data)


def verdict_of(report: pytest.TestReport) -> str | None:
    """Whose fault it is that a test did not pass; None if nobody's."""
    if report.failed:
        default = _PRODUCT if report.when == "call" else "harness"
        return str(dict(report.user_properties).get("verdict", default))
    if report.skipped and str(getattr(report, "wasxfail", "")).startswith("emulator erratum"):
        return EmulatorErratum.verdict
    reason = report.longrepr[2] if isinstance(report.longrepr, tuple) else ""
    return Unsupported.verdict if reason.startswith("Unsupported:") else None


def fill(result: TestResult, reports: list[pytest.TestReport]) -> None:
    """Complete the result of a test of which there is nothing but pytest's reports."""
    crashed.identify(result, reports[0].nodeid)
    result.start = round(reports[0].start * 1000)
    result.stop = round(reports[-1].stop * 1000)
    result.labels.append(Label(name="target", value=expected.HOST))
    ended = next((one for one in reports if one.failed or one.skipped), None)
    if ended is None:
        result.status = Status.PASSED
        return
    text = ended.longreprtext
    result.statusDetails = StatusDetails(message=text.strip().rpartition("\n")[2], trace=text)
    verdict = verdict_of(ended)
    result.status = Status.FAILED if verdict == _PRODUCT else Status.BROKEN
    if ended.skipped:
        result.status = Status.SKIPPED
    if verdict is not None:
        result.labels.append(Label(name="verdict", value=verdict))


#: Called with the content, a title, the MIME type and the file name's extension.
Attach = Callable[[str | bytes, str, str, str], None]


def attach_folder(folder: Path, result: TestResult, attach: Attach) -> None:
    """The files of a test's folder as attachments, its transcript as steps too."""
    transcript = folder / "transcript.log"
    if transcript.exists():
        last_written = round(transcript.stat().st_mtime * 1000)
        result.steps.extend(steps(transcript.read_text(errors="replace"), last_written))
    known = list(_NAMES)
    found = sorted(
        (path for path in folder.iterdir() if path.is_file() and path.name != _MACHINES),
        key=lambda path: (known.index(path.name) if path.name in known else len(known), path.name),
    )
    for path in found:
        if path.stat().st_size:
            body = path.read_bytes() if path.suffix in _PICTURES else excerpt(path)
            attach(body, _NAMES.get(path.name, path.name), *_kind(path))
    for number, (title, text) in enumerate(machines(folder)):
        attach(text, title if number == 0 else f"{title} ({number + 1})", "text/plain", "txt")


def _kind(path: Path) -> tuple[str, str]:
    suffix = path.suffix.removeprefix(".")
    kinds = {"json": "application/json", "html": "text/html", "png": "image/png"}
    return kinds.get(suffix, "text/plain"), suffix or "txt"


def excerpt(path: Path, limit: int = ATTACHMENT_LIMIT) -> str:
    """A file's text; the middle of a long one is left out, and that is said."""
    size = path.stat().st_size
    with path.open("rb") as file:
        if size <= limit:
            data = file.read()
        else:
            head = file.read(limit // 4)
            file.seek(size - limit * 3 // 4)
            left = f"\n\n[... {size - limit} bytes left out; all of it: {path}]\n\n"
            data = head + left.encode() + file.read()
    return data.decode(errors="replace").replace("\0", "\N{SYMBOL FOR NULL}")


def steps(transcript: str, stop: int) -> Iterator[TestStepResult]:
    """Steps out of a transcript whose last line was written at ``stop`` (ms of the epoch)."""
    lines = [match for match in map(_STEP.match, transcript.splitlines()) if match]
    if not lines:
        return
    origin = stop - round(float(lines[-1]["elapsed"]) * 1000)
    for match in lines:
        end = origin + round(float(match["elapsed"]) * 1000)
        lasted = _DURATION.search(match["text"])
        start = end - round(float(lasted["seconds"]) * 1000) if lasted else end
        status = Status.FAILED if match["text"] == "test failed" else Status.PASSED
        yield TestStepResult(name=match["text"], start=start, stop=end, status=status)


def machines(folder: Path) -> Iterator[tuple[str, str]]:
    """Title and text of every machine of a test, as it was started."""
    listing = folder / _MACHINES
    seen = listing.read_text().splitlines() if listing.exists() else []
    for line in dict.fromkeys(seen):
        rendered = Path(line) / "machine.sh"
        if rendered.exists():
            yield "machine", render(rendered.read_text(), Path(line))


def render(command: str, directory: Path) -> str:
    """An emulator's command line, one option a line."""
    text = f"# {directory}\n"
    for word in shlex.split(command):
        option = word.startswith("-") and not re.match(r"-[0-9]", word)
        text += (" \\\n  " if option else " ") + shlex.quote(word)
    return text + "\n"


class BugLinks:
    """Links to the list of known defects: in CI to the commit's page, else to the file."""

    def __init__(self, symptoms: Mapping[str, str], base: str) -> None:
        self._symptoms = symptoms
        self._base = base

    @classmethod
    def of(cls, path: Path) -> BugLinks:
        text = path.read_text() if path.exists() else ""
        rows = re.findall(r"^\| ([A-Z]+[0-9]+) \| (.*?) \|", text, re.MULTILINE)
        server, repository, commit = (
            os.environ.get(f"GITHUB_{name}") for name in ("SERVER_URL", "REPOSITORY", "SHA")
        )
        in_ci = server and repository and commit
        base = f"{server}/{repository}/blob/{commit}/docs/bugs.md" if in_ci else path.as_uri()
        return cls(dict(rows), base)

    def link(self, bug: str) -> Link:
        """The link of a defect, with its symptom as text."""
        symptom = self._symptoms.get(bug, "not in docs/bugs.md")
        return Link(type="issue", url=f"{self._base}#{bug}", name=f"{bug}: {symptom}")


@dataclass(frozen=True)
class Facts:
    """What a run is about; `tested` answers hashes of what is tested, by file name."""

    kernel: str
    targets: list[str]
    tested: Callable[[], dict[str, str]]


class Closer:
    """In the controlling process: tests whose worker died, and what was tested with what."""

    def __init__(self, folder: Path, run: Path, facts: Facts) -> None:
        self._folder = folder
        self._run = run
        self._facts = facts
        self._crashes: list[pytest.TestReport] = []

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        if crashed.is_crash(report):
            self._crashes.append(report)

    @pytest.hookimpl(trylast=True)
    def pytest_sessionfinish(self) -> None:
        for report in self._crashes:
            crashed.write(self._folder, self._run, report, attach_folder)
        # The page shows the first eight, the others on demand.
        facts = {
            "commit": results.commit(),
            "targets": ", ".join(self._facts.targets),
            "kernel": self._facts.kernel,
            **versions(machines=(self._run / "machines").is_dir()),
            **self._facts.tested(),
            "host": f"{platform.system()} {platform.release()}, {os.cpu_count()} CPUs",
        }
        lines = (f"{name} = {value}\n" for name, value in facts.items())
        (self._folder / "environment.properties").write_text("".join(lines))


def versions(*, machines: bool) -> dict[str, str]:
    """What made and ran what was tested."""
    found = {"qemu": provision.engine().version_text} if machines else {}
    ask_compiler = [os.environ.get("CC", "gcc"), "-dumpfullversion"]
    compiler = subprocess.run(ask_compiler, capture_output=True, text=True, check=False)
    found["gcc"] = compiler.stdout.strip() or "unknown"
    return found | {"python": platform.python_version(), "pytest": pytest.__version__}


def register(config: pytest.Config, run: Path, facts: Facts) -> None:
    """Collect this process's results. Call it before allure-pytest is configured.

    It costs some milliseconds a test; `-p no:allure_pytest` does without.
    """
    wanted = hasattr(config.option, "allure_report_dir") and not config.option.collectonly
    if not wanted or _inside_another_run():
        return
    if not config.option.allure_report_dir:
        config.option.allure_report_dir = str(run / "allure")
    folder = Path(config.option.allure_report_dir)
    folder.mkdir(parents=True, exist_ok=True)
    config.pluginmanager.register(Collector(config, run, facts.kernel), "jailhouse-collector")
    if not hasattr(config, "workerinput"):
        closer = Closer(folder, run, facts)
        config.pluginmanager.register(closer, "jailhouse-closer")


def _inside_another_run() -> bool:
    """Does a run in this process collect already? allure-pytest would mix both up."""
    plugins = allure_commons.plugin_manager.get_plugins()
    return any(isinstance(plugin, AllureFileLogger) for plugin in plugins)
