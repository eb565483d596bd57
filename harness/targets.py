# SPDX-License-Identifier: GPL-2.0-only
"""Named combinations of machine, engine, image and root configuration."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

from harness import provision
from harness.engines import Accelerator, Clock, Engine, yielding
from harness.engines.bochs import rom, tree
from harness.errors import Unsupported
from harness.machine import (
    BOCHS_X86,
    IMX8MP,
    INTEL_X86,
    QEMU_ARM64_GICV2,
    QEMU_ARM64_GICV3,
    QEMU_X86,
    ZCU102,
    MachineSpec,
    Role,
)
from harness.probes import (
    Judgement,
    bochs_possible,
    svm_possible_in_kvm,
    vmx_possible_in_kvm,
)
from harness.programs import PROGRAMS, Programs


def _always() -> Judgement:
    return Judgement(True, ("TCG emulates SVM with nested paging on any host",))


def _arm64() -> Judgement:
    return Judgement(True, ("TCG emulates EL2 with stage 2 on any host",))


@dataclass(frozen=True)
class Target:
    """What tests run on. `engine` names an emulator of `harness.provision`."""

    name: str
    machine: MachineSpec
    engine: str
    accelerator: Accelerator
    image: str
    root_config: str
    probe: Callable[[], Judgement]
    clock: Clock = Clock.WALL
    #: Part of a run that names no target.
    default: bool = True
    #: What of the tests such a run does on it: a list in testsuites/shares; empty: all.
    share: str = ""
    #: What of the CPU the hypervisor needs: svm, vmx, el2.
    extension: str = "svm"
    #: The target that this one runs beside: only tests that it cannot carry are for this one.
    beside: str = ""

    @property
    def board(self) -> bool:
        """Whether it is a board, for `make test-boards`."""
        return self.machine.device_tree is not None

    @property
    def architecture(self) -> str:
        """What its hypervisor, inmates and configurations are built for."""
        return self.machine.architecture

    @property
    def programs(self) -> Programs:
        """The demos that run in its cells."""
        return PROGRAMS[self.architecture].on(self.machine.cpus)

    def judgement(self) -> Judgement:
        """Whether this host can run it, with the evidence."""
        return self.probe()

    def make_engine(self) -> Engine:
        """The engine, fetched on first use; Unsupported if this host can't run it."""
        judged = self.judgement()
        if not judged.possible:
            raise Unsupported(f"{self.name}: " + "; ".join(judged.reasons))
        if self.accelerator is Accelerator.BOCHS:
            bochs = tree.bochs()
            argv, version, env = bochs.argv(rom.preload()), bochs.version, bochs.env
        else:
            qemu = provision.engine(self.engine)
            argv, version, env = qemu.argv, qemu.version, qemu.env
        spins = self.accelerator is Accelerator.TCG and self.clock is Clock.WALL
        return Engine(
            argv, version, self.accelerator, self.clock, env, self.extension,
            yielding.plugin() if spins else None,
        )  # fmt: skip

    @property
    def capabilities(self) -> frozenset[str]:
        """Features tests may ask for, by name: the engine's and the machine's."""
        machine = self.machine
        hardware = {"network": machine.nics, "disk": machine.disks, "hda": machine.audio,
                    "ne2k": machine.ne2k,
                    "root-shell": machine.serial(Role.ROOT_CONSOLE)
                    is not machine.serial(Role.COMMAND_CHANNEL)}  # fmt: skip
        found = {name for name, there in hardware.items() if there}
        found |= {f"cpus-{number}" for number in range(1, machine.cpus + 1)}
        return self.make_engine().capabilities | found

    def counted(self) -> Target:
        """The same target with counted time: its TSC or counter ticks once a nanosecond."""
        return replace(self, clock=Clock.ICOUNT, machine=self.machine.counted())


_AMD = Target(
    "amd-tcg", QEMU_X86, "qemu-x86", Accelerator.TCG, "qemu-x86", "qemu-x86", _always
)

TARGETS: dict[str, Target] = {
    target.name: target
    for target in (
        _AMD,
        # Nobody talks to a guest whose time is counted: the answer would come at another
        # instruction each time. testsuites/jitter uses it by name.
        replace(_AMD, name="amd-icount", default=False).counted(),
        Target(
            "amd-kvm", replace(QEMU_X86, tsc_khz=None), "qemu-x86", Accelerator.KVM, "qemu-x86",
            "qemu-x86", svm_possible_in_kvm,
        ),
        Target(
            "arm64-gicv3", QEMU_ARM64_GICV3, "qemu-arm64", Accelerator.TCG, "arm64",
            "qemu-arm64-gicv3", _arm64, share="arm64-gicv3", extension="el2",
        ),
        Target(
            "arm64-gicv2", QEMU_ARM64_GICV2, "qemu-arm64", Accelerator.TCG, "arm64",
            "qemu-arm64-gicv2", _arm64, share="arm64-gicv2", extension="el2",
        ),
        Target(
            "intel-bochs", BOCHS_X86, "bochs", Accelerator.BOCHS, "bochs-x86", "bochs-x86",
            bochs_possible, share="intel-bochs", extension="vmx",
        ),
        Target(
            "intel-bochs-smp", replace(BOCHS_X86, cpus=4), "bochs", Accelerator.BOCHS,
            "bochs-x86", "bochs-x86", bochs_possible, share="intel-bochs-smp", extension="vmx",
            beside="intel-bochs",
        ),
        Target(
            "intel-kvm", INTEL_X86, "qemu-x86", Accelerator.KVM, "qemu-x86", "qemu-x86-vtd",
            vmx_possible_in_kvm, default=False, extension="vmx",
        ),
        *(
            Target(
                name, machine, "qemu-arm64", Accelerator.TCG, "arm64-boards", machine.name,
                _arm64, default=False, share=name, extension="el2",
            )
            for name, machine in (("zcu102", ZCU102), ("imx8mp", IMX8MP))
        ),
    )
}  # fmt: skip

#: Machines, images and configurations of others, with counted time: see amd-icount.
TARGETS["arm64-icount"] = replace(
    TARGETS["arm64-gicv3"].counted(), name="arm64-icount", default=False, share=""
)


def runnable() -> list[Target]:
    """Every target of a default run that this host can run."""
    return [target for target in TARGETS.values() if target.default and target.judgement().possible]


def report() -> str:
    """All targets with their evidence, for people."""
    lines = []
    for target in TARGETS.values():
        judged = target.judgement()
        lines.append(
            f"{target.name}: {'can run here' if judged.possible else 'can not run here'} "
            f"({target.machine.name}, {target.accelerator.value}, {target.clock.value} clock)"
        )
        lines += [f"    {reason}" for reason in judged.reasons]
    return "\n".join(lines)
