# SPDX-License-Identifier: GPL-2.0-only
"""Whether what happened is what the reporter saw: a pure function."""

from __future__ import annotations

from enum import Enum

from harness.repro.carry import Course
from harness.repro.spec import Report, Symptom, contains


class Outcome(Enum):
    """Word for people, and exit code."""

    REPRODUCED = ("reproduced", 0)
    DIFFERENT = ("different symptom", 3)
    NOT_REPRODUCED = ("not reproduced", 4)

    @property
    def word(self) -> str:
        return self.value[0]

    @property
    def code(self) -> int:
        return self.value[1]


def judge(report: Report, course: Course) -> Outcome:
    """The symptom counts first; without it, anything that a healthy product would not do."""
    if _seen(report.symptom, course):
        return Outcome.REPRODUCED
    return Outcome.DIFFERENT if course.deviations else Outcome.NOT_REPRODUCED


def _seen(symptom: Symptom, course: Course) -> bool:
    return all((_step(symptom, course), _console(symptom, course), _hang(symptom, course)))


def _step(symptom: Symptom, course: Course) -> bool:
    if symptom.step is None:
        return True
    if symptom.step > len(course.answers):
        # The step that got stuck has no answer: a hang is all that can be said of it.
        return bool(symptom.hang) and symptom.step == len(course.answers) + 1
    answer = course.answers[symptom.step - 1]
    return (
        symptom.status in (None, answer.status)
        and symptom.errno in (None, answer.errno or "none")
        and (not symptom.output or contains(lambda: answer.output, symptom.output))
    )


def _console(symptom: Symptom, course: Course) -> bool:
    if not symptom.says:
        return True
    return contains(lambda: course.consoles.get(symptom.console, ""), symptom.says)


def _hang(symptom: Symptom, course: Course) -> bool:
    if not symptom.hang:
        return True
    return course.hang is not None and course.hang.state.kind.value == symptom.hang
