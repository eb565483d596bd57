# SPDX-License-Identifier: GPL-2.0-only
"""Results of tests whose worker died: nobody but the controller can write them.

A worker writes a test's result when the test has ended. One that dies in
between leaves nothing, or, if it dies before the controller has heard of the
end, a result that the controller does not count. So the controller's word
wins: what the worker left of that test is removed, and a broken one is
written. Terminal, JUnit and Allure then count the same.
"""

from __future__ import annotations

import json
import uuid
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from allure_commons.logger import AllureFileLogger
from allure_commons.model2 import Attachment, Label, Status, StatusDetails, TestResult
from allure_commons.utils import md5, now

from harness import results

#: The label that tells which test of pytest's a result is of.
NODE_ID = "nodeid"


def is_crash(report: pytest.TestReport) -> bool:
    """Is this xdist's report of a test whose worker died?"""
    return str(report.when) == "???" and report.failed


def results_of(folder: Path, node_id: str) -> Iterator[Path]:
    """Result files of a test."""
    for path in folder.glob("*-result.json"):
        labels = json.loads(path.read_text()).get("labels", [])
        if {"name": NODE_ID, "value": node_id} in labels:
            yield path


def write(
    folder: Path,
    run: Path,
    report: pytest.TestReport,
    attach_folder: Callable[[Path, TestResult, Callable[[str | bytes, str, str, str], None]], None],
) -> None:
    """Write the result of a crashed test, with what its folder holds; replaces other results."""
    for path in results_of(folder, report.nodeid):
        path.unlink()
    result = crashed_result(report)
    logger = AllureFileLogger(folder)

    def attach(body: str | bytes, name: str, kind: str, extension: str) -> None:
        source = f"{uuid.uuid4()}-attachment.{extension}"
        logger.report_attached_data(body, source)
        result.attachments.append(Attachment(name=name, source=source, type=kind))

    evidence = run / results.folder_name(report.nodeid)
    if evidence.is_dir():
        attach_folder(evidence, result, attach)
    logger.report_result(result)


def crashed_result(report: pytest.TestReport) -> TestResult:
    """A broken result that says what xdist says."""
    moment = now()
    result = TestResult(
        uuid=str(uuid.uuid4()),
        status=Status.BROKEN,
        statusDetails=StatusDetails(message=report.longreprtext, trace=report.longreprtext),
        start=moment,
        stop=moment,
    )
    identify(result, report.nodeid)
    result.labels.append(Label(name="verdict", value="harness"))
    return result


def identify(result: TestResult, node_id: str) -> None:
    """Name a result after its test, as allure-pytest does where it sees the test itself."""
    path, _, name = node_id.partition("::")
    module = path.removesuffix(".py").replace("/", ".")
    full = f"{module}#{name.partition('[')[0]}"
    result.name = name
    result.fullName = full
    result.testCaseId = md5(full)
    result.historyId = md5(node_id)
    result.titlePath = list(Path(path).parts)
    package, _, suite = module.rpartition(".")
    labels = {NODE_ID: node_id, "framework": "pytest", "parentSuite": package, "suite": suite}
    result.labels.extend(Label(name=key, value=value) for key, value in labels.items() if value)
