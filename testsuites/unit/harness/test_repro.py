# SPDX-License-Identifier: GPL-2.0-only
"""Reports: what is refused, and how what happened is judged."""

import copy
import tarfile
import tomllib
from pathlib import Path
from typing import Any

import pytest

from harness.hang.report import Report as HangReport
from harness.hang.states import Kind, State
from harness.repro import bundle
from harness.repro.carry import Answer, Course, derived
from harness.repro.judge import Outcome, judge
from harness.repro.spec import BadReport, Config, Symptom, contains, parse, read
from harness.results import REPOSITORY
from jailhouse.cellfile import CellConfig, Memory

GOOD: dict[str, Any] = {
    "id": "X1",
    "title": "something",
    "machine": {"cpus": 4, "cpu": "qemu64,+svm,npt=off", "parameters": ["maxcpus=2"]},
    "step": [{"run": "true", "status": "*"}, {"create": "apic-demo", "errno": "EBUSY"}],
    "symptom": {"step": 1, "status": 7},
}


def changed(path: str, value: object) -> dict[str, Any]:
    made = copy.deepcopy(GOOD)
    place: Any = made
    *way, last = path.split(".")
    for name in way:
        place = place[int(name) if name.isdigit() else name]
    place[last] = value
    return made


def test_a_good_report() -> None:
    report = parse(GOOD)
    assert (report.variant.cpus, report.variant.cpu) == (4, "qemu64,+svm,npt=off")
    assert report.steps[0].status is None
    assert report.steps[1].errno == "EBUSY"


@pytest.mark.parametrize(
    ("path", "value", "says"),
    [
        ("machine.cpu", "max,-object=x", "machine.cpu"),
        ("machine.cpu", "max -S", "machine.cpu"),
        ("machine.cpu", "max,host-cache-info=/etc/passwd", "machine.cpu"),
        ("machine.cpus", 17, "from 1 to 16"),
        ("machine.cpus", True, "from 1 to 16"),
        ("machine.target", "../x", "is none of"),
        ("machine.kernel", "5.10", "is none of"),
        ("machine.parameters", ["a b"], "machine.parameters"),
        ("machine.parameters", ["a\n"], "machine.parameters"),
        ("machine.argv", ["-S"], "machine.argv is not known"),
        ("step.1.create", "/etc/passwd", "step 2.create"),
        ("step.1.create", "../../x", "step 2.create"),
        ("step.1.run", "true", "exactly one of"),
        ("step.0.status", 256, "from 0 to 255"),
        ("step.0.shell", "x", "step 1.shell is not known"),
        ("symptom", {"status": 1}, "belong to a step"),
        ("symptom", {"step": 1}, "one of status"),
        ("symptom", {"step": 3, "status": 1}, "1 to 2"),
        ("id", "../../x", "id"),
        ("step", [], "1 to 200"),
        ("config", [{"name": "x", "base": "y", "set": {"__class__": 1}}], "config 0.set"),
        ("config", [{"name": "x", "base": "y", "set": {"id": "1"}}], "config 0.set"),
    ],
)
def test_what_is_not_allowed_is_refused(path: str, value: object, says: str) -> None:
    with pytest.raises(BadReport, match=says.replace("[", r"\[")):
        parse(changed(path, value))


def test_every_delivered_report_is_one() -> None:
    paths = sorted((REPOSITORY / "repros").glob("*.toml"))
    assert len(paths) >= 3
    assert len({read(path).id for path in paths}) == len(paths)
    assert all(path.stem == tomllib.loads(path.read_text())["id"].lower() for path in paths)


def test_texts_are_looked_for_without_regular_expressions() -> None:
    text = "one two three\nthree two one"
    assert contains(lambda: text, "two*one")
    assert not contains(lambda: text, "three*three")
    assert not contains(lambda: text, "t.o")


def _course(*answers: Answer, hang: Kind | None = None, **more: Any) -> Course:
    course = Course(list(answers), **more)
    if hang is not None:
        course.hang = HangReport(State(hang, ""), "x")
        course.trouble = "stuck"
    return course


WELL = Answer("run", True, status=0)
BAD = Answer("run", False, status=7, output="a line\nanother")


@pytest.mark.parametrize(
    ("symptom", "course", "outcome"),
    [
        (Symptom(step=1, status=7), _course(WELL), Outcome.NOT_REPRODUCED),
        (Symptom(step=1, status=7), _course(BAD), Outcome.REPRODUCED),
        (Symptom(step=1, status=7, output="another"), _course(BAD), Outcome.REPRODUCED),
        (Symptom(step=1, status=7, output="none"), _course(BAD), Outcome.DIFFERENT),
        (Symptom(step=1, status=8), _course(BAD), Outcome.DIFFERENT),
        (Symptom(step=2, hang="spinning"), _course(WELL, hang=Kind.SPINNING), Outcome.REPRODUCED),
        (Symptom(step=1, hang="spinning"), _course(WELL, BAD), Outcome.DIFFERENT),
        (Symptom(hang="spinning"), _course(WELL, hang=Kind.HALTED), Outcome.DIFFERENT),
        (
            Symptom(console="root-console", says="BUG:*here"),
            _course(WELL, consoles={"root-console": "x\nBUG: it is here\n"}),
            Outcome.REPRODUCED,
        ),
        (
            Symptom(console="root-console", says="BUG:"),
            _course(WELL, consoles={"hypervisor-console": "BUG:"}),
            Outcome.NOT_REPRODUCED,
        ),
    ],
)
def test_judgement(symptom: Symptom, course: Course, outcome: Outcome) -> None:
    report = parse({**GOOD, "symptom": {"step": 1, "status": 7}})
    object.__setattr__(report, "symptom", symptom)
    assert judge(report, course) is outcome


def test_derived_configurations() -> None:
    base = CellConfig(name="base", mem_regions=[Memory(0x1000, 0, 0x1000, 3)])
    base.set_cpus([1])
    numbers = {"mem_regions.0.size": 0x800, "msg_reply_timeout": 5}
    made = CellConfig.from_bytes(derived(base.to_bytes(), Config("n", "b", (0, 2), numbers)))
    assert (made.cpus, made.mem_regions[0].size, made.msg_reply_timeout) == ([0, 2], 0x800, 5)
    for field in ("mem_regions.1.size", "mem_regions.0.nothing", "to_bytes", "name"):
        with pytest.raises(BadReport, match="no field"):
            derived(base.to_bytes(), Config("n", "b", None, {field: 1}))


def test_a_bundle_cannot_leave_its_folder(tmp_path: Path) -> None:
    (tmp_path / "x").write_text("x")
    archive = tmp_path / "evil.tar.gz"
    with tarfile.open(archive, "w:gz") as tar:
        tar.add(tmp_path / "x", arcname="../outside")
    with pytest.raises(BadReport, match="outside"), bundle.opened(archive):
        pass
    assert not (tmp_path.parent / "outside").exists()
