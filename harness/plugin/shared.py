# SPDX-License-Identifier: GPL-2.0-only
"""The machine that the tests of one process share.

What a test gets is as clean as a machine that was just booted, as far as it matters to
the next one, and that is looked at rather than believed: no cell, as many pages in the
pools as right after our own enable and no other enable since (or the hypervisor off),
every CPU Linux's, an agent that answers, and consoles without a word of trouble. Where
one of these is not so, or a test failed, the machine is replaced: from a checkpoint, or
by another boot where the engine has none.
"""

from __future__ import annotations

import re
from collections.abc import Callable

from harness.errors import GuestSick, ProductFailure, Verdict
from harness.guest.linux import Linux
from harness.plugin.run import Run
from harness.session import Lab, restored, shut
from harness.targets import Target
from harness.verbs import Jailhouse, Pools

#: The CPUs that Linux runs on.
ONLINE = "/sys/devices/system/cpu/online"
Tell = Callable[[Linux], None]
#: What the hypervisor says at the end of every enable.
ACTIVATED = re.compile("Activating hypervisor")


def _check_cpus(linux: Linux) -> None:
    """GuestSick unless Linux has every CPU of its machine."""
    online, cpus = linux.get(ONLINE).decode().strip(), linux.machine.spec.cpus
    if online != (f"0-{cpus - 1}" if cpus > 1 else "0"):
        raise GuestSick(f"of {cpus} CPUs only {online} were left online")


class Shared:
    """The one booted machine of this process that tests share."""

    def __init__(self, run: Run) -> None:
        self._run = run
        self._linux: Linux | None = None
        self._target = ""
        self._lab: Lab | None = None
        #: Pages in use right after our own enable; None: not enabled by us.
        self._pools: Pools | None = None
        #: Where the hypervisor console was before that enable.
        self._enabled_at = 0
        #: Found clean after the last test, and not used since.
        self._known_clean = False

    def get(self, target: Target, tell: Tell, enabled: bool = False) -> Linux:
        """A healthy Linux; one that is there already if possible.

        At the linux stage; with `enabled` the hypervisor stays on if a test before
        left it so (`enable()` sees to it that it is on).
        """
        if self._linux is not None and self._target == target.name:
            linux = self._linux
            tell(linux)
            try:
                if not (enabled and self._known_clean):
                    self._clean(Jailhouse(linux), enabled)
                self._known_clean = False
                linux.check_health()
                _check_cpus(linux)
                linux.mark()
                return linux
            except Verdict as error:
                linux.on_step(f"replaced: {error}")
        self.close()
        return self._new(target, tell)

    def _clean(self, jailhouse: Jailhouse, keep: bool) -> None:
        """No cell is left, and with `keep` our own enable stays as it is.

        ProductFailure if cells that are gone left pages behind.
        """
        if keep and self._pools is not None and jailhouse.enabled:
            jailhouse.destroy_all()
            if self._is_ours(jailhouse):
                left = jailhouse.pools()
                if left != self._pools:
                    raise ProductFailure(f"pages left behind: {self._pools} became {left}")
                return
        self._pools = None
        restored(jailhouse)

    def _is_ours(self, jailhouse: Jailhouse) -> bool:
        """Whether nobody enabled anew since we did."""
        return len(ACTIVATED.findall(jailhouse.uart.text(self._enabled_at))) == 1

    def _new(self, target: Target, tell: Tell) -> Linux:
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

    def enable(self, jailhouse: Jailhouse, root_config: str) -> None:
        """Enable unless it is, by an enable of this method."""
        if self._pools is not None:
            return
        jailhouse.load_module()
        self._enabled_at = jailhouse.uart.end
        jailhouse.enable(root_config)
        self._pools = jailhouse.pools()

    def release(self, jailhouse: Jailhouse, keep: bool) -> None:
        """After a test: no cell is left, and with `keep` the hypervisor stays on.

        It is disabled all the same if the test enabled it anew (with what is unknown).
        """
        self._clean(jailhouse, keep)
        self._known_clean = True

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
            self._pools = None
            self._known_clean = False
