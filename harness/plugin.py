# SPDX-License-Identifier: GPL-2.0-only
"""pytest: options, fixtures by stage, results by test, verdicts by run.

Stages, each built on the one before::

    target      a parameter: every target that this host can run, or --target
    linux       a booted Linux, hypervisor off; shared by tests as long as it
                stays healthy, replaced when a test broke it
    jailhouse   the verbs on it, hypervisor enabled with the target's root
                configuration; disabled afterwards
    cells       makes cells that are gone when the test ends
    fresh_linux boots machines of the test's own, with other parameters

Verdicts become exit codes (`errors.EXIT_CODES`) in the controlling process.
"""

from __future__ import annotations

import hashlib
import json
import os
import shlex
import time
from collections.abc import Callable, Generator, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from harness import artifacts as builds
from harness import deadlines, expected, results, session
from harness.errors import (
    EXIT_CODES,
    EmulatorErratum,
    HarnessFailure,
    Unsupported,
    Verdict,
    verdict_of,
)
from harness.guest.linux import Linux
from harness.hang.stash import MACHINES
from harness.image import Artifacts
from harness.provision import DEFAULT_KERNEL, KERNEL_SUITES
from harness.results import Transcript, folder_name
from harness.session import REPEATED, Lab, Variant, restored, shut
from harness.streams import Stream
from harness.targets import TARGETS, Target, runnable
from harness.verbs import Jailhouse, Selector

EXPECTED = results.REPOSITORY / "testsuites" / "expected"
_RUN = pytest.StashKey["Run"]()
_OUTCOME = pytest.StashKey[dict[str, pytest.TestReport]]()


# --- options


def pytest_addoption(parser: pytest.Parser) -> None:
    group = parser.getgroup("jailhouse")
    group.addoption(
        "--target", action="append", dest="targets", metavar="NAME", choices=list(TARGETS),
        help="run on this target (repeatable); default: all that this host can run",
    )  # fmt: skip
    group.addoption(
        "--kernel", default=DEFAULT_KERNEL, choices=list(KERNEL_SUITES), help="guest kernel series"
    )
    group.addoption(
        "--cmdline-extra", default="", metavar="WORDS", help="kernel parameters for every boot"
    )
    group.addoption(
        "--artifacts", metavar="DIR", type=Path, default=None,
        help="test this build tree as it is, build nothing",
    )  # fmt: skip
    group.addoption(
        "--soak", action="store_true", help="run repeated tests at their full count"
    )


# --- a run


@dataclass
class Run:
    """State of one process of a run."""

    config: pytest.Config
    directory: Path
    worker: str
    kernel: str
    parameters: tuple[str, ...]
    prebuilt: Path | None
    targets: list[Target]
    outcomes: list[expected.Outcome] = field(default_factory=list)
    verdicts: set[str] = field(default_factory=set)
    violations: list[str] = field(default_factory=list)
    shared: Shared | None = None
    _built: dict[tuple[str, str], Artifacts] = field(default_factory=dict)

    @property
    def controls(self) -> bool:
        return self.worker == "main"

    def artifacts(self, kernel: str, arch: str = "x86") -> Artifacts:
        """What is tested on an architecture, built at most once a process."""
        key = kernel, arch
        if key not in self._built:
            if self.prebuilt is not None:
                self._built[key] = builds.found(self.prebuilt, kernel, arch)
            elif self.controls:
                self._built[key] = builds.build(kernel, arch)
            else:
                # The controlling process built it before this worker started.
                self._built[key] = builds.found(builds.build_root(arch), kernel, arch)
        return self._built[key]

    def command(self, node_id: str) -> str:
        """One line that runs one test again, the same way."""
        words = ["python", "-m", "pytest", node_id, "--kernel", self.kernel]
        if self.prebuilt is not None:
            words += ["--artifacts", str(self.prebuilt)]
        if self.parameters:
            words += ["--cmdline-extra", " ".join(self.parameters)]
        return shlex.join(words)

    def tested(self) -> dict[str, str]:
        """Hashes of the hypervisor images under test, by file name."""
        directories = (
            [self.prebuilt]
            if self.prebuilt is not None
            else [builds.build_root(arch) for arch in self.architectures]
        )
        return {
            path.name: hashlib.sha256(path.read_bytes()).hexdigest()[:16]
            for directory in directories
            for path in sorted(directory.glob("hypervisor/jailhouse*.bin"))
        }

    @property
    def architectures(self) -> list[str]:
        """Those of the targets, once each."""
        return sorted({target.architecture for target in self.targets})

    def lab(self, target: Target) -> Lab:
        def built(kernel: str) -> Artifacts:
            return self.artifacts(kernel, target.architecture)

        return Lab(target, built, self.directory, f"{self.worker}-{target.name}")

    def variant(self, **changes: Any) -> Variant:
        changes.setdefault("kernel", self.kernel)
        changes["parameters"] = (*self.parameters, *changes.get("parameters", ()))
        return Variant(**changes)


@pytest.hookimpl(tryfirst=True)
def pytest_configure(config: pytest.Config) -> None:
    config.addinivalue_line("markers", "slow: takes longer than 20 seconds")
    config.addinivalue_line(
        "markers", "needs(*capabilities): capabilities of the engine this test cannot do without"
    )
    config.addinivalue_line("markers", "bug(id): reproduces an entry of the list of known defects")
    worker_input = getattr(config, "workerinput", None)
    if worker_input is None:
        deadlines.calibrate()
        directory = results.new_run()
        worker = "main"
        if not config.option.xmlpath:
            config.option.xmlpath = str(directory / "junit.xml")
    else:
        directory = Path(worker_input["jailhouse_run"])
        worker = worker_input["workerid"]
    named = config.option.targets
    config.stash[_RUN] = Run(
        config=config,
        directory=directory,
        worker=worker,
        kernel=config.option.kernel,
        parameters=tuple(config.option.cmdline_extra.split()),
        prebuilt=config.option.artifacts and config.option.artifacts.resolve(),
        targets=[TARGETS[name] for name in named] if named else runnable(),
    )
    if worker_input is None:
        config.pluginmanager.register(Judge(config.stash[_RUN]), "jailhouse-judge")


@pytest.hookimpl(optionalhook=True)
def pytest_configure_node(node: Any) -> None:
    """xdist: tell a worker where the run's results are."""
    node.workerinput["jailhouse_run"] = str(node.config.stash[_RUN].directory)


def pytest_report_header(config: pytest.Config) -> list[str]:
    run = config.stash[_RUN]
    names = ", ".join(target.name for target in run.targets) or "none"
    tested = run.prebuilt or f"commit {results.commit()}"
    return [f"jailhouse: {tested}; targets: {names}; kernel {run.kernel}",
            f"results: {run.directory}"]  # fmt: skip


@pytest.hookimpl(tryfirst=True)
def pytest_sessionstart(session: pytest.Session) -> None:
    """With workers, everything is built before they start; a named target must run."""
    run = session.config.stash[_RUN]
    if not run.controls:
        return
    for target in run.targets:
        if not target.judgement().possible:
            reasons = "; ".join(target.judgement().reasons)
            pytest.exit(f"{target.name} can not run here: {reasons}", EXIT_CODES["expectation"])
    if getattr(session.config.option, "numprocesses", None) and not _only_host_tests(session):
        for arch in run.architectures:
            run.artifacts(run.kernel, arch)


def _only_host_tests(session: pytest.Session) -> bool:
    paths = [str(argument) for argument in session.config.args]
    return session.config.option.collectonly or all("testsuites/unit" in path for path in paths)


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    if "target" in metafunc.fixturenames:
        targets = metafunc.config.stash[_RUN].targets
        metafunc.parametrize(
            "target", targets, ids=[target.name for target in targets], scope="session"
        )


# --- results by test


@dataclass
class TestFolder:
    """Where one test's evidence goes; a test without a machine has no folder."""

    path: Path
    rerun: str
    #: For hang reports: every machine so far, with this folder.
    machines: list[tuple[Linux, Path]] = field(default_factory=list)
    _streams: list[Stream] = field(default_factory=list)
    _transcript: Transcript | None = None

    def record(self, linux: Linux) -> None:
        """Record the machine's streams and steps from now on."""
        self.path.mkdir(parents=True, exist_ok=True)
        self.machines.append((linux, self.path))
        if self._transcript is None:
            self._transcript = Transcript(self.path / "transcript.log")
            (self.path / "rerun.txt").write_text(self.rerun + "\n")
        machine = linux.machine
        machine_file = self.path / "machine.txt"
        with machine_file.open("a") as file:
            file.write(f"{machine.results}\n")
        for stream in machine.streams.values():
            stream.record(self.path / f"{stream.name}.log")
            self._streams.append(stream)
        linux.on_step = self._transcript.step

    def step(self, text: str) -> None:
        if self._transcript is not None:
            self._transcript.step(text)

    def close(self) -> None:
        for stream in self._streams:
            stream.unrecord(self.path / f"{stream.name}.log")


@pytest.fixture
def folder(request: pytest.FixtureRequest) -> Iterator[TestFolder]:
    """The test's result folder."""
    run = request.config.stash[_RUN]
    made = TestFolder(
        run.directory / folder_name(request.node.nodeid), run.command(request.node.nodeid)
    )
    request.node.stash[MACHINES] = made.machines
    yield made
    report = request.node.stash.get(_OUTCOME, {}).get("call")
    if report is not None:
        made.step(f"test {report.outcome}")
    made.close()


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(
    item: pytest.Item, call: pytest.CallInfo[None]
) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Attach the verdict; Unsupported is a skip, an emulator's erratum an expected failure."""
    report = yield
    item.stash.setdefault(_OUTCOME, {})[report.when] = report
    raised = call.excinfo.value if call.excinfo is not None else None
    if isinstance(raised, Unsupported):
        report.outcome = "skipped"
        report.longrepr = (str(item.path), 0, f"Unsupported: {raised}")
    elif isinstance(raised, EmulatorErratum):
        # An expected failure, by name: shown as xfailed, never as passed.
        report.outcome = "skipped"
        report.wasxfail = f"emulator erratum {raised}"
    elif report.failed and raised is not None:
        report.user_properties.append(("verdict", verdict_of(raised)))
        _keep_failure(item, report)
    target = getattr(getattr(item, "callspec", None), "params", {}).get("target")
    name = target.name if isinstance(target, Target) else expected.HOST
    report.user_properties.append(("target", name))
    return report


def _keep_failure(item: pytest.Item, report: pytest.TestReport) -> None:
    """The failure beside the streams, if the test got as far as having some."""
    path = item.config.stash[_RUN].directory / folder_name(item.nodeid)
    if path.exists():
        with (path / "failure.txt").open("a") as file:
            file.write(f"--- {report.when}\n{report.longreprtext}\n")


class Judge:
    """In the controlling process: collects verdicts and skips, of all workers."""

    def __init__(self, run: Run) -> None:
        self._run = run

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        properties = dict(report.user_properties)
        target = str(properties.get("target", expected.HOST))
        if report.failed:
            default = "product" if report.when == "call" else "harness"
            self._run.verdicts.add(str(properties.get("verdict", default)))
        if report.skipped and not hasattr(report, "wasxfail"):
            reason = report.longrepr[2] if isinstance(report.longrepr, tuple) else ""
            self._add(report, target, True, reason)
        elif report.when == "call":
            self._add(report, target, False)

    def _add(
        self, report: pytest.TestReport, target: str, skipped: bool, reason: str = ""
    ) -> None:
        name = expected.plain_name(report.nodeid, target)
        self._run.outcomes.append(expected.Outcome(name, target, skipped, reason))


@pytest.hookimpl(trylast=True)
def pytest_sessionfinish(session: pytest.Session, exitstatus: int) -> None:
    run = session.config.stash[_RUN]
    if run.shared is not None:
        run.shared.close()
    if not run.controls or session.config.option.collectonly:
        return
    names = {outcome.target for outcome in run.outcomes}
    lists = {name: expected.read(EXPECTED, name) for name in names}
    run.violations = expected.violations(run.outcomes, lists)
    if run.violations:
        run.verdicts.add("expectation")
    if exitstatus in (pytest.ExitCode.OK, pytest.ExitCode.TESTS_FAILED):
        for verdict, code in EXIT_CODES.items():
            if verdict in run.verdicts:
                session.exitstatus = code
                break
    record = {
        "commit": results.commit(),
        "tested": run.tested(),
        "kernel": run.kernel,
        "targets": [target.name for target in run.targets],
        "load": os.getloadavg(),
        "verdicts": sorted(run.verdicts),
        "violations": run.violations,
        "exit": int(session.exitstatus),
    }
    (run.directory / "run.json").write_text(json.dumps(record, indent=1) + "\n")


def pytest_terminal_summary(terminalreporter: Any, config: pytest.Config) -> None:
    run = config.stash[_RUN]
    for line in run.violations:
        terminalreporter.write_line(f"EXPECTATION {line}", red=True)
    repeated = run.directory / REPEATED
    if repeated.exists():
        terminalreporter.write_line(repeated.read_text().rstrip(), yellow=True)
    for name, digest in run.tested().items():
        terminalreporter.write_line(f"tested: {name} sha256:{digest}, commit {results.commit()}")
    if run.verdicts:
        terminalreporter.write_line(f"verdicts: {', '.join(sorted(run.verdicts))}")


# --- stages


class Shared:
    """The one booted machine of this process that tests share."""

    def __init__(self, run: Run) -> None:
        self._run = run
        self._linux: Linux | None = None
        self._target = ""
        self._lab: Lab | None = None

    def get(self, target: Target, tell: Callable[[Linux], None]) -> Linux:
        """A healthy Linux at the linux stage; boots if there is none."""
        if self._linux is not None and self._target == target.name:
            linux = self._linux
            tell(linux)
            try:
                restored(Jailhouse(linux))
                linux.check_health()
                linux.mark()
                return linux
            except Verdict as error:
                linux.on_step(f"replaced: {error}")
        self.close()
        if self._lab is None or self._lab.target is not target:
            self._lab = self._run.lab(target)

        def started(linux: Linux) -> None:
            self._linux, self._target = linux, target.name
            tell(linux)

        try:
            linux = self._lab.linux(self._run.variant(), tell=started)
            linux.check_health()
        except BaseException:
            self.close()
            raise
        return linux

    def pause(self) -> None:
        if self._linux is not None and self._linux.machine.alive:
            self._linux.machine.pause()

    def resume(self) -> None:
        if self._linux is not None and self._linux.machine.alive:
            self._linux.machine.resume()

    def close(self) -> None:
        """End the machine, if there is one."""
        if self._linux is not None:
            shut(self._linux)
            self._linux = None


def _shared(request: pytest.FixtureRequest) -> Shared:
    run = request.config.stash[_RUN]
    if run.shared is None:
        run.shared = Shared(run)
    return run.shared


def _failed(request: pytest.FixtureRequest) -> bool:
    reports = request.node.stash.get(_OUTCOME, {})
    return any(report.failed for report in reports.values())


@pytest.fixture(autouse=True)
def _capabilities(request: pytest.FixtureRequest) -> None:
    """Skip (as listed) what the target's engine cannot do."""
    marker = request.node.get_closest_marker("needs")
    if marker is None:
        return
    target: Target = request.getfixturevalue("target")
    missing = set(marker.args) - target.make_engine().capabilities
    if missing:
        raise Unsupported(f"{target.name} has no {', '.join(sorted(missing))}")


@pytest.fixture
def artifacts(request: pytest.FixtureRequest, target: Target) -> Artifacts:
    """What is tested, for the run's kernel and the target."""
    run = request.config.stash[_RUN]
    return run.artifacts(run.kernel, target.architecture)


@pytest.fixture
def repeats(request: pytest.FixtureRequest) -> Callable[[int, int], int]:
    """`repeats(reduced, full)`: how often to repeat; full counts with --soak."""
    soak = bool(request.config.option.soak)
    return lambda reduced, full: full if soak else reduced


@pytest.fixture
def linux(request: pytest.FixtureRequest, target: Target, folder: TestFolder) -> Iterator[Linux]:
    """A booted Linux, hypervisor off, the module loaded or not. Shared while healthy.

    The root cell must be alive and its console clean when the test ends.
    """
    shared = _shared(request)
    linux = shared.get(target, folder.record)
    for stream in linux.machine.streams.values():
        stream.origin = stream.end
    yield linux
    if _failed(request):
        # Whatever state it left is no state for another test.
        folder.step(linux.machine.describe() if linux.machine.alive else "emulator is gone")
        shared.close()
        return
    try:
        linux.check_health()
    except Verdict:
        shared.close()
        raise


@pytest.fixture
def jailhouse(linux: Linux, target: Target) -> Iterator[Jailhouse]:
    """The verbs on a Linux whose hypervisor is enabled; disabled afterwards."""
    verbs = Jailhouse(linux)
    verbs.load_module()
    verbs.enable(target.root_config)
    yield verbs
    if linux.machine.alive:
        restored(verbs)


class Cells:
    """Makes cells and remembers them."""

    def __init__(self, jailhouse: Jailhouse) -> None:
        self._jailhouse = jailhouse
        self.made: list[Selector] = []

    def run(self, name: str, *images: str | tuple[str, int], config: str | None = None) -> int:
        """Create, load and start a cell; returns its number.

        `name` is the cell's name; its configuration and inmate have the same
        one unless given.
        """
        number = self.create(name, config)
        self._jailhouse.load(number, *(images or (name,)))
        self._jailhouse.start(number)
        return number

    def create(self, name: str, config: str | None = None) -> int:
        """Create a cell; returns its number."""
        self._jailhouse.create(config or name)
        number = self._jailhouse.cell(name).id
        self.made.append(number)
        return number


@pytest.fixture
def cells(jailhouse: Jailhouse) -> Cells:
    """Creates and starts cells; `jailhouse` destroys them afterwards."""
    return Cells(jailhouse)


@pytest.fixture
def fresh_linux(
    request: pytest.FixtureRequest, target: Target, folder: TestFolder
) -> Iterator[Callable[..., Linux]]:
    """Boots machines of the test's own; the shared one is paused meanwhile.

    `fresh_linux(parameters=("pti=on",), without=("nokaslr",), kernel="6.12",
    cpus=3, cpu="qemu64", reserved=False, artifacts=...)`; all optional. The
    Linux is at the machine's boot: load the module yourself.
    """
    run = request.config.stash[_RUN]
    shared = _shared(request)
    shared.pause()
    lab = run.lab(target)
    lab.prefix += f"-fresh-{time.monotonic_ns() % 10**9}"
    booted: list[Linux] = []

    def boot(artifacts: Artifacts | None = None, **changes: Any) -> Linux:
        def started(linux: Linux) -> None:
            booted.append(linux)
            folder.record(linux)

        return lab.linux(run.variant(**changes), artifacts, started)

    try:
        yield boot
        for linux in booted:
            if linux.machine.alive:
                linux.check_consoles()
    finally:
        for linux in booted:
            shut(linux)
        shared.resume()


@pytest.fixture(scope="session")
def target(request: pytest.FixtureRequest) -> Target:
    """The target a test runs on (parametrised by `pytest_generate_tests`)."""
    parameter = getattr(request, "param", None)
    if not isinstance(parameter, Target):
        raise HarnessFailure("no target can run on this host: see python -m harness targets")
    return parameter


__all__ = ["Cells", "TestFolder", "session"]
