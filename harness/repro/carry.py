# SPDX-License-Identifier: GPL-2.0-only
"""Carries the steps of a report out on a Linux that is up, hypervisor off."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, field

from harness.deadlines import Deadline, scaled
from harness.errors import DeadlineExpired, GuestSick, HostStarved
from harness.guest.linux import Linux
from harness.hang.attach import EXPLAINED, builds
from harness.hang.report import Report as HangReport
from harness.hang.report import collect
from harness.repro.spec import BadReport, Config, Report, Step, contains
from harness.verbs import CONFIGS, Jailhouse, JailhouseError
from jailhouse.cellfile import CellConfig

#: Where inmates of ours find their command line (inmates/lib).
COMMAND_LINE = 0x1000
FOLDER = "/tmp/repro"


@dataclass(frozen=True)
class Answer:
    """What one step brought. `errno` is a verb's, "" for success."""

    step: str
    healthy: bool
    status: int | None = None
    errno: str = ""
    output: str = ""


@dataclass
class Course:
    """What happened, until the steps ended or something got stuck."""

    answers: list[Answer] = field(default_factory=list)
    #: Why the steps ended early, and what the machine was doing.
    trouble: str = ""
    hang: HangReport | None = None
    consoles: dict[str, str] = field(default_factory=dict)

    @property
    def deviations(self) -> list[str]:
        """Everything that a healthy product would not do."""
        found = [
            f"step {number} ({answer.step}): {_said(answer)}"
            for number, answer in enumerate(self.answers, 1)
            if not answer.healthy
        ]
        return [*found, self.trouble] if self.trouble else found


def _said(answer: Answer) -> str:
    if answer.status is not None:
        return f"status {answer.status}"
    return answer.errno or answer.output or "went well"


def carry_out(report: Report, linux: Linux, tell: Callable[[str], None]) -> Course:
    """Carry out all steps. Raises what is the harness's or the host's fault."""
    course = Course()
    marks = {name: stream.end for name, stream in linux.machine.streams.items()}
    work = _Work(linux, report, marks)
    try:
        work.prepare()
        for number, step in enumerate(report.steps, 1):
            answer = work.do(step)
            tell(f"step {number}: {step} -> {_said(answer)}")
            course.answers.append(answer)
        linux.check_health()
    except HostStarved:
        raise
    except EXPLAINED as error:
        course.trouble = f"{type(error).__name__}: {error}".splitlines()[0]
        if not isinstance(error, GuestSick):
            course.hang = collect(linux.machine, linux.release, builds(linux), error)
            course.trouble += f"; {course.hang.state}"
        tell(course.trouble)
    course.consoles = {
        name: stream.text(marks[name]) for name, stream in linux.machine.streams.items()
    }
    return course


class _Work:
    def __init__(self, linux: Linux, report: Report, marks: dict[str, int]) -> None:
        self._linux = linux
        self._jailhouse = Jailhouse(linux)
        self._report = report
        self._marks = marks
        self._made = {config.name: f"{FOLDER}/{config.name}.cell" for config in report.configs}

    def prepare(self) -> None:
        """The report's configurations, and the driver."""
        for config in self._report.configs:
            base = self._linux.get(str(CONFIGS / f"{config.base}.cell"))
            self._linux.put(derived(base, config), self._made[config.name])
        self._jailhouse.load_module()

    def do(self, step: Step) -> Answer:
        if step.kind == "run":
            result = self._linux.run(step.value, step.seconds)
            healthy = step.status is None or result.status == step.status
            return Answer(str(step), healthy, status=result.status, output=result.output)
        if step.kind == "wait":
            return self._wait(step)
        errno = self._verb(step)
        return Answer(str(step), step.errno in ("*", errno), errno=errno)

    def _wait(self, step: Step) -> Answer:
        stream = self._linux.machine.streams[step.value]
        deadline = Deadline.after(scaled(step.seconds))
        while not contains(lambda: stream.text(self._marks[step.value]), step.says):
            self._linux.machine.check_alive()
            if deadline.expired:
                raise DeadlineExpired(f"no {step.says!r} on {step.value} in {step.seconds:.0f} s")
            stream.wait(stream.end, min(0.2, deadline.remaining()))
            time.sleep(0.01)
        return Answer(str(step), True)

    def _verb(self, step: Step) -> str:
        jailhouse, name = self._jailhouse, self._made.get(step.value, step.value)
        operations: dict[str, Callable[[], None]] = {
            "enable": lambda: jailhouse.enable(name, step.seconds),
            "disable": lambda: jailhouse.disable(step.seconds),
            "create": lambda: jailhouse.create(name, step.seconds),
            "load": lambda: jailhouse.load(
                step.cell, name, (f"string:{step.command_line}", COMMAND_LINE), timeout=step.seconds
            ),
            "start": lambda: jailhouse.start(name, step.seconds),
            "shutdown": lambda: jailhouse.shutdown(name, step.seconds),
            "destroy": lambda: jailhouse.destroy(name, step.seconds),
        }
        try:
            operations[step.kind]()
        except JailhouseError as error:
            return error.name
        return ""


def derived(base: bytes, config: Config) -> bytes:
    """A configuration with other CPUs and numbers; BadReport if it has no such field."""
    made = CellConfig.from_bytes(base)
    if config.cpus is not None:
        made.set_cpus(list(config.cpus))
    for path, value in config.numbers.items():
        name, *rest = path.split(".")
        try:
            target: object = made
            if rest:
                target, name = getattr(made, name)[int(rest[0])], rest[1]
            if not isinstance(getattr(target, name), int):
                raise TypeError("not a number")
            setattr(target, name, value)
        except (AttributeError, IndexError, TypeError) as error:
            raise BadReport(f"config {config.name}: no field {path}: {error}") from error
    return made.to_bytes()
