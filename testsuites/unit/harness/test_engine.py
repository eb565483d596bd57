# SPDX-License-Identifier: GPL-2.0-only
"""The renderer against command lines that people have checked."""

from dataclasses import replace
from itertools import pairwise
from pathlib import Path

import pytest

from harness.engines import Accelerator, Boot, Clock, Engine, Wiring, yielding
from harness.engines.qemu import render
from harness.errors import Unsupported
from harness.machine import (
    BOCHS_X86,
    INTEL_X86,
    MACHINES,
    QEMU_ARM64_GICV2,
    QEMU_ARM64_GICV3,
    QEMU_X86,
    MmioSlot,
    Role,
)

ENGINE = Engine(("qemu-system-x86_64",), (10, 0, 13))
BOOT = Boot(Path("/k/vmlinux"), Path("/r/initrd"), "console=ttyS1,115200 quiet")
WIRING = Wiring(Path("/r"))

GOLDEN = """\
qemu-system-x86_64
-name qemu-x86
-nodefaults -no-user-config -display none -no-reboot
-d cpu_reset
-machine q35
-accel tcg,thread=multi
-cpu max,-la57,-erms,-fsrm
-smp 4
-m 1024M
-chardev socket,id=qmp,path=/r/qmp.sock,server=off
-mon chardev=qmp,mode=control
-chardev pipe,id=serial0,path=/r/hypervisor-console
-device isa-serial,chardev=serial0,index=0,iobase=0x3f8,irq=4
-chardev pipe,id=serial1,path=/r/root-console
-device isa-serial,chardev=serial1,index=1,iobase=0x2f8,irq=3
-chardev pipe,id=serial2,path=/r/inmate-console
-device isa-serial,chardev=serial2,index=2,iobase=0x3e8,irq=4
-chardev pipe,id=serial3,path=/r/command-channel
-device isa-serial,chardev=serial3,index=3,iobase=0x2e8,irq=5
-netdev user,id=net0,restrict=on,hostfwd=tcp:127.0.0.1:0-:22
-device e1000e,id=nic0,netdev=net0,addr=02.0,romfile=
-audiodev none,id=audio0
-device intel-hda,addr=1b.0
-device hda-duplex,audiodev=audio0
-drive file=/r/disk.img,if=none,id=disk0,format=raw,cache=unsafe
-device ide-hd,drive=disk0,bus=ide.0
-kernel /k/vmlinux
-initrd /r/initrd
-append"""

GOLDEN_ARM64 = """\
qemu-system-aarch64
-name qemu-arm64-gicv3
-nodefaults -no-user-config -display none -no-reboot
-d cpu_reset
-machine virt,virtualization=on,its=off,gic-version=3
-accel tcg,thread=multi
-cpu cortex-a57
-smp 4
-m 1024M
-chardev socket,id=qmp,path=/r/qmp.sock,server=off
-mon chardev=qmp,mode=control
-chardev pipe,id=serial0,path=/r/root-console
-serial chardev:serial0
-chardev pipe,id=serial1,path=/r/hypervisor-console
-serial chardev:serial1
-chardev pipe,id=serial2,path=/r/command-channel
-device virtio-serial-device,id=vserial2,bus=virtio-mmio-bus.30
-device virtserialport,chardev=serial2,name=command-channel,bus=vserial2.0
-netdev user,id=net0,restrict=on,hostfwd=tcp:127.0.0.1:0-:22
-device virtio-net-device,id=nic0,netdev=net0,bus=virtio-mmio-bus.31
-drive file=/r/disk.img,if=none,id=disk0,format=raw,cache=unsafe
-device virtio-blk-device,drive=disk0,bus=virtio-mmio-bus.29
-kernel /k/vmlinux
-initrd /r/initrd
-append"""


def lines(argv: list[str]) -> str:
    """One option a line, as above; the kernel's command line is cut off."""
    return " ".join(argv[:-1]).replace(" -", "\n-")


def test_reference_machine() -> None:
    argv = render(QEMU_X86, ENGINE, BOOT, WIRING)
    assert lines(argv) == "\n".join(GOLDEN.replace(" -", "\n-").splitlines())
    assert argv[-1] == "console=ttyS1,115200 quiet"


def test_arm64() -> None:
    engine = replace(ENGINE, argv=("qemu-system-aarch64",))
    argv = render(QEMU_ARM64_GICV3, engine, BOOT, WIRING)
    assert lines(argv) == "\n".join(GOLDEN_ARM64.replace(" -", "\n-").splitlines())


def test_the_gic_versions_differ_in_one_word() -> None:
    gicv2 = render(QEMU_ARM64_GICV2, ENGINE, BOOT, WIRING)
    gicv3 = render(QEMU_ARM64_GICV3, ENGINE, BOOT, WIRING)
    renamed = [word.replace("gicv2", "gicv3").replace("version=2", "version=3") for word in gicv2]
    assert renamed == gicv3 != gicv2


def test_uarts_of_a_board_that_nobody_uses_come_in_between() -> None:
    argv = render(MACHINES["imx8mp"], ENGINE, replace(BOOT, device_tree=Path("/r/b.dtb")), WIRING)
    assert [argv[n + 1] for n, word in enumerate(argv) if word == "-serial"] == [
        "chardev:unused0", "chardev:serial0", "chardev:serial1", "chardev:serial2",
    ]  # fmt: skip
    assert argv[argv.index("-dtb") + 1] == "/r/b.dtb"


def test_cards_of_a_board() -> None:
    text = " ".join(render(MACHINES["zynqmp-zcu102"], ENGINE, BOOT, WIRING))
    unused = "-net nic,model=cadence_gem "
    assert text.count(unused) == 3
    assert text.index(unused) < text.index("-net nic,netdev=net0,model=cadence_gem")
    assert "-audiodev none,id=audio0" in text


def test_kvm_differs_in_accelerator_and_cpu_only() -> None:
    tcg = render(QEMU_X86, ENGINE, BOOT, WIRING)
    kvm = render(QEMU_X86, replace(ENGINE, accelerator=Accelerator.KVM), BOOT, WIRING)
    assert [pair for pair in zip(tcg, kvm, strict=True) if pair[0] != pair[1]] == [
        ("q35", "q35,kernel_irqchip=split"),
        ("tcg,thread=multi", "kvm"),
        ("max,-la57,-erms,-fsrm", "host"),
    ]


def test_spinning_cpus_yield_where_time_is_the_hosts() -> None:
    engine = replace(ENGINE, plugin=Path("/c/yielding.so"))
    plain, with_it = (render(QEMU_X86, one, BOOT, WIRING) for one in (ENGINE, engine))
    at = with_it.index("-plugin")
    assert with_it[at + 1] == "/c/yielding.so,arch=x86"
    assert with_it[:at] + with_it[at + 2 :] == plain
    for other in ({"clock": Clock.ICOUNT}, {"accelerator": Accelerator.KVM}):
        assert "-plugin" not in render(QEMU_X86, replace(engine, **other), BOOT, WIRING)


def test_the_plugin_is_compiled_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("JAILHOUSE_CACHE", str(tmp_path))
    yielding.plugin.cache_clear()
    made = yielding.plugin()
    stamp = made.stat().st_mtime_ns
    yielding.plugin.cache_clear()
    assert yielding.plugin() == made
    assert made.stat().st_mtime_ns == stamp
    assert [path.suffix for path in sorted(made.parent.iterdir())] == [".lock", ".so"]
    yielding.plugin.cache_clear()


def test_vtd_is_one_device_more() -> None:
    """Ahead of all others: QEMU wants the IOMMU before devices that it translates for."""
    plain = render(QEMU_X86, ENGINE, BOOT, WIRING)
    vtd = render(INTEL_X86, ENGINE, BOOT, WIRING)
    at = vtd.index("intel-iommu,intremap=on") - 1
    assert vtd[at] == "-device"
    assert at < vtd.index("-netdev")
    assert [word.replace("qemu-x86-vtd", "qemu-x86") for word in vtd[:at] + vtd[at + 2 :]] == plain


def test_counted_time() -> None:
    argv = render(QEMU_X86, replace(ENGINE, clock=Clock.ICOUNT), BOOT, WIRING)
    text = " ".join(argv)
    assert "-accel tcg,thread=single -icount shift=4,sleep=off" in text
    assert "-rtc base=2024-01-01,clock=vm -seed 1" in text
    assert "-machine q35 -accel" in text


def test_counted_time_on_arm64_has_no_seeds_in_its_device_tree() -> None:
    spec = QEMU_ARM64_GICV3.counted()
    text = " ".join(render(spec, replace(ENGINE, clock=Clock.ICOUNT), BOOT, WIRING))
    assert "-machine virt,virtualization=on,its=off,gic-version=3,dtb-randomness=off " in text
    assert "-cpu cortex-a57,cntfrq=1000000000 " in text
    words = tuple(word for word in QEMU_X86.kernel_parameters if word != "tsc=reliable")
    assert len(words) == len(QEMU_X86.kernel_parameters) - 1
    counted = replace(QEMU_X86, tsc_khz=1_000_000, kernel_parameters=words)
    assert QEMU_X86.counted() == counted


@pytest.mark.parametrize(
    "engine",
    [
        replace(ENGINE, clock=Clock.ICOUNT, version=(7, 2, 0)),
        replace(ENGINE, clock=Clock.ICOUNT, accelerator=Accelerator.KVM),
    ],
)
def test_counted_time_is_refused_where_it_does_not_work(engine: Engine) -> None:
    with pytest.raises(Unsupported):
        render(QEMU_X86, engine, BOOT, WIRING)


def test_rendering_is_pure() -> None:
    first = render(QEMU_X86, ENGINE, BOOT, WIRING)
    assert first == render(QEMU_X86, ENGINE, BOOT, WIRING)


def test_command_line_follows_the_hardware() -> None:
    words = QEMU_X86.command_line()
    assert "console=ttyS1,115200" in words
    assert "jailhouse.agent=ttyS3" in words
    assert "memmap=82M$0x3a000000" in words
    assert "memmap" not in " ".join(replace(QEMU_X86, reservation=None).command_line())


def test_linux_gets_what_lies_below_the_reservation() -> None:
    words = QEMU_ARM64_GICV2.command_line()
    assert "console=ttyAMA0,115200" in words
    assert "jailhouse.agent=command-channel" in words
    assert "mem=768M" in words


def test_virtio_transports() -> None:
    # hw/arm/virt.c: 32 transports of 0x200 bytes, SPI 16 (INTID 48) and up.
    last = MmioSlot(31)
    assert (last.base, last.intid) == (0x0A003E00, 79)
    assert MmioSlot.at(last.base) == last


@pytest.mark.parametrize("spec", MACHINES.values(), ids=lambda spec: spec.name)
def test_ports_do_not_collide(spec) -> None:  # type: ignore[no-untyped-def]
    bases = sorted(port.base for port in spec.serials)
    assert all(after - before >= 8 for before, after in pairwise(bases))
    assert len({port.name for port in spec.serials}) == len(spec.serials)
    # Ports that Linux opens share no interrupt with any other, or, where interrupts are
    # fixed, with none that raises it.
    opened = [spec.serial(role) for role in (Role.ROOT_CONSOLE, Role.COMMAND_CHANNEL)]
    others = opened if spec is BOCHS_X86 else spec.serials
    for port in opened:
        assert [other.base for other in others if other.irq == port.irq] == [port.base]
