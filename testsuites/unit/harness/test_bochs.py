# SPDX-License-Identifier: GPL-2.0-only
"""Bochs: what is rendered for it, what lies in its memory, what its debugger says."""

import os
import signal
import struct
import subprocess
import sys
import threading
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from harness.emulator import BootImage
from harness.engines import Accelerator, Clock, Engine
from harness.engines.bochs import Boot, Memory, render, rom, tree
from harness.engines.bochs.debugger import Debugger, before, dumped, is_hlt, like_qemu
from harness.engines.bochs.machine import BochsMachine
from harness.errors import EmulatorDied, HarnessFailure, Unsupported
from harness.machine import BOCHS_X86, Audio, Disk, MachineSpec, Nic, Role, SerialPort
from harness.provision import ProvisionError
from harness.targets import TARGETS

ENGINE = Engine(("bochs-bin",), (2, 7, 0), Accelerator.BOCHS, extension="vmx")
BOOT = Boot(Path("/r/boot.rom"), Memory(Path("/c/kernel.bin"), 0x1000000), Path("/r/initrd"))
PORTS = {
    "hypervisor-console": 40001, "root-console": 40002, "command-channel": 40003,
    "inmate-console": 40004,
}  # fmt: skip

GOLDEN = """\
plugin_ctrl: unmapped=1, biosdev=1, speaker=0, extfpuirq=1, serial=1, iodebug=1
config_interface: textconfig
display_library: rfb, options="timeout=0"
memory: guest=1024, host=1024
romimage: file=$BXSHARE/BIOS-bochs-latest
vgaromimage: file=$BXSHARE/VGABIOS-lgpl-latest
cpu: model=corei7_haswell_4770, count=2, ips=20000000, quantum=16, reset_on_triple_fault=0, ignore_bad_msrs=1
clock: sync=none, time0=1600000000
pci: enabled=1, chipset=i440fx, slot1=ne2k
ne2k: card=0, type=pci, mac=52:54:00:12:34:56, ethmod=null
com1: enabled=1, mode=socket-client, dev=127.0.0.1:40001
com2: enabled=1, mode=socket-client, dev=127.0.0.1:40002
com3: enabled=1, mode=socket-client, dev=127.0.0.1:40003
com4: enabled=1, mode=socket-client, dev=127.0.0.1:40004
panic: action=fatal
log: bochs.log
optromimage1: file=/r/boot.rom, address=0xd0000
optramimage1: file=/c/kernel.bin, address=0x1000000
optramimage2: file=/r/initrd, address=0x8000000
"""


def test_reference_machine() -> None:
    assert render(BOCHS_X86, ENGINE, BOOT, PORTS) == GOLDEN


@pytest.mark.parametrize(
    "spec",
    [
        replace(BOCHS_X86, nics=(Nic("e1000", "02.0"),)),
        replace(BOCHS_X86, disks=(Disk("ide.0"),)),
        replace(BOCHS_X86, audio=Audio("1b.0", "hda-duplex")),
        replace(BOCHS_X86, serials=(SerialPort(0x2E8, 5, "ttyS3", (Role.ROOT_CONSOLE,)),)),
    ],
)
def test_what_bochs_lacks_is_refused(spec: MachineSpec) -> None:
    with pytest.raises(Unsupported, match="bochs-x86: "):
        render(spec, ENGINE, BOOT, PORTS)


def test_counted_time_is_refused() -> None:
    with pytest.raises(Unsupported, match="no counted time"):
        render(BOCHS_X86, replace(ENGINE, clock=Clock.ICOUNT), BOOT, PORTS)


def test_capabilities_are_of_engine_and_machine() -> None:
    assert TARGETS["intel-bochs"].capabilities == {
        "vmx", "ne2k", "root-shell", "cpus-1", "cpus-2",
    }  # fmt: skip
    assert {"svm", "msi", "network", "disk", "hda", "cpus-4"} <= TARGETS["amd-tcg"].capabilities
    assert "root-shell" not in TARGETS["zcu102"].capabilities


# --- memory and ROM


def elf(*parts: tuple[int, bytes], entry: int = 0x1000000) -> bytes:
    """An ELF-64 file with one loadable segment a part: (physical address, content)."""
    data = b"".join(content for _, content in parts)
    start = 64 + 56 * len(parts)
    header = struct.pack(
        "<16sHHIQQQIHHHHHH", b"\x7fELF\x02\x01\x01", 2, 62, 1, entry, 64, 0, 0, 64, 56,
        len(parts), 0, 0, 0,
    )  # fmt: skip
    table = b""
    for address, content in parts:
        table += struct.pack(
            "<IIQQQQQQ", 1, 7, start, 0, address, len(content), len(content) + 64, 1
        )
        start += len(content)
    return header + table + data


def test_a_kernel_is_laid_out_by_physical_address(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("JAILHOUSE_CACHE", str(tmp_path / "cache"))
    path = tmp_path / "vmlinux"
    path.write_bytes(elf((0x1000010, b"data"), (0x1000000, b"text"), entry=0x1000002))
    kernel = rom.lay_out(path)
    assert (kernel.address, kernel.entry) == (0x1000000, 0x1000002)
    assert kernel.image.read_bytes() == b"text" + bytes(12) + b"data"
    assert rom.lay_out(path).image == kernel.image


def test_only_elf_files_are_laid_out() -> None:
    with pytest.raises(HarnessFailure, match="not a 64-bit"):
        rom.segments(b"MZ" + bytes(100))


def test_a_kernel_that_unpacks_itself_is_refused(tmp_path: Path) -> None:
    kernel = tmp_path / "vmlinuz"
    kernel.write_bytes(b"MZ" + bytes(100))
    image = BootImage(kernel, lambda path: path.write_bytes(b"initrd"), "quiet", tmp_path / "none")
    with pytest.raises(Unsupported, match="no random addresses"):
        BochsMachine(BOCHS_X86, ENGINE, image, tmp_path / "results").start()


def test_a_rom_that_the_bios_takes() -> None:
    code = rom.boot_code()
    made = rom.make_rom(code, 0x1000000, 12345, "console=ttyS1 quiet")
    assert made[:2] == b"\x55\xaa"
    assert made[2] * 512 == len(made)
    assert len(made) % 2048 == 0
    assert sum(made) % 256 == 0
    entry, params = struct.unpack_from("<IH", made, 8)
    assert entry == 0x1000000
    # Everything but what we fill in is the assembler's.
    assert made[12 + 2 : len(code)] == code[12 + 2 :]
    image, size = struct.unpack_from("<II", made, params + 0x218)
    assert (image, size) == (rom.INITRD_ADDRESS, 12345)
    (line,) = struct.unpack_from("<I", made, params + 0x228)
    at = line - rom.ROM_ADDRESS
    assert made[at : made.index(0, at)] == b"console=ttyS1 quiet"


def test_a_command_line_has_its_limit() -> None:
    with pytest.raises(HarnessFailure, match="2048 bytes"):
        rom.make_rom(b"\x55\xaa", 0, 0, "x" * 2048)


def test_images_start_at_blocks() -> None:
    assert rom.INITRD_ADDRESS % (128 << 10) == 0


def test_what_is_preloaded_cuts_reads_and_binds_to_loopback(tmp_path: Path) -> None:
    big = tmp_path / "big"
    big.write_bytes(bytes(300_000))
    script = (
        f"import os, socket; print(len(os.read(os.open({str(big)!r}, 0), 300_000)));"
        "s = socket.socket(); s.bind(('0.0.0.0', 5900)); print(*s.getsockname())"
    )
    done = subprocess.run(
        ["/usr/bin/python3", "-c", script],
        env={**os.environ, "LD_PRELOAD": str(rom.preload())},
        capture_output=True,
        text=True,
        check=True,
    )
    size, address, port = done.stdout.split()
    assert size == str(128 << 10)
    assert address == "127.0.0.1"
    assert port != "5900"


# --- Debian's Bochs


def test_unpacked_bochs_has_all_its_libraries() -> None:
    bochs = tree.bochs()
    assert bochs.version == (2, 7, 0)
    done = subprocess.run(
        [*bochs.loader, "--list", bochs.program], capture_output=True, text=True, check=True
    )
    assert "not found" not in done.stdout
    outside = [
        line
        for line in done.stdout.splitlines()
        if "=> /" in line and str(bochs.root) not in line and "ld-linux" not in line
    ]
    assert outside == []
    assert (Path(bochs.env["BXSHARE"]) / "VGABIOS-lgpl-latest").stat().st_size > 30_000


def test_versions_of_bochs() -> None:
    assert tree.parse_version("2.7+dfsg-4+deb12u1") == (2, 7, 0)
    with pytest.raises(ProvisionError, match="not a version"):
        tree.parse_version("unknown")


# --- debugger

ANSWERS = (
    "CPU1:\nrax: 2c100800_bfebfbff\nr8 : 00000000_00000005\nrip: ffffffff_8114c0e5\n"
    "eflags 0x00000297: id vip vif ac vm rf nt IOPL=0\n",
    "CR0=0x80050033: PG cd nw AC\nCR2=page fault laddr=0xffff888004401000\n"
    "CR3=0x000002a10001\n    PCD=page-level cache disable=0\nCR4=0x001706f0: pks cet\n"
    "CR8: 0x1\nEFER=0x00000d01: ffxsr NXE LMA LME SCE\nXCR0=0x00000007: cet_s\n",
    "cs:0x0013, dh=0x00af9b00, dl=0x0000ffff, valid=1\n\tCode segment, base=0x00000000\n"
    "gs:0x0000, dh=0x3f0010c0, dl=0x40000000, valid=0\n"
    "gdtr:base=0xfffffe0000001000, limit=0x7f\nidtr:base=0xfffffe0000000000, limit=0xfff\n",
)


def test_registers_as_qemu_prints_them() -> None:
    text = like_qemu(1, ANSWERS)
    assert text.startswith("CPU#1\nRAX=2c100800bfebfbff R8=0000000000000005")
    for words in (
        "RIP=ffffffff8114c0e5", "RFL=0000000000000297", "CR2=ffff888004401000",
        "CR3=0000000002a10001", "CR8=0000000000000001", "EFER=0000000000000d01",
        "\nCS =0013 0000000000000000\nCPL=3 ", "\nGS =0000 000000003fc04000\n",
        "\nGDT=     fffffe0000001000 0000007f\n", "\nIDT=     fffffe0000000000 00000fff\n",
    ):  # fmt: skip
        assert words in text, words


def test_a_halted_cpu_stands_behind_its_hlt() -> None:
    assert before(ANSWERS[0]) == "x /1bx 0xffffffff8114c0e4"
    assert is_hlt("[bochs]:\n0xffffffff8114c0e4 <bogus+       0>:\t0xf4\n")
    assert not is_hlt("[bochs]:\n0xffffffff8114c0e4 <bogus+       0>:\t0xfb\n")
    assert not is_hlt("bx_dbg_read_linear: physical address not available for linear 0xf4\n")
    assert " HLT=1\n" in like_qemu(1, ANSWERS, halted=True)
    assert " HLT=0\n" in like_qemu(1, ANSWERS)


def test_memory_as_it_is_dumped() -> None:
    text = (
        "[bochs]:\n0x00000000000f0000 <bogus+       0>:\t0x55\t0x89\t0xe5\n"
        "0x00000000000f0003 <bogus+       3>:\t0x50\n"
    )
    assert dumped(text, 4) == b"\x55\x89\xe5\x50"
    with pytest.raises(EmulatorDied, match="4 of 5 bytes"):
        dumped(text, 5)


class FakeBochs:
    """Answers at its prompt, forgets the first SIGINT, and runs after "c"."""

    SCRIPT = """
import signal, sys
signals = 0
def interrupted(*_):
    global signals
    signals += 1
    while signals > 1:
        print("<bochs:1> ", end="", flush=True)
        line = sys.stdin.readline().strip()
        if line == "c":
            return
        print("answer to", line, flush=True)
signal.signal(signal.SIGINT, interrupted)
print("ready", file=sys.stderr, flush=True)
while True:
    signal.pause()
"""

    def __init__(self, directory: Path) -> None:
        self.commands = directory / "commands"
        self.output = directory / "output"
        os.mkfifo(self.commands)
        self.output.write_text("running\n")
        self._file = self.output.open("ab")
        handle = os.open(self.commands, os.O_RDWR)
        self.process = subprocess.Popen(
            [sys.executable, "-I", "-S", "-c", self.SCRIPT],
            stdin=handle, stdout=self._file, stderr=subprocess.PIPE,
        )  # fmt: skip
        os.close(handle)
        assert self.process.stderr is not None
        self.process.stderr.readline()

    def check_alive(self) -> None:
        if self.process.poll() is not None:
            raise EmulatorDied("gone")

    def close(self) -> None:
        self.process.send_signal(signal.SIGKILL)
        self.process.communicate()
        self._file.close()


@pytest.fixture
def fake(tmp_path: Path) -> Iterator[FakeBochs]:
    made = FakeBochs(tmp_path)
    yield made
    made.close()


def test_debugger(fake: FakeBochs) -> None:
    debugger = Debugger(fake.process.pid, fake.commands, fake.output, fake.check_alive)
    debugger.pause()
    debugger.pause()
    assert debugger.paused
    assert debugger.ask("creg") == "answer to creg\n"
    debugger.resume()
    assert not debugger.paused
    debugger.pause()
    assert debugger.ask("r") == "answer to r\n"
    debugger.close()
    debugger.close()


# --- a machine


def test_a_program_that_opens_no_ports_is_named(tmp_path: Path) -> None:
    kernel = tmp_path / "vmlinux"
    kernel.write_bytes(elf((0x1000000, b"text")))
    image = BootImage(kernel, lambda path: path.write_bytes(b"initrd"), "quiet", tmp_path / "none")
    engine = replace(ENGINE, argv=("sh", "-c", "echo no bochs here; exit 3"))
    machine = BochsMachine(BOCHS_X86, engine, image, tmp_path / "results")
    threads = threading.active_count()
    with pytest.raises(EmulatorDied, match=r"(?s)ended with 3.*no bochs here"):
        machine.start()
    assert threading.active_count() == threads
    assert "com1: enabled=1" in (tmp_path / "results/bochsrc").read_text()
