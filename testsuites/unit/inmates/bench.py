# SPDX-License-Identifier: GPL-2.0-only
"""Inmates on a plain emulated PC, without a hypervisor.

The image is put at 0, its command line at 0x1000, a communication region at 1 MiB, and a firmware of
our own (shim.S) starts all CPUs at 0 at once, as the hypervisor does.  What only a hypervisor gives is
missing: messages, hypercalls, the test device, containment.  So this checks the programs and the library.
"""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
import re
import signal
import socket
import struct
import subprocess
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from harness import provision

HERE = Path(__file__).resolve().parent
TOP = HERE.parents[2]
INMATES = TOP / "inmates"

TSC_KHZ = 1_000_000
APIC_KHZ = 1_000_000
CONSOLE_8250 = 2
CMDLINE = 0x1000
COMM_REGION = 0x100000


def build(out: Path) -> Path:
    """Builds what changed of the inmates; returns the directory that holds demos/ and tests/.

    Workers of one run share the directory: one builds, the others find it done.
    """
    out.mkdir(parents=True, exist_ok=True)
    with (out / ".lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        subprocess.run(["make", "-s", "-j2", "-C", str(INMATES), f"O={out}"], check=True)
    return out / "inmates"


def build_shim(out: Path) -> Path:
    """Assembles the firmware."""
    elf, image = out / "shim.elf", out / "shim.bin"
    subprocess.run(
        [
            "gcc",
            "-m32",
            "-nostdlib",
            "-static",
            "-no-pie",
            "-Wl,-Ttext=0,--build-id=none,-z,noexecstack",
            "-o",
            str(elf),
            str(HERE / "shim.S"),
        ],
        check=True,
    )
    subprocess.run(["objcopy", "-O", "binary", "-j", ".text", str(elf), str(image)], check=True)
    assert image.stat().st_size == 0x10000
    return image


def comm_region(
    cpus: int,
    *,
    starts: int = 0,
    revision: int = 2,
    signature: bytes = b"JHCOMM",
    pm_timer: int = 0x608,
) -> bytes:
    """The page a cell finds at 1 MiB (abi.md 4.1).

    With ``starts`` one more CPU, the first, is management and starts the cell that many times (shim.S).
    """
    console = struct.pack("<QIHHIIQ", 0x3F8, 0, CONSOLE_8250, 0, 1, 0, 0)
    head = struct.pack("<6sHIIII", signature, revision, 0, 0, 0, 0)
    tail = struct.pack("<QHHII", 0, pm_timer, cpus, TSC_KHZ, APIC_KHZ)
    page = bytearray((head + console + tail).ljust(4096, b"\0"))
    page[0xFF0:0xFF2] = starts.to_bytes(2, "little")
    return bytes(page)


@dataclass
class Bench:
    """Runs inmates; one at a time."""

    inmates: Path
    shim: Path
    work: Path
    engine: provision.QemuTree = field(default_factory=lambda: provision.engine("qemu-x86"))

    def command(
        self,
        binary: str,
        cmdline: str,
        cpus: int,
        *,
        comm: bytes,
        extra: tuple[str, ...],
        counted: bool,
    ) -> list[str]:
        """QEMU's command line.  Time is counted, 256 ns an instruction, so that results don't depend on
        the host's load and waiting is cheap."""
        time = ("-icount", "shift=8,sleep=off") if counted else ()
        (self.work / "comm").write_bytes(comm)
        text = cmdline.encode() + b"\0"
        # The loader refuses overlaps, so the string goes into a copy of the image.
        image = bytearray((self.inmates / binary).read_bytes())
        image[CMDLINE : CMDLINE + len(text)] = text
        (self.work / "image").write_bytes(image)
        return [
            *self.engine.argv,
            "-machine",
            "q35",
            "-accel",
            "tcg,thread=single",
            *time,
            "-cpu",
            "max,-la57",
            "-smp",
            str(cpus),
            "-m",
            "64M",
            "-nodefaults",
            "-display",
            "none",
            "-no-reboot",
            "-bios",
            str(self.shim),
            "-serial",
            f"file:{self.work / 'uart'}",
            "-qmp",
            f"unix:{self.work / 'qmp'},server=on,wait=off",
            "-device",
            f"loader,file={self.work / 'image'},addr=0,force-raw=on",
            "-device",
            f"loader,file={self.work / 'comm'},addr={COMM_REGION:#x},force-raw=on",
            *extra,
        ]

    @contextlib.contextmanager
    def running(
        self,
        binary: str,
        cmdline: str = "",
        *,
        cpus: int = 1,
        comm: bytes | None = None,
        extra: tuple[str, ...] = (),
        counted: bool = True,
    ) -> Iterator[Path]:
        """An inmate at work; gives the file its UART writes to."""
        uart = self.work / "uart"
        uart.unlink(missing_ok=True)
        argv = self.command(
            binary, cmdline, cpus, comm=comm or comm_region(cpus), extra=extra, counted=counted
        )
        with subprocess.Popen(
            argv,
            env=self.engine.environment(),
            start_new_session=True,
            stdin=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
        ) as process:
            try:
                yield uart
            finally:
                with contextlib.suppress(ProcessLookupError):
                    os.killpg(process.pid, signal.SIGKILL)

    def comm_word(self, offset: int) -> int:
        """A 32-bit word of the communication region, right now."""
        with socket.socket(socket.AF_UNIX) as connection:
            connection.settimeout(10)
            connection.connect(str(self.work / "qmp"))
            stream = connection.makefile("rw")
            stream.readline()
            answer: dict[str, str] = {}
            for command in (
                {"execute": "qmp_capabilities"},
                {
                    "execute": "human-monitor-command",
                    "arguments": {"command-line": f"xp /1xw {COMM_REGION + offset:#x}"},
                },
            ):
                stream.write(json.dumps(command) + "\n")
                stream.flush()
                while "return" not in (answer := json.loads(stream.readline())):
                    pass
        return int(answer["return"].split()[-1], 16)

    def wait_comm_word(self, offset: int, value: int, timeout: float = 10) -> int:
        """Polls until a word has the value; gives what was there last."""
        deadline = time.monotonic() + timeout
        found = -1
        while found != value and time.monotonic() < deadline:
            with contextlib.suppress(FileNotFoundError, ConnectionRefusedError):
                found = self.comm_word(offset)
            time.sleep(0.02)
        return found

    def run(
        self,
        binary: str,
        cmdline: str = "",
        *,
        until: str | re.Pattern[str],
        timeout: float = 60,
        cpus: int = 1,
        comm: bytes | None = None,
        extra: tuple[str, ...] = (),
        counted: bool = True,
    ) -> list[str]:
        """The lines an inmate printed up to the one in which ``until`` is found."""
        pattern = re.compile(re.escape(until) if isinstance(until, str) else until)
        deadline = time.monotonic() + timeout
        with self.running(
            binary, cmdline, cpus=cpus, comm=comm, extra=extra, counted=counted
        ) as uart:
            while True:
                text = uart.read_bytes().decode(errors="replace") if uart.exists() else ""
                found = pattern.search(text)
                if found and "\n" in text[found.end() :]:
                    break
                if time.monotonic() > deadline:
                    raise AssertionError(f"no {pattern.pattern!r} within {timeout} s in:\n{text}")
                time.sleep(0.02)
        lines = text[: text.index("\n", found.end()) + 1].split("\r\n")
        assert lines.pop() == "", "lines must end with CR LF"
        return lines
