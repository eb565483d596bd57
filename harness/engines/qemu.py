# SPDX-License-Identifier: GPL-2.0-only
"""Renders a machine as a QEMU command line: a pure function, golden-tested."""

from __future__ import annotations

from pathlib import Path

from harness.engines import Accelerator, Boot, Clock, Engine, Wiring
from harness.errors import Unsupported
from harness.machine import Disk, MachineSpec, MmioSlot, Nic, SerialPort, Uart

#: Shift of counted time: 2**4 ns for one instruction.
ICOUNT_SHIFT = 4


def render(spec: MachineSpec, engine: Engine, boot: Boot, wiring: Wiring) -> list[str]:
    """The command line that runs `spec` in `engine`."""
    return [
        *_processors(spec, engine),
        *_control(spec, wiring),
        *_serials(spec, wiring),
        *_devices(spec, wiring),
        "-kernel", str(boot.kernel),
        "-initrd", str(boot.initrd),
        *(["-dtb", str(boot.device_tree)] if boot.device_tree is not None else []),
        "-append", boot.command_line,
        *(["-incoming", "defer"] if boot.restore else []),
    ]  # fmt: skip


def render_bare(
    spec: MachineSpec, engine: Engine, program: Path, words: str, wiring: Wiring
) -> list[str]:
    """The command line that runs a multiboot program with `words` on the bare machine."""
    return [
        *_processors(spec, engine),
        *_control(spec, wiring),
        *_serials(spec, wiring),
        *_devices(spec, wiring),
        "-kernel", str(program),
        "-append", words,
    ]  # fmt: skip


def _processors(spec: MachineSpec, engine: Engine) -> list[str]:
    return [
        *engine.argv,
        "-name", spec.name,
        "-nodefaults", "-no-user-config", "-display", "none", "-no-reboot",
        # Only its log tells a triple fault from a reboot.
        "-d", "cpu_reset",
        "-machine", spec.machine + (",kernel_irqchip=split" if _kvm(engine) else ""),
        *_time(engine, spec.architecture),
        "-cpu", "host" if _kvm(engine) else spec.cpu,
        "-smp", str(spec.cpus),
        "-m", f"{spec.memory_mib}M",
    ]  # fmt: skip


def _control(spec: MachineSpec, wiring: Wiring) -> list[str]:
    if wiring.unattended:
        records = ["-chardev", f"file,id=records,path={wiring.debug_port}"]
        if spec.architecture == "arm64":
            return [*records, "-semihosting-config", "enable=on,target=native,chardev=records"]
        return [*records, "-device", "isa-debugcon,chardev=records,iobase=0xe9"]
    return [
        "-chardev", f"socket,id=qmp,path={wiring.qmp},server=off",
        "-mon", "chardev=qmp,mode=control",
    ]  # fmt: skip


def _kvm(engine: Engine) -> bool:
    return engine.accelerator is Accelerator.KVM


def _time(engine: Engine, arch: str) -> list[str]:
    if engine.clock is Clock.WALL:
        if _kvm(engine):
            return ["-accel", "kvm"]
        plugin = ["-plugin", f"{engine.plugin},arch={arch}"] if engine.plugin else []
        return ["-accel", "tcg,thread=multi", *plugin]
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
    board = 0
    kind = "file" if wiring.unattended else "pipe"
    for index, port in enumerate(spec.serials):
        words += ["-chardev", f"{kind},id=serial{index},path={wiring.serial(port.name)}"]
        # UARTs of the board that the machine does not use come in between.
        while port.kind is Uart.BOARD and board < port.position:
            # Not "-serial null", whose name may be that of one of ours.
            words += ["-chardev", f"null,id=unused{board}", "-serial", f"chardev:unused{board}"]
            board += 1
        words += _serial(index, port)
        board += port.kind is Uart.BOARD
    return words


def _serial(index: int, port: SerialPort) -> list[str]:
    if port.kind is Uart.BOARD:
        return ["-serial", f"chardev:serial{index}"]
    if port.kind is Uart.VIRTIO:
        slot = MmioSlot.at(port.base)
        return [
            "-device", f"virtio-serial-device,id=vserial{index},{_place(slot)}",
            "-device",
            f"virtserialport,chardev=serial{index},name={port.tty},bus=vserial{index}.0",
        ]  # fmt: skip
    return [
        "-device",
        f"isa-serial,chardev=serial{index},index={index},iobase={port.base:#x},irq={port.irq}",
    ]


def _place(slot: str | MmioSlot) -> str:
    """Where on its bus a device is."""
    return f"bus=virtio-mmio-bus.{slot.index}" if isinstance(slot, MmioSlot) else f"addr={slot}"


def _nic(index: int, nic: Nic) -> list[str]:
    netdev = f"user,id=net{index},restrict=on,hostfwd=tcp:127.0.0.1:0-:22"
    if isinstance(nic.slot, int):
        # Cards of the board take what there is in this order.
        unused = ["-net", f"nic,model={nic.model}"] * nic.slot
        return [*unused, "-netdev", netdev, "-net", f"nic,netdev=net{index},model={nic.model}"]
    rom = "" if isinstance(nic.slot, MmioSlot) else ",romfile="
    return [
        "-netdev", netdev,
        "-device", f"{nic.model},id=nic{index},netdev=net{index},{_place(nic.slot)}{rom}",
    ]  # fmt: skip


def _disk(index: int, disk: Disk, wiring: Wiring) -> list[str]:
    place = _place(disk.port) if isinstance(disk.port, MmioSlot) else f"bus={disk.port}"
    return [
        "-drive", f"file={wiring.disk},if=none,id=disk{index},format=raw,cache=unsafe",
        "-device", f"{disk.model},drive=disk{index},{place}",
    ]  # fmt: skip


def _devices(spec: MachineSpec, wiring: Wiring) -> list[str]:
    words: list[str] = ["-device", spec.iommu] if spec.iommu else []
    for index, nic in enumerate(spec.nics):
        words += _nic(index, nic)
    if spec.audio is not None or "audiodev=audio0" in spec.machine:
        words += ["-audiodev", "none,id=audio0"]
    if spec.audio is not None:
        words += [
            "-device", f"intel-hda,addr={spec.audio.slot}",
            "-device", f"{spec.audio.codec},audiodev=audio0",
        ]  # fmt: skip
    for index, disk in enumerate(spec.disks):
        words += _disk(index, disk, wiring)
    for device in spec.devices:
        words += ["-device", device]
    return words
