# SPDX-License-Identifier: GPL-2.0-only
"""A shared machine is given to the next test only if the last one left it clean."""

from dataclasses import dataclass, field
from types import SimpleNamespace
from typing import Any

import pytest

from harness.errors import GuestSick, ProductFailure
from harness.plugin import shared as module
from harness.plugin.shared import Shared
from harness.targets import TARGETS
from harness.verbs import Pools

TARGET = TARGETS["intel-bochs"]


@dataclass
class Machine:
    """A Linux and the verbs on it, as far as sharing looks at them."""

    number: int
    enabled: bool = False
    used: int = 0
    cpus: bytes = b"0-1\n"
    sick: bool = False
    closed: bool = False
    log: str = ""
    steps: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.uart = SimpleNamespace(text=lambda start: self.log[start:])
        self.machine = SimpleNamespace(spec=TARGET.machine)

    def pools(self) -> Pools:
        return Pools(100, self.used, 100, 10)

    def destroy_all(self) -> None:
        pass

    def load_module(self) -> None:
        pass

    def enable(self, config: str) -> None:
        self.enabled, self.used = True, 50
        self.log += "Activating hypervisor\n"

    def disable(self) -> None:
        self.enabled, self.used = False, 0

    def get(self, path: str) -> bytes:
        assert path == module.ONLINE
        return self.cpus

    def check_health(self) -> None:
        if self.sick:
            raise GuestSick("an oops")

    def mark(self) -> None:
        pass

    def on_step(self, text: str) -> None:
        self.steps.append(text)


@pytest.fixture
def pool(monkeypatch: pytest.MonkeyPatch) -> Shared:
    """Its machines are numbered as they are booted."""
    booted: list[Machine] = []

    def boot(variant: object, tell: Any) -> Machine:
        booted.append(Machine(len(booted) + 1))
        tell(booted[-1])
        return booted[-1]

    def shut(machine: Machine) -> None:
        machine.closed = True

    lab = SimpleNamespace(target=TARGET, linux=boot)
    run = SimpleNamespace(lab=lambda target: lab, variant=lambda: None)
    monkeypatch.setattr(module, "Jailhouse", lambda linux: linux)
    monkeypatch.setattr(module, "shut", shut)
    return Shared(run)  # type: ignore[arg-type]


def enabled(pool: Shared) -> Any:
    """What a test with the `jailhouse` fixture gets."""
    machine: Any = pool.get(TARGET, lambda linux: None, enabled=True)
    machine.uart.end = len(machine.log)
    pool.enable(machine, "root")
    return machine


def test_a_clean_machine_stays_and_stays_enabled(pool: Shared) -> None:
    first = enabled(pool)
    pool.release(first, keep=True)
    assert enabled(pool) is first
    assert first.log.count("Activating") == 1


@pytest.mark.parametrize(
    "spoil", [{"cpus": b"0\n"}, {"sick": True}], ids=["a CPU offline", "an oops"]
)
def test_what_cannot_be_repaired_is_replaced(pool: Shared, spoil: dict[str, Any]) -> None:
    first = enabled(pool)
    for name, value in spoil.items():
        setattr(first, name, value)
    second = enabled(pool)
    assert (second.number, first.closed) == (2, True)
    assert any(step.startswith("replaced: ") for step in first.steps)


def test_pages_left_behind_fail_the_test_that_left_them(pool: Shared) -> None:
    first = enabled(pool)
    first.used += 1
    with pytest.raises(ProductFailure, match="left behind"):
        pool.release(first, keep=True)
    assert enabled(pool).number == 2


def test_a_tests_own_enable_is_not_believed(pool: Shared) -> None:
    """It may have been with another configuration, and use as many pages."""
    first = enabled(pool)
    first.disable()
    first.enable("other")
    assert enabled(pool) is first
    assert first.log.count("Activating") == 3


def test_a_test_at_the_linux_stage_finds_it_off(pool: Shared) -> None:
    first = enabled(pool)
    assert pool.get(TARGET, lambda linux: None) is first
    assert not first.enabled
