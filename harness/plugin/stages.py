# SPDX-License-Identifier: GPL-2.0-only
"""Fixtures by stage.

Stages, each built on the one before::

    target      a parameter: every target that this host can run, or --target
    linux       a booted Linux, hypervisor off; shared by tests as long as it
                stays healthy, replaced when a test broke it
    jailhouse   the verbs on it, hypervisor enabled with the target's root
                configuration, no cells; stays enabled while tests want it so
    cells       makes cells that are gone when the test ends
    fresh_linux boots machines of the test's own, with other parameters
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from harness.errors import HarnessFailure, Unsupported, Verdict
from harness.guest.linux import Linux
from harness.image import Artifacts
from harness.plugin.folder import OUTCOME, TestFolder
from harness.plugin.run import RUN
from harness.plugin.shared import Shared
from harness.session import shut
from harness.targets import Target
from harness.verbs import Jailhouse, Selector


def _shared(request: pytest.FixtureRequest) -> Shared:
    run = request.config.stash[RUN]
    if run.shared is None:
        run.shared = Shared(run)
    return run.shared


def _failed(request: pytest.FixtureRequest) -> bool:
    reports = request.node.stash.get(OUTCOME, {})
    return any(report.failed for report in reports.values())


@pytest.fixture(autouse=True)
def _capabilities(request: pytest.FixtureRequest) -> None:
    """Skip (as listed) what the target's engine cannot do."""
    wanted = {name for marker in request.node.iter_markers("needs") for name in marker.args}
    if not wanted:
        return
    target: Target = request.getfixturevalue("target")
    missing = wanted - target.capabilities
    if missing:
        raise Unsupported(f"{target.name} has no {', '.join(sorted(missing))}")


@pytest.fixture
def artifacts(request: pytest.FixtureRequest, target: Target) -> Artifacts:
    """What is tested, for the run's kernel and the target."""
    run = request.config.stash[RUN]
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
    linux = shared.get(target, folder.record, _stays_enabled(request))
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


def _stays_enabled(request: pytest.FixtureRequest) -> bool:
    """Whether the hypervisor may be left on for this test, and by it."""
    return "jailhouse" in request.fixturenames and not request.config.stash[RUN].boot


@pytest.fixture
def jailhouse(
    request: pytest.FixtureRequest, linux: Linux, target: Target
) -> Iterator[Jailhouse]:
    """The verbs on a Linux whose hypervisor is enabled, without cells.

    It stays enabled for the next test that wants it so, if this one leaves it
    clean; with --boot every test has an enable of its own.
    """
    verbs = Jailhouse(linux)
    shared = _shared(request)
    shared.enable(verbs, target.root_config)
    yield verbs
    if linux.machine.alive and not _failed(request):
        shared.release(verbs, _stays_enabled(request))


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
    cpus=3, cpu="qemu64", board="q35", reserved=False, artifacts=...)`; all optional. The
    Linux is at the machine's boot: load the module yourself.
    """
    run = request.config.stash[RUN]
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
