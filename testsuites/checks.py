# SPDX-License-Identifier: GPL-2.0-only
"""What system tests have in common: cells that run test inmates, raw accesses
from the root cell's kernel, and the check that everybody else survived.

A failed check raises ProductFailure or AssertionError; the tests of seeded
defects (test_seeded.py) rely on that.
"""

from __future__ import annotations

import contextlib
import fcntl
import json
import re
import struct
import time
from collections.abc import Callable, Collection, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from harness import artifacts as builds
from harness.deadlines import Deadline, scaled
from harness.errors import CommandTimeout, DeadlineExpired, ProductFailure
from harness.guest.linux import Linux
from harness.image import Artifacts
from harness.machine import Role
from harness.streams import Stream
from harness.targets import Target
from harness.verbs import CONFIGS, Jailhouse, JailhouseError, Pools

#: What a failed check raises.
FAILED = (ProductFailure, AssertionError, pytest.fail.Exception)
COMMAND_LINE = 0x1000
#: The hypervisor's image, by what it needs of the CPU.
IMAGES = {"svm": "jailhouse-amd.bin", "vmx": "jailhouse-intel.bin", "el2": "jailhouse.bin"}
#: Why a CPU is parked; ARM says what it was first (abi.md 11.1).
FATAL_LINES = r"^(?:FATAL: |Unhandled data |Attempt to route ).*$"
#: What the program `violate` does that ends its CPU at once, and what it may.
VIOLATION = {"x86": "port-in", "arm64": "write"}
HARMLESS = {"x86": "cr8", "arm64": "setway"}
_SCRIPTS = Path(__file__).parent / "guest"


# --- a cell and its programs


@dataclass
class Bench:
    """A cell in which test inmates run one after the other."""

    jailhouse: Jailhouse
    name: str
    number: int = -1
    #: Its only CPU, if it has one.
    cpu: int = -1
    #: Its inmates print to a UART of their own, where no line of the hypervisor cuts
    #: theirs; without, to the hypervisor's.
    own_uart: bool = True
    _inmate_mark: int = 0
    _uart_mark: int = 0

    @classmethod
    def create(
        cls, jailhouse: Jailhouse, name: str, config: str | None = None, own_uart: bool = True
    ) -> Bench:
        has_one = jailhouse.linux.machine.spec.own_console is not None
        bench = cls(jailhouse, name, own_uart=own_uart and has_one)
        bench.mark()
        jailhouse.create(config or name)
        cell = jailhouse.cell(name)
        bench.number = cell.id
        bench.cpu = int(cell.cpus) if cell.cpus.isdigit() else -1
        return bench

    @property
    def inmate(self) -> Stream:
        if self.own_uart:
            return self.jailhouse.linux.machine.streams[Role.INMATE_CONSOLE.value]
        return self.jailhouse.uart

    @property
    def state(self) -> str:
        return self.jailhouse.state(self.number)

    def mark(self) -> None:
        """Look only at what is said from now on."""
        self._inmate_mark = self.inmate.end
        self._uart_mark = self.jailhouse.uart.end

    def command_line(self, words: str = "") -> tuple[str, int]:
        """What an inmate of this cell is told, to be loaded with it."""
        port = self.jailhouse.linux.machine.spec.own_console
        # Nobody has set that one up.
        where = f"con-base={port.base:#x} con-divider=1 " if port and self.own_uart else ""
        return f"string:{where}{words}", COMMAND_LINE

    def load(self, image: str, words: str = "") -> None:
        self.jailhouse.load(self.number, image, self.command_line(words))

    def start(self) -> None:
        self.mark()
        self.jailhouse.start(self.number)

    def run(self, image: str, words: str = "") -> None:
        """Load and start a program with a command line."""
        self.load(image, words)
        self.start()

    def says(self, pattern: str, timeout: float = 10.0) -> re.Match[str]:
        """Wait for a line of the inmate, since the last run or mark."""
        return self.inmate.expect(pattern, timeout, self._inmate_mark)

    def hypervisor_says(self, pattern: str, timeout: float = 10.0) -> re.Match[str]:
        """Wait for a line on the hypervisor's console, since the last run or mark."""
        return self.jailhouse.uart.expect(pattern, timeout, self._uart_mark)

    def text(self) -> str:
        return self.inmate.text(self._inmate_mark)

    def hypervisor_text(self) -> str:
        return self.jailhouse.uart.text(self._uart_mark)

    def done(self, timeout: float = 20.0) -> str:
        """Wait for the program's verdict; its whole output if that is "ok"."""
        found = self.says(r"^(DONE|ERROR) (.*)\n", timeout)
        assert found[2].endswith(" ok"), self.text()
        return self.text()

    def stopped(self, timeout: float = 5.0) -> bool:
        """Whether the program ends in good order: its state comes after its last line."""
        deadline = Deadline.after(scaled(timeout))
        while self.state != "shut down" and not deadline.expired:
            time.sleep(0.02)
        return self.state == "shut down"

    def destroy(self) -> None:
        """Destroy it, asking twice if it has to be."""
        with contextlib.suppress(JailhouseError):
            self.jailhouse.destroy(self.number)
            return
        self.jailhouse.destroy(self.number)

    # --- forbidden accesses

    def outcome(self, what: str, image: str = "violate", timeout: float = 10.0) -> str:
        """Run one access and say how it ended: "FATAL ...", "exception N" or "survived".

        Waits for whichever comes first, so that a defect costs no deadline.
        """
        self.run(image, f"what={what}")
        deadline = Deadline.after(scaled(timeout))
        while not deadline.expired:
            parked = re.search(r"^(Parking CPU \d+ .*)\n", self.hypervisor_text(), re.M)
            if parked:
                lines = re.findall(FATAL_LINES, self.hypervisor_text(), re.M)
                return "\n".join([*lines, parked[1]])
            ended = re.search(r"^RESULT (.*(?:\nVALUE .*)?)\nDONE ", self.text(), re.M)
            if ended:
                return ended[1]
            self.inmate.wait(self.inmate.end, 0.02)
        raise DeadlineExpired(
            f"{what}: neither parked nor back in {deadline.elapsed():.1f} s\n{self.text()}"
            f"\n{self.hypervisor_text()}"
        )


def assert_parked(bench: Bench, outcome: str, fatal: str, cpu: int) -> None:
    """One fatal line with cell and CPU, that CPU parked, and no other."""
    lines = outcome.splitlines()
    assert lines[-1] == f'Parking CPU {cpu} (Cell: "{bench.name}")', outcome
    named = [line for line in lines if re.match(fatal, line)]
    assert named, f"no line {fatal!r} in\n{outcome}"
    assert f'"{bench.name}"' in outcome.rpartition("\n")[0], f"the cell is not named:\n{outcome}"
    assert f"CPU {cpu}" in outcome.rpartition("\n")[0], f"the CPU is not named:\n{outcome}"
    cell = bench.jailhouse.cell(bench.number)
    assert cell.cpus_failed == str(cpu)
    assert bench.jailhouse.cell(0).cpus_failed == ""


# --- everybody else


def errno_of(action: Callable[..., None], *arguments: object, **named: object) -> int:
    """The errno with which the driver or hypervisor refused; 0 if it did not."""
    try:
        action(*arguments, **named)
    except JailhouseError as error:
        return error.errno
    return 0


def cpu_list(cpus: Collection[int]) -> str:
    """CPUs as the kernel lists them: "0,2-3"."""
    runs: list[list[int]] = []
    for cpu in sorted(cpus):
        if runs and runs[-1][-1] == cpu - 1:
            runs[-1].append(cpu)
        else:
            runs.append([cpu])
    return ",".join(f"{run[0]}-{run[-1]}" if len(run) > 1 else f"{run[0]}" for run in runs)


def cpus_but(linux: Linux, *gone: int) -> str:
    """The machine's CPUs but these, as the kernel lists them."""
    return cpu_list(set(range(linux.machine.spec.cpus)) - set(gone))


def largest(linux: Linux) -> str:
    """The test cell with the most CPUs that the machine can carry beside Linux."""
    return "test-two" if linux.machine.spec.cpus >= 4 else "test-one"


def online(linux: Linux) -> str:
    return linux.succeed("cat /sys/devices/system/cpu/online").strip()


def survived(
    jailhouse: Jailhouse, before: Pools, config: str = "", again: bool = True
) -> None:
    """After a negative test: Linux answers, nothing is lost, enabling works again.

    `before` are the pools at a moment with the same cells as now.
    """
    linux = jailhouse.linux
    listed = linux.succeed("jailhouse cell list")
    assert listed.splitlines()[1].split()[0] == "0", listed
    assert jailhouse.pools() == before
    linux.check_consoles()
    if not again:
        return
    jailhouse.destroy_all()
    jailhouse.disable()
    assert online(linux) == cpus_but(linux)
    jailhouse.enable(config or root_name(linux))
    linux.check_health()


def root_name(linux: Linux) -> str:
    """Root configurations are called as the machines that they are for."""
    return linux.machine.spec.name


def root_config(linux: Linux, name: str = "") -> bytes:
    return linux.get(str(CONFIGS / f"{name or root_name(linux)}.cell"))


# --- hvcall.ko


@dataclass(frozen=True)
class Answer:
    """What hvcall.ko said: errno of the ioctl (0: carried out), result and value."""

    errno: int
    result: int
    value: int

    @property
    def parked(self) -> bool:
        """The CPU did not come back."""
        return self.errno == PARKED

    def check(self) -> Answer:
        assert self.errno == 0, self
        return self


#: ETIMEDOUT: the CPU did not come back.
PARKED = 110

Call = tuple[object, ...]
"""(operation, cpu, *arguments); operations as in driver/tests/hvcall.h."""

OPERATIONS = {
    "hypercall": 1, "create": 2, "rdmsr": 3, "wrmsr": 4, "in": 5, "out": 6, "read": 7,
    "write": 8, "cpuid": 9, "cr": 10, "xsetbv": 11, "create-at": 12,
}  # fmt: skip


@dataclass
class Hvcall:
    """Raw hypercalls and accesses of the root cell's kernel, in batches."""

    linux: Linux
    _ready: bool = field(default=False, init=False)

    def prepare(self) -> None:
        """Module and script are in the guest."""
        if not self._ready:
            module = f"/lib/modules/{self.linux.release}/updates/hvcall.ko"
            self.linux.succeed(f"grep -q ^hvcall /proc/modules || insmod {module}")
            self.linux.put(_SCRIPTS / "hvcall.py", "/tmp/hvcall.py")
            self._ready = True

    def batch(self, calls: Sequence[Call], timeout: float = 60.0) -> list[Answer]:
        """Carry out calls in order, all in one round trip."""
        self.prepare()
        records = [[OPERATIONS[str(name)], *rest] for name, *rest in calls]
        done = self.linux.run(
            ["python3", "/tmp/hvcall.py"], timeout, json.dumps(records).encode()
        ).check()
        return [Answer(*answer) for answer in json.loads(done.stdout)]

    def sacrifice(self, cpu: int, name: str, *arguments: int) -> Answer:
        """`one()` for what should park that CPU of the root cell.

        Whether it did is the hypervisor's console's to say. Linux cannot know that the
        CPU is gone: it waits for it with the next flush of address translations, and
        where that CPU kept the time, for ever. Stop the machine instead of asking on.
        """
        self.prepare()
        uart = self.linux.machine.stream(Role.HYPERVISOR_CONSOLE)
        mark = uart.end
        record = json.dumps([[OPERATIONS[name], cpu, *arguments]])
        self.linux.succeed(
            f"rm -f /tmp/answer; (sleep 0.3; echo '{record}' | python3 /tmp/hvcall.py >/tmp/answer.new; "
            "mv /tmp/answer.new /tmp/answer) >/dev/null 2>&1 &"
        )
        deadline = Deadline.after(scaled(20))
        while not deadline.expired:
            if f"Parking CPU {cpu} (" in uart.text(mark):
                return Answer(PARKED, 0, 0)
            if deadline.elapsed() > 3 and self._answered():
                return Answer(*json.loads(self.linux.succeed("cat /tmp/answer"))[0])
            time.sleep(0.1)
        raise DeadlineExpired(f"CPU {cpu} is neither parked nor back: {uart.tail()}")

    def _answered(self) -> bool:
        """Whether the sacrifice came back. The CPU may go just now: then Linux never says."""
        try:
            return self.linux.serial.run("test -s /tmp/answer", 2).ok
        except CommandTimeout:
            return False

    def one(self, name: str, *arguments: int, cpu: int = -1) -> Answer:
        return self.batch([(name, cpu, *arguments)])[0]

    def hypercall(self, code: int, first: int = 0, second: int = 0, cpu: int = -1) -> int:
        return signed32(self.one("hypercall", code, first, second, cpu=cpu).check().result)


def signed32(value: int) -> int:
    """The low 32 bits as a signed number: how callers read a hypercall's result."""
    number: int = struct.unpack("<i", struct.pack("<I", value & 0xFFFFFFFF))[0]
    return number


# --- other builds


@contextlib.contextmanager
def _locked(name: str) -> Iterator[None]:
    """Workers of one run build one after the other."""
    path = builds.build_root() / f".{name}.lock"
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield


def built_for(kernel: str, target: Target) -> Artifacts:
    """Artifacts for a kernel series that is not the run's."""
    with _locked("builds"):
        return builds.build(kernel, target.architecture)


def hypervisor_with(*words: str, extension: str = "svm") -> Path:
    """The image of a hypervisor built with configuration words."""
    arch = "arm64" if extension == "el2" else "x86"
    image = IMAGES[extension]
    with _locked("builds"):
        out = builds.hypervisor_variant(words, arch, image=image.removesuffix(".bin"))
    return out / "hypervisor" / image


@contextlib.contextmanager
def hypervisor_build(linux: Linux, *words: str) -> Iterator[None]:
    """While it lasts, the guest's firmware is a build with these words."""
    extension = linux.machine.engine.extension
    path = f"/lib/firmware/{IMAGES[extension]}"
    original = linux.get(path)
    linux.put(hypervisor_with(*words, extension=extension), path)
    try:
        yield
    finally:
        linux.put(original, path)
