# SPDX-License-Identifier: GPL-2.0-only
"""The life of a run: configured, built, judged, summed up."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import pytest

from harness import deadlines, expected, results
from harness.errors import EXIT_CODES
from harness.plugin import workers
from harness.plugin.judge import Judge
from harness.plugin.run import RUN, Run
from harness.report import collect
from harness.session import NOTES
from harness.targets import TARGETS, runnable

EXPECTED = results.REPOSITORY / "testsuites" / "expected"


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
        os.environ.setdefault(results.OUTER_RUN, str(directory))
        worker = "main"
        if not config.option.xmlpath:
            config.option.xmlpath = str(directory / "junit.xml")
    else:
        directory = Path(worker_input["jailhouse_run"])
        worker = worker_input["workerid"]
        workers.die_with(worker_input["jailhouse_controller"])
    named = config.option.targets
    config.stash[RUN] = Run(
        config=config,
        directory=directory,
        worker=worker,
        kernel=config.option.kernel,
        parameters=tuple(config.option.cmdline_extra.split()),
        boot=config.option.boot,
        prebuilt=config.option.artifacts and config.option.artifacts.resolve(),
        targets=[TARGETS[name] for name in named] if named else runnable(),
    )
    run = config.stash[RUN]
    names = [target.name for target in run.targets]
    collect.register(config, directory, collect.Facts(run.kernel, names, run.tested))
    if worker_input is None:
        config.pluginmanager.register(Judge(run), "jailhouse-judge")


def pytest_report_header(config: pytest.Config) -> list[str]:
    run = config.stash[RUN]
    names = ", ".join(target.name for target in run.targets) or "none"
    tested = run.prebuilt or f"commit {results.commit()}"
    return [f"jailhouse: {tested}; targets: {names}; kernel {run.kernel}",
            f"results: {run.directory}"]  # fmt: skip


@pytest.hookimpl(tryfirst=True)
def pytest_sessionstart(session: pytest.Session) -> None:
    """With workers, everything is built before they start; a named target must run."""
    run = session.config.stash[RUN]
    if not run.controls:
        return
    for target in run.targets:
        if not target.judgement().possible:
            reasons = "; ".join(target.judgement().reasons)
            pytest.exit(f"{target.name} can not run here: {reasons}", EXIT_CODES["expectation"])
    if getattr(session.config.option, "numprocesses", None) and not _only_host_tests(session):
        workers.prepare(run)


def _only_host_tests(session: pytest.Session) -> bool:
    paths = [str(argument) for argument in session.config.args]
    return session.config.option.collectonly or all("testsuites/unit" in path for path in paths)


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    if "target" in metafunc.fixturenames:
        targets = metafunc.config.stash[RUN].targets
        metafunc.parametrize(
            "target", targets, ids=[target.name for target in targets], scope="session"
        )


@pytest.hookimpl(trylast=True)
def pytest_sessionfinish(session: pytest.Session, exitstatus: int) -> None:
    run = session.config.stash[RUN]
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
    run = config.stash[RUN]
    for line in run.violations:
        terminalreporter.write_line(f"EXPECTATION {line}", red=True)
    notes = run.directory / NOTES
    if notes.exists():
        terminalreporter.write_line(notes.read_text().rstrip(), yellow=True)
    for name, digest in run.tested().items():
        terminalreporter.write_line(f"tested: {name} sha256:{digest}, commit {results.commit()}")
