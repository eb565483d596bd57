# SPDX-License-Identifier: GPL-2.0-only
"""The stages of a machine's life: machine, linux, jailhouse.

A stage is asked for; how it comes about (a boot today, a checkpoint later) is
this module's affair.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path

from harness import image as images
from harness.deadlines import scaled
from harness.emulator import BootImage, Emulator
from harness.errors import EmulatorErratum, Verdict
from harness.guest.linux import Access, Linux
from harness.hang.attach import explain
from harness.image import Artifacts
from harness.machine import MachineSpec
from harness.provision import DEFAULT_KERNEL
from harness.targets import Target
from harness.verbs import Jailhouse

#: In a run's folder: boots that were made again, one a line.
REPEATED = "repeated-boots.txt"


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
    #: False: no memory is kept from Linux.
    reserved: bool = True

    def machine(self, spec: MachineSpec) -> MachineSpec:
        return replace(
            spec,
            cpus=self.cpus or spec.cpus,
            cpu=self.cpu or spec.cpu,
            reservation=spec.reservation if self.reserved else None,
        )

    def command_line(self, spec: MachineSpec, image: str) -> str:
        words = [*spec.command_line(), *image.split(), *self.parameters]
        return " ".join(
            word
            for word in words
            if word not in self.without and word.partition("=")[0] not in self.without
        )


@dataclass
class Lab:
    """What every boot of a run shares: the target, the artifacts, the results."""

    target: Target
    artifacts: Callable[[str], Artifacts]
    results: Path
    prefix: str = "main"
    progress: Callable[[str], None] = lambda text: None
    _count: int = field(default=0, init=False)

    def machine(self, variant: Variant, artifacts: Artifacts | None = None) -> Linux:
        """Start a machine; the Linux in it has not answered yet."""
        built = artifacts or self.artifacts(variant.kernel)
        image = images.build(self.target.image, variant.kernel, built, self.progress)
        spec = variant.machine(self.target.machine)
        # The ELF kernel boots seconds faster, but only the bzImage randomises addresses.
        randomised = "nokaslr" in variant.without
        boot = BootImage(
            kernel=image.kernel.image if randomised else image.payload,
            write_initrd=image.write_initrd,
            command_line=variant.command_line(spec, image.cmdline),
            disk=images.raw_disk(),
        )
        self._count += 1
        folder = self.results / "machines" / f"{self.prefix}-{self._count}"
        machine = Emulator(spec, self.target.make_engine(), boot, folder)
        machine.start()
        keys = image.keys
        linux = Linux(machine, Access(keys.user, keys.host_public), image.release)
        linux.builds = built.trees
        return linux

    def linux(
        self,
        variant: Variant,
        artifacts: Artifacts | None = None,
        tell: Callable[[Linux], None] = lambda linux: None,
    ) -> Linux:
        """A booted Linux whose serial channel answers; the caller closes its machine.

        A boot that a known defect of the emulator ends is repeated once, and that is
        said: on the terminal and in the run's `repeated-boots.txt`. `tell` hears of
        each machine before it has booted.
        """
        try:
            return self._boot(variant, artifacts, tell)
        except EmulatorErratum as error:
            self._say_repeated(str(error))
        return self._boot(variant, artifacts, tell)

    def _boot(
        self, variant: Variant, artifacts: Artifacts | None, tell: Callable[[Linux], None]
    ) -> Linux:
        linux = self.machine(variant, artifacts)
        try:
            tell(linux)
            linux.wait_booted()
            linux.mark()
        except BaseException as error:
            explain(linux, error, [linux.machine.results])
            shut(linux)
            raise
        return linux

    def _say_repeated(self, why: str) -> None:
        line = f"boot {self.prefix}-{self._count} repeated: emulator erratum {why}"
        self.progress(line)
        with (self.results / REPEATED).open("a") as file:
            file.write(line.splitlines()[0] + "\n")

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
