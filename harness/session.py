# SPDX-License-Identifier: GPL-2.0-only
"""The stages of a machine's life: machine, linux, jailhouse.

A stage is asked for; how it comes about (a boot or a checkpoint) is this
module's affair.
"""

from __future__ import annotations

import contextlib
import hashlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path

from harness import image as images
from harness.checkpoints import CheckpointDamaged, Saved, Store, key_of
from harness.deadlines import scaled
from harness.devicetree import adapted
from harness.emulator import BootImage
from harness.engines import Engine
from harness.engines.factory import new_machine
from harness.errors import EmulatorErratum, Verdict
from harness.fitting import fitted
from harness.guest.linux import Access, Linux
from harness.hang.attach import explain
from harness.image import Artifacts
from harness.machine import MachineSpec
from harness.provision import DEFAULT_KERNEL
from harness.targets import Target
from harness.verbs import Jailhouse

#: In a run's folder: boots that were made again and the like, one a line.
NOTES = "notes.txt"


@dataclass(frozen=True)
class Variant:
    """What may differ from a target's usual boot."""

    kernel: str = DEFAULT_KERNEL
    #: Kernel parameters to add.
    parameters: tuple[str, ...] = ()
    #: Kernel parameters to leave out, by their exact text or the part before "=".
    without: tuple[str, ...] = ()
    cpus: int | None = None
    cpu: str | None = None
    #: The emulator's machine with its options.
    board: str | None = None
    #: False: no memory is kept from Linux.
    reserved: bool = True

    def machine(self, spec: MachineSpec) -> MachineSpec:
        return replace(
            spec,
            cpus=self.cpus or spec.cpus,
            cpu=self.cpu or spec.cpu,
            machine=self.board or spec.machine,
            reservation=spec.reservation if self.reserved else None,
        )

    def command_line(self, spec: MachineSpec, image: str) -> str:
        words = [*spec.command_line(), *image.split(), *self.parameters]
        return " ".join(
            word
            for word in words
            if word not in self.without and word.partition("=")[0] not in self.without
        )


@dataclass(frozen=True)
class Plan:
    """One machine, ready to be started."""

    spec: MachineSpec
    engine: Engine
    boot: BootImage
    access: Access
    release: str
    #: Build trees of what is tested: see `Artifacts.trees`.
    builds: tuple[Path, ...]
    #: What its saved state depends on: see `checkpoints.key_of`.
    parts: dict[str, str]


def _device_tree(spec: MachineSpec, image: images.Image) -> bytes | None:
    if spec.device_tree is None:
        return None
    return adapted(spec.device_tree, image.kernel.device_tree(spec.device_tree.source))


@dataclass
class Lab:
    """What every boot of a run shares: the target, the artifacts, the results."""

    target: Target
    artifacts: Callable[[str], Artifacts]
    results: Path
    prefix: str = "main"
    progress: Callable[[str], None] = lambda text: None
    #: Where booted machines are saved and taken from; None: each is really booted.
    store: Store | None = None
    _count: int = field(default=0, init=False)

    def plan(self, variant: Variant, artifacts: Artifacts | None = None) -> Plan:
        """The machine of a variant; its image is built if it has to be."""
        built = artifacts or self.artifacts(variant.kernel)
        built = replace(built, configs=fitted(built.configs, self.target.machine))
        image = images.build(self.target.image, variant.kernel, built, self.progress)
        spec = variant.machine(self.target.machine)
        engine = self.target.make_engine()
        # The ELF kernel boots seconds faster, but only the bzImage randomises addresses.
        randomised = "nokaslr" in variant.without
        boot = BootImage(
            kernel=image.kernel.image if randomised else image.payload,
            write_initrd=image.write_initrd,
            command_line=variant.command_line(spec, image.cmdline),
            disk=images.raw_disk(),
            device_tree=_device_tree(spec, image),
        )
        parts = {
            "stage": "linux",
            "machine": repr(spec),
            "engine": f"{engine.title} {engine.argv[0]}",
            "image": image.identity,
            "kernel": boot.kernel.name,
            "keys": hashlib.sha256(image.keys.archive()).hexdigest(),
            "command line": boot.command_line,
            "disk": boot.disk.name,
        }
        access = Access(image.keys.user, image.keys.host_public)
        return Plan(spec, engine, boot, access, image.release, built.trees, parts)

    def machine(self, variant: Variant, artifacts: Artifacts | None = None) -> Linux:
        """Start a machine; the Linux in it has not answered yet."""
        return self._start(self.plan(variant, artifacts))

    def _start(self, plan: Plan, saved: Saved | None = None) -> Linux:
        self._count += 1
        folder = self.results / "machines" / f"{self.prefix}-{self._count}"
        machine = new_machine(plan.spec, plan.engine, plan.boot, folder)
        machine.start(saved)
        linux = Linux(machine, plan.access, plan.release)
        linux.builds = plan.builds
        return linux

    def linux(
        self,
        variant: Variant,
        artifacts: Artifacts | None = None,
        tell: Callable[[Linux], None] = lambda linux: None,
    ) -> Linux:
        """A booted Linux whose serial channel answers; the caller closes its machine.

        It comes from a checkpoint if the lab has a store and the engine can. A boot
        that a known defect of the emulator ends is repeated once. Whatever is not as
        usual is said: on the terminal and in the run's notes. `tell` hears of each
        machine before it is used.
        """
        plan = self.plan(variant, artifacts)
        if self.store is None:
            return self._booted(plan, tell)
        if "checkpoints" not in plan.engine.capabilities:
            self._note(f"{self.target.name}: {plan.engine.title} restores no checkpoints: booting")
            return self._booted(plan, tell)
        if not plan.spec.restorable:
            self._note(f"{self.target.name}: its machine restores no checkpoints: booting")
            return self._booted(plan, tell)
        return self._restored(self.store, plan, tell)

    def _restored(self, store: Store, plan: Plan, tell: Callable[[Linux], None]) -> Linux:
        key = key_of(plan.parts)
        damaged = False
        while True:
            with store.shared(key) as saved:
                if saved is not None and not damaged:
                    try:
                        return self._ready(self._start(plan, saved), tell, booted=False)
                    except CheckpointDamaged as error:
                        damaged = True
                        self._note(f"checkpoint dropped, booting instead: {error}")
            with store.locked(key):
                if damaged:
                    store.drop(key)
                if store.find(key) is None:
                    linux = self._booted(plan, tell)
                    store.add(key, plan.parts, linux.machine.save)
                    return linux
            # Another process made it while this one waited for the lock.

    def _booted(self, plan: Plan, tell: Callable[[Linux], None]) -> Linux:
        try:
            return self._ready(self._start(plan), tell)
        except EmulatorErratum as error:
            self._note(f"boot {self.prefix}-{self._count} repeated: emulator erratum {error}")
        return self._ready(self._start(plan), tell)

    def _ready(
        self, linux: Linux, tell: Callable[[Linux], None], booted: bool = True
    ) -> Linux:
        try:
            tell(linux)
            linux.wait_booted()
            if linux.machine.spec.after_boot and booted:
                linux.succeed(linux.machine.spec.after_boot)
            linux.mark()
        except BaseException as error:
            explain(linux, error, [linux.machine.results])
            shut(linux)
            raise
        return linux

    def _note(self, text: str) -> None:
        """Say something once: to people now, and in the run's summary."""
        line = text.splitlines()[0]
        notes = self.results / NOTES
        if notes.exists() and line in notes.read_text().splitlines():
            return
        self.progress(text)
        with notes.open("a") as file:
            file.write(line + "\n")

    @contextlib.contextmanager
    def booted(self, variant: Variant, artifacts: Artifacts | None = None) -> Iterator[Linux]:
        """`linux()` for a with statement."""
        linux = self.linux(variant, artifacts)
        try:
            yield linux
        finally:
            shut(linux)


def shut(linux: Linux) -> None:
    """End a machine without asking its guest."""
    linux.close()
    linux.machine.stop()


def power_off(linux: Linux, timeout: float = 20.0) -> None:
    """End a machine the orderly way."""
    with contextlib.suppress(Verdict):
        linux.serial.run("(sleep 0.2; poweroff -f) >/dev/null 2>&1 &", scaled(5))
    linux.machine.wait_end(scaled(timeout))
    shut(linux)


def restored(jailhouse: Jailhouse) -> None:
    """Bring a guest back to the linux stage: no cell, hypervisor off."""
    if jailhouse.enabled:
        jailhouse.destroy_all()
        jailhouse.disable()
