# SPDX-License-Identifier: GPL-2.0-only
"""The hang report: what a machine was doing when somebody waited for it in vain.

`collect()` stops the machine for some milliseconds a few times, and needs
nothing of its guest. What it finds goes to people as text (`hang.txt`) and to
programs as JSON (`hang.json`).
"""

from __future__ import annotations

import json
import re
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path

from harness import artifacts, provision
from harness.emulator import Emulator
from harness.errors import Verdict
from harness.hang.hypervisor import Cell, HvCpu, Hypervisor, NoHypervisor, located
from harness.hang.kernel import Kernel, NoKernel, Task
from harness.hang.kernel_arm64 import Arm64Kernel
from harness.hang.kernel_x86 import X86Kernel
from harness.hang.layout import NoLayout
from harness.hang.memory import Memory, NotMapped, Paged, Physical, u32
from harness.hang.program import FRAMES, Place, Program, opened
from harness.hang.registers import Cpu, parse
from harness.hang.states import Blocked, CpuSample, Kind, Mode, Sample, State, judge
from harness.machine import Role
from harness.provision import KERNEL_SUITES, KernelTree

SAMPLES = 3
#: Seconds that the machine runs between two samples.
APART = 0.1
#: WFI in A64 and A32 (DDI 0487, C6.2 and F5.1).
WFI = frozenset({0xD503207F, 0xE320F003})
#: Lines of each stream.
LINES = 25
_GENERAL_ONLY = re.compile(r"(?m)^(FPR|XMM|YMM|ZMM|FCW|Opmask).*\n")
_ESCAPES = re.compile(r"\x1b\[[0-9;?]*[A-Za-z]|[^\n\t\x20-\x7e]")


@dataclass
class Report:
    """What was found; `notes` say what could not be."""

    state: State
    error: str
    samples: list[Sample] = field(default_factory=list)
    blocked: list[Blocked] = field(default_factory=list)
    tasks: list[str] = field(default_factory=list)
    registers: str = ""
    #: Local APICs: a CPU that waits for ever may have lost its timer.
    apics: str = ""
    streams: dict[str, str] = field(default_factory=dict)
    emulator: str = ""
    notes: list[str] = field(default_factory=list)

    def json(self) -> str:
        """For programs; addresses are numbers."""
        return json.dumps({"version": 1, **asdict(self)}, indent=1) + "\n"

    def summary(self) -> str:
        """For people in a hurry: the state, and each CPU with its back trace."""
        parts = [f"state: {self.state}"]
        for sample in self.samples[-1:]:
            parts += [_cpu_text(cpu, self.state) for cpu in sample.cpus]
        return "\n\n".join(parts)

    def text(self) -> str:
        """For people."""
        parts = [self.summary(), f"waited for: {self.error.strip().splitlines()[0]}"]
        parts += [f"note: {note}" for note in self.notes]
        parts.append(self._history())
        parts += [f"blocked task {task.title}\n{_frames(task.frames)}" for task in self.blocked]
        if self.tasks:
            parts.append("tasks on CPUs or blocked, of all threads:\n  " + "\n  ".join(self.tasks))
        parts += [f"--- last lines of {name}\n{text}" for name, text in self.streams.items()]
        if self.emulator:
            parts.append(f"--- the emulator's output\n{self.emulator}")
        if self.apics:
            parts.append(f"--- local APICs at the last look\n{self.apics}")
        if self.registers:
            parts.append(f"--- registers at the last look\n{_GENERAL_ONLY.sub('', self.registers)}")
        return "\n\n".join(part for part in parts if part) + "\n"

    def _history(self) -> str:
        """Where each CPU was, look by look, and its exits meanwhile."""
        lines = []
        for sample in self.samples:
            places = [f"CPU {cpu.number} {_short(cpu)}" for cpu in sample.cpus]
            lines.append(f"  {sample.at:6.3f} s  " + "; ".join(places))
        return "looks:\n" + "\n".join(lines) if lines else ""


def _short(cpu: CpuSample) -> str:
    place = f" {cpu.place.name}" if cpu.place else ""
    exits = f" ({cpu.exits['total']} exits)" if cpu.exits else ""
    return f"{cpu.mode}{place}{' halted' if cpu.halted else ''}{exits}"


def _cpu_text(cpu: CpuSample, state: State) -> str:
    said = next((one.text for one in state.cpus if one.number == cpu.number), "")
    facts = [f"CPU {cpu.number}: {said}"]
    if cpu.cell:
        facts.append(f"  cell {cpu.cell!r}, {cpu.cell_state}")
    if cpu.task:
        facts.append(f"  task {cpu.task}")
    facts.append(f"  {cpu.mode}:")
    facts.append(_frames(cpu.frames))
    if cpu.guest_frames:
        facts += ["  came from its guest:", _frames(cpu.guest_frames)]
    if cpu.exits:
        counted = [f"{name} {count}" for name, count in cpu.exits.items() if count]
        facts.append("  exits: " + ", ".join(counted))
    return "\n".join(facts)


def _frames(frames: Sequence[Place]) -> str:
    return "\n".join(f"    {place}" for place in frames) or "    (no frame)"


# --- collecting


def collect(
    machine: Emulator, release: str, builds: Sequence[Path], error: BaseException
) -> Report:
    """Look at a machine. Never raises for what it finds or does not find.

    `release` names the guest's kernel; `builds` are build trees in which our
    binaries are looked for.
    """
    report = Report(State(Kind.NOTHING, ""), f"{type(error).__name__}: {error}")
    report.streams = {
        stream.name: _ESCAPES.sub("", stream.tail(LINES)).strip("\n")
        for stream in machine.streams.values()
        if stream.name != Role.COMMAND_CHANNEL
    }
    report.emulator = _output(machine)
    if not machine.alive:
        report.state = _ended(machine, report.emulator)
        return report
    try:
        _look(machine, release, builds, report)
    except Verdict as trouble:
        alive = machine.alive
        report.state = State(Kind.SILENT_EMULATOR, str(trouble)) if alive else _ended(
            machine, _output(machine))  # fmt: skip
    return report


def _output(machine: Emulator) -> str:
    path = machine.results / "emulator.log"
    return path.read_text(errors="replace")[-4000:].strip() if path.exists() else ""


def _ended(machine: Emulator, output: str) -> State:
    """A machine without an emulator: how it ended, in its own words."""
    if re.search(r"^Triple fault", output, re.MULTILINE):
        return State(Kind.TRIPLE_FAULT, "a CPU could not deliver an exception; the machine reset")
    try:
        machine.check_alive()
    except Verdict as error:
        return State(Kind.DEAD, str(error).splitlines()[0])
    return State(Kind.DEAD, "")


def _look(machine: Emulator, release: str, builds: Sequence[Path], report: Report) -> None:
    paused = machine.run_state == "paused"
    spec = machine.spec
    physical = Physical(machine.read_memory, len(spec.memory), spec.memory.start)
    scene = _Scene(machine, physical, _tree(release, spec.architecture), builds)
    blocked: list[dict[int, Blocked]] = []
    ran = 0.0
    try:
        for number in range(SAMPLES):
            if number and not paused:
                ran += _run(machine)
            machine.pause()
            physical.forget()
            report.registers = machine.registers()
            report.apics = machine.interrupt_controllers()
            cpus = scene.look(parse(report.registers, spec.architecture))
            report.samples.append(Sample(ran, cpus))
            if number in (0, SAMPLES - 1):
                tasks = scene.tasks()
                blocked.append(_blocked(tasks))
                report.tasks = [_task_line(t) for t in tasks if t.running or t.blocked]
    finally:
        if not paused:
            machine.resume()
    report.blocked = [task for pid, task in blocked[-1].items() if pid in blocked[0]]
    report.notes = scene.notes
    report.state = judge(report.samples, report.blocked)
    if paused:
        report.notes.append("the machine had been paused before")


def _run(machine: Emulator) -> float:
    """Let it run for a moment; returns the seconds."""
    began = time.monotonic()
    machine.resume()
    time.sleep(APART)
    return time.monotonic() - began


def _tree(release: str, architecture: str) -> KernelTree | None:
    for version in KERNEL_SUITES:
        if release.startswith(f"{version}."):
            return provision.kernel(version, artifacts.TOOLCHAINS[architecture].debian)
    return None


def _blocked(tasks: Sequence[Task]) -> dict[int, Blocked]:
    return {t.pid: Blocked(str(t), tuple(t.frames)) for t in tasks if t.blocked}


def _task_line(task: Task) -> str:
    return f"{task}: {'on a CPU' if task.running else 'blocked'}"


class _Scene:
    """What is common to all looks at one machine."""

    def __init__(
        self, machine: Emulator, physical: Physical, tree: KernelTree | None, builds: Sequence[Path]
    ) -> None:
        self._machine = machine
        self._physical = physical
        self._tree = tree
        self._builds = builds
        self._kernel: Kernel | None = None
        self._hypervisor: Hypervisor | None = None
        self._inmates: dict[str, Program | None] = {}
        self._arm = machine.spec.architecture == "arm64"
        self.notes: list[str] = []

    def _note(self, text: str) -> None:
        if text not in self.notes:
            self.notes.append(text)

    def look(self, cpus: Sequence[Cpu]) -> list[CpuSample]:
        """All CPUs of the stopped machine."""
        if not cpus:
            self._note("the emulator printed no registers")
            return []
        self._find_hypervisor(cpus)
        cells = self._cells()
        views = {cpu.number: self._view(cpu.number, cells) for cpu in cpus}
        self._kernel = self._find_kernel(cpus, views)
        return [self._sample(cpu, views[cpu.number]) for cpu in cpus]

    def tasks(self) -> list[Task]:
        try:
            return self._kernel.tasks() if self._kernel is not None else []
        except (NotMapped, NoLayout, KeyError) as error:
            self._note(f"Linux' tasks can not be read: {error}")
            return []

    # --- the parts

    def _find_hypervisor(self, cpus: Sequence[Cpu]) -> None:
        reservation = self._machine.spec.reservation
        self._hypervisor = None
        if reservation is None or not (self._arm or any(cpu.owned for cpu in cpus)):
            return
        elves = [path for root in self._builds for path in sorted(root.glob("hypervisor/*.elf"))]
        try:
            kept = range(reservation.start, reservation.start + reservation.size)
            start = located(self._physical, kept)
            found = Hypervisor(self._physical, start, elves, self._machine.spec.architecture)
            # No register that QEMU prints says on ARM whether it was disabled.
            self._hypervisor = found if not self._arm or found.active else None
        except (NoHypervisor, NotMapped, NoLayout) as error:
            if not self._arm or any(cpu.owned for cpu in cpus):
                self._note(str(error))

    def _cells(self) -> dict[int, Cell]:
        try:
            return self._hypervisor.cells() if self._hypervisor is not None else {}
        except (NotMapped, NoLayout, KeyError) as error:
            self._note(f"the hypervisor's cells can not be read: {error}")
            return {}

    def _view(self, number: int, cells: dict[int, Cell]) -> HvCpu | None:
        try:
            return self._hypervisor.cpu(number, cells) if self._hypervisor is not None else None
        except (NotMapped, NoLayout) as error:
            self._note(f"the hypervisor's data of CPU {number} can not be read: {error}")
            return None

    def _in_hypervisor(self, cpu: Cpu) -> bool:
        return cpu.owned and self._hypervisor is not None and self._hypervisor.holds(cpu.pc)

    def _guest(self, cpu: Cpu, view: HvCpu | None) -> Cpu:
        """The registers of the guest on a CPU, wherever the CPU is."""
        if view is not None and self._in_hypervisor(cpu):
            return type(cpu)(cpu.number, view.guest)
        return cpu

    def _find_kernel(self, cpus: Sequence[Cpu], views: dict[int, HvCpu | None]) -> Kernel | None:
        """Through the tables of the first CPU that leads to Linux."""
        if self._tree is None:
            self._note("no symbols of the guest's kernel")
            return None
        inside = [
            guest
            for cpu in cpus
            if (view := views[cpu.number]) is None or (view.cell is not None and view.cell.root)
            if (guest := self._guest(cpu, view)).wide
        ]
        try:
            return self._kernel_of(self._tree, inside)
        except (NoKernel, NotMapped, NoLayout) as error:
            self._note(str(error))
            return None

    def _kernel_of(self, tree: KernelTree, cpus: Sequence[Cpu]) -> Kernel:
        if self._arm:
            hints = [one.get(name) for one in cpus if not one.owned for name in ("PC", "X30")]
            return Arm64Kernel(tree, self._physical, self._machine.spec.memory, hints)
        why: Exception = NoKernel("no CPU is in Linux")
        for cpu in cpus:
            try:
                return X86Kernel(tree, self._physical, cpu["CR3"], cpu["IDT"])
            except (NoKernel, NotMapped) as error:
                why = error
        raise why

    # --- one CPU

    def _sample(self, cpu: Cpu, view: HvCpu | None) -> CpuSample:
        cell = view.cell if view is not None else None
        guest = self._guest(cpu, view)
        mode, frames = self._guest_trace(guest, cell)
        made = CpuSample(cpu.number, mode, cpu.halted, frames)
        if self._in_hypervisor(cpu) and self._hypervisor is not None:
            made.mode, made.frames = Mode.HYPERVISOR, self._hypervisor.trace(cpu)
            made.guest_frames = frames
        made.halted = made.halted or self._waits(cpu, made.mode, cell)
        if view is not None and cell is not None:
            made.cell, made.root, made.cell_state = cell.name, cell.root, cell.state
            made.failed, made.suspended = view.failed, view.suspended
            made.exits = view.counters
        if mode in (Mode.LINUX, Mode.USER) and self._kernel is not None:
            task = self._kernel.current(cpu.number)
            made.task = str(task) if task is not None else ""
        return made

    def _guest_trace(self, guest: Cpu, cell: Cell | None) -> tuple[Mode, list[Place]]:
        if not guest.values:
            return Mode.FIRMWARE, []  # in the hypervisor, and nothing in memory says where it was
        if cell is not None and not cell.root:
            return Mode.INMATE, self._inmate_trace(guest, cell)
        if self._kernel is None or not guest.wide:
            return Mode.FIRMWARE, [Place(guest.pc)]
        if guest.user:
            return Mode.USER, [Place(guest.pc, where="user")]
        return Mode.LINUX, self._kernel.trace(guest.values)

    def _waits(self, cpu: Cpu, mode: Mode, cell: Cell | None) -> bool:
        """Whether an ARM CPU is in WFI, which QEMU does not say: the instruction before."""
        memory = self._code(mode, cell) if self._arm else None
        try:
            return memory is not None and u32(memory, cpu.pc - 4) in WFI
        except NotMapped:
            return False

    def _code(self, mode: Mode, cell: Cell | None) -> Memory | None:
        """What a program counter in that mode points into, if it is known."""
        if mode is Mode.HYPERVISOR and self._hypervisor is not None:
            return self._hypervisor.memory
        if mode is Mode.INMATE and cell is not None:
            return cell.stage2
        if mode is Mode.LINUX and self._kernel is not None:
            return self._kernel.memory
        return None

    def _inmate_trace(self, guest: Cpu, cell: Cell) -> list[Place]:
        memory: Memory = cell.stage2  # on ARM our inmates' own tables change no address
        if guest.wide and not self._arm:
            memory = Paged(cell.stage2, guest["CR3"])
        program = self._inmate(cell, memory)
        address = guest.pc
        if program is None or not program.holds(address):
            return [Place(address, where=cell.name)]
        frames = program.places(address)
        if not guest.wide:
            return frames
        registers = program.unwind(guest.values, memory, top=True)
        while registers is not None and len(frames) < FRAMES:
            frames += program.places(program.pc(registers), returned=True)
            registers = program.unwind(registers, memory, top=False)
        return frames

    def _inmate(self, cell: Cell, memory: Memory) -> Program | None:
        """The inmate whose code is in the cell's memory."""
        if cell.name in self._inmates:
            return self._inmates[cell.name]
        found = None
        for path in (p for root in self._builds for p in sorted(root.glob("inmates/*/*/*.elf"))):
            program = opened(path, path.stem)
            try:
                if memory.read(program.start, len(program.code)) == program.code:
                    found = program
                    break
            except NotMapped:
                continue
        if found is None:
            self._note(f"no inmate of this build is in cell {cell.name!r}")
        self._inmates[cell.name] = found
        return found
