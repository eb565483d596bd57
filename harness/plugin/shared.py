# SPDX-License-Identifier: GPL-2.0-only
"""The machine that the tests of one process share."""

from __future__ import annotations

from collections.abc import Callable

from harness.errors import Verdict
from harness.guest.linux import Linux
from harness.plugin.run import Run
from harness.session import Lab, restored, shut
from harness.targets import Target
from harness.verbs import Jailhouse


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
