# SPDX-License-Identifier: GPL-2.0-only
"""Renders a machine as a QEMU command line: a pure function, golden-tested."""

from __future__ import annotations

from harness.engines import Accelerator, Boot, Clock, Engine, Wiring
from harness.errors import Unsupported
from harness.machine import MachineSpec

#: Shift of counted time: 2**4 ns for one instruction.
ICOUNT_SHIFT = 4


def render(spec: MachineSpec, engine: Engine, boot: Boot, wiring: Wiring) -> list[str]:
    """The command line that runs `spec` in `engine`."""
    return [
        *engine.argv,
        "-name", spec.name,
        "-nodefaults", "-no-user-config", "-display", "none", "-no-reboot",
        "-machine", spec.machine + (",kernel_irqchip=split" if _kvm(engine) else ""),
        *_time(engine),
        "-cpu", "host" if _kvm(engine) else spec.cpu,
        "-smp", str(spec.cpus),
        "-m", f"{spec.memory_mib}M",
        "-chardev", f"socket,id=qmp,path={wiring.qmp},server=off",
        "-mon", "chardev=qmp,mode=control",
        *_serials(spec, wiring),
        *_devices(spec, wiring),
        "-kernel", str(boot.kernel),
        "-initrd", str(boot.initrd),
        "-append", boot.command_line,
    ]  # fmt: skip


def _kvm(engine: Engine) -> bool:
    return engine.accelerator is Accelerator.KVM


def _time(engine: Engine) -> list[str]:
    if engine.clock is Clock.WALL:
        accel = "kvm" if _kvm(engine) else "tcg,thread=multi"
        return ["-accel", accel]
    if _kvm(engine):
        raise Unsupported("counted time needs TCG")
    if engine.version < (10, 0, 0):
        raise Unsupported("counted time with several x86 CPUs needs QEMU 10")
    return [
        "-accel", "tcg,thread=single",
        "-icount", f"shift={ICOUNT_SHIFT},sleep=off",
        "-rtc", "base=2024-01-01,clock=vm",
        "-seed", "1",
    ]  # fmt: skip


def _serials(spec: MachineSpec, wiring: Wiring) -> list[str]:
    words: list[str] = []
    for index, port in enumerate(spec.serials):
        path = wiring.serial(port.name)
        words += [
            "-chardev", f"pipe,id=serial{index},path={path}",
            "-device",
            f"isa-serial,chardev=serial{index},index={index},"
            f"iobase={port.base:#x},irq={port.irq}",
        ]  # fmt: skip
    return words


def _devices(spec: MachineSpec, wiring: Wiring) -> list[str]:
    words: list[str] = []
    for index, nic in enumerate(spec.nics):
        words += [
            "-netdev",
            f"user,id=net{index},restrict=on,hostfwd=tcp:127.0.0.1:0-:22",
            "-device",
            f"{nic.model},id=nic{index},netdev=net{index},addr={nic.slot},romfile=",
        ]
    if spec.audio is not None:
        words += [
            "-audiodev", "none,id=audio0",
            "-device", f"intel-hda,addr={spec.audio.slot}",
            "-device", f"{spec.audio.codec},audiodev=audio0",
        ]  # fmt: skip
    for index, disk in enumerate(spec.disks):
        words += [
            "-drive", f"file={wiring.disk},if=none,id=disk{index},format=raw,snapshot=on",
            "-device", f"ide-hd,drive=disk{index},bus={disk.port}",
        ]  # fmt: skip
    return words
