# SPDX-License-Identifier: GPL-2.0-only
"""Both command channels against one suite; consoles that nobody reads; verdicts."""

import os
import re
import signal
import threading
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from harness.deadlines import Deadline, scaled
from harness.errors import (
    CommandTimeout,
    DeadlineExpired,
    EmulatorDied,
    HostStarved,
    NetworkLost,
    RootCellDead,
)
from harness.guest import Channel
from harness.guest.linux import Linux
from harness.machine import Role, SerialPort, Uart
from harness.streams import Stream
from harness.verbs import Jailhouse

BINARY = bytes(range(256)) * 17


@pytest.fixture(params=["serial", pytest.param("ssh", marks=pytest.mark.needs("network"))])
def channel(request: pytest.FixtureRequest, linux: Linux) -> Channel:
    return linux.serial if request.param == "serial" else linux.ssh


class TestConformance:
    """What every channel promises."""

    @pytest.mark.parametrize("status", [0, 1, 3, 127, 255])
    def test_exit_status(self, channel: Channel, status: int) -> None:
        assert channel.run(f"exit {status}").status == status

    def test_death_by_signal(self, channel: Channel) -> None:
        assert channel.run("kill -9 $$").status == 128 + signal.SIGKILL

    def test_output_and_errors_are_apart(self, channel: Channel) -> None:
        result = channel.run("echo out; echo err >&2; echo more")
        assert (result.stdout, result.stderr) == (b"out\nmore\n", b"err\n")
        assert result.output == "out\nmore\nerr\n"

    def test_no_output(self, channel: Channel) -> None:
        result = channel.run("true")
        assert (result.stdout, result.stderr) == (b"", b"")

    def test_arguments_are_not_interpreted(self, channel: Channel) -> None:
        words = ["a b", "$HOME", "'", '"', "*", "\\", ";", "é"]
        assert channel.run(["printf", "%s\n", *words]).output.splitlines() == words

    def test_a_program_that_does_not_exist(self, channel: Channel) -> None:
        result = channel.run(["/no/such/program"])
        assert (result.status, result.stdout) == (127, b"")
        assert result.stderr

    def test_binary_output(self, channel: Channel) -> None:
        channel.put(BINARY, "/tmp/binary")
        assert channel.run("cat /tmp/binary").stdout == BINARY

    def test_binary_input(self, channel: Channel) -> None:
        assert channel.run("cat", stdin=BINARY).stdout == BINARY

    def test_large_output(self, channel: Channel) -> None:
        result = channel.run("seq 100000; seq 1000 >&2", timeout=60)
        assert result.stdout.split() == [b"%d" % number for number in range(1, 100001)]
        assert len(result.stderr.split()) == 1000

    @pytest.mark.parametrize("size", [0, 1, 4095, 4096, 4097, 200_000])
    def test_files(self, channel: Channel, size: int) -> None:
        data = os.urandom(size)
        channel.put(data, "/tmp/deep/er/file", mode=0o640)
        assert channel.get("/tmp/deep/er/file") == data
        assert channel.run("stat -c %a /tmp/deep/er/file").output == "640\n"
        assert channel.run("ls /tmp/deep/er").output == "file\n"

    def test_a_path_of_the_host(self, channel: Channel, tmp_path: Path) -> None:
        (tmp_path / "x").write_bytes(b"content")
        channel.put(tmp_path / "x", "/tmp/with space")
        assert channel.get("/tmp/with space") == b"content"

    def test_a_command_that_hangs(self, channel: Channel) -> None:
        began = time.monotonic()
        with pytest.raises(CommandTimeout, match="before"):
            channel.run("echo before; sleep 987 & sleep 987", timeout=1.0)
        assert time.monotonic() - began < scaled(15)
        # The channel works, and nothing of the command is left.
        assert channel.run("echo after").output == "after\n"
        for _ in range(20):
            if channel.run("ps | grep 'sleep 98[7]'").output == "":
                break
            time.sleep(0.1)
        else:
            pytest.fail("the hanging command is still there")

    def test_a_command_that_ignores_signals(self, channel: Channel) -> None:
        with pytest.raises(CommandTimeout):
            channel.run("trap '' TERM INT HUP; while :; do sleep 0.1; done", timeout=1.0)
        assert channel.run("echo after").output == "after\n"

    def test_background_does_not_hold_the_answer(self, channel: Channel) -> None:
        seconds = round(scaled(15))
        began = time.monotonic()
        answer = channel.run(f"sleep {seconds} & echo $!").output
        assert time.monotonic() - began < seconds
        assert channel.run(f"kill {int(answer)}").ok

    def test_concurrent_use_is_serialised(self, channel: Channel) -> None:
        answers: dict[int, str] = {}

        def use(number: int) -> None:
            answers[number] = channel.run(f"sleep 0.1; echo {number}").output

        threads = [threading.Thread(target=use, args=(number,)) for number in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(30)
        assert answers == {number: f"{number}\n" for number in range(4)}

    def test_duration(self, channel: Channel) -> None:
        assert 0.2 <= channel.run("sleep 0.2").duration < scaled(5)


@pytest.mark.needs("network")
def test_channels_agree(linux: Linux) -> None:
    for command in ("uname -a", "cat /proc/cmdline", "ls /usr/bin"):
        assert linux.run(command).output == linux.ssh_run(command).output


def test_noise_on_the_command_channel(linux: Linux) -> None:
    """The agent finds the next request after garbage and half frames."""
    stream = linux.machine.stream(Role.COMMAND_CHANNEL)
    for noise in (b"\n\nhello\n", b"\xf5JH\xa7", bytes(range(256)), b"\x03\x04\x1a\x11\x13"):
        stream.send(noise)
        assert linux.run("echo still here").output == "still here\n"


@pytest.mark.needs("root-shell")
def test_root_console_is_a_shell(linux: Linux) -> None:
    """The console works with pexpect, though tests never depend on it."""
    console = linux.root_console.spawn(timeout=20)
    console.sendline("echo $((6 * 7)) on $(tty)")
    tty = linux.machine.spec.serial(Role.ROOT_CONSOLE).tty
    console.expect(rb"42 on /dev/" + tty.encode())


BLOCK = 65536
#: Blocks for each UART: 10 MB; Bochs' take the time that 115200 baud take, 5.7 s a block.
BLOCKS = {"qemu": 160, "bochs": 4}
#: Lines of 64 bytes whose numbers tell what was lost.
LINES = """
import os, sys
def blocks():
    for block in range(int(sys.argv[2])):
        yield b"".join(b"%062d\\r\\n" % (block * 1024 + n) for n in range(1024))
"""
#: By the kernel's driver.
TTY_WRITER = LINES + """
import termios
tty = os.open(sys.argv[1], os.O_WRONLY | os.O_NOCTTY)
mode = termios.tcgetattr(tty)
mode[1] = 0
mode[3] = 0
termios.tcsetattr(tty, termios.TCSANOW, mode)
for data in blocks():
    while data:
        data = data[os.write(tty, data):]
termios.tcdrain(tty)
"""
#: As inmates write, but sixteen bytes at a time: the driver takes a minute for all of it.
#: `CODE(data, count, port)`:
#:     mov %rdx,%r8; mov %rsi,%r9; mov %rdi,%rsi
#: 1:  lea 5(%r8),%edx                  LSR
#: 2:  in (%dx),%al; test $0x20,%al     THRE: the FIFO is empty
#:     jz 2b; mov %r8d,%edx; mov $16,%ecx; rep outsb; sub $16,%r9; ja 1b; ret
PORT_WRITER = LINES + """
import ctypes, mmap
CODE = bytes.fromhex(
    "4989d0 4989f1 4889fe 418d5005 ec a820 74fb 4489c2 b910000000 f36e 4983e910 77e7 c3"
)
page = mmap.mmap(-1, mmap.PAGESIZE, prot=mmap.PROT_READ | mmap.PROT_WRITE | mmap.PROT_EXEC)
page.write(CODE)
function = ctypes.CFUNCTYPE(None, ctypes.c_char_p, ctypes.c_uint64, ctypes.c_uint64)
write = function(ctypes.addressof(ctypes.c_char.from_buffer(page)))
port = int(sys.argv[1], 0)
assert ctypes.CDLL(None).iopl(3) == 0
ports = os.open("/dev/port", os.O_WRONLY)
# LCR: divisor 1, 8 bits (Bochs' power up with 5); FCR: FIFOs on
for register, value in ((3, 0x83), (0, 1), (1, 0), (3, 3), (2, 1)):
    os.pwrite(ports, bytes([value]), port + register)
for data in blocks():
    write(data, len(data), port)
"""


def writer_of(port: SerialPort) -> tuple[str, str]:
    """A program that fills a UART, and its argument."""
    if port.kind is Uart.ISA:
        return PORT_WRITER, hex(port.base)
    return TTY_WRITER, f"/dev/{port.tty}"


def numbers(text: bytes) -> list[int]:
    # The shell's prompt may stand before the first one.
    return [int(line) for line in re.findall(rb"(\d{62})\r?$", text, re.MULTILINE)]


def wait_for_bytes(stream: Stream, mark: int, size: int, timeout: float) -> None:
    """Wait until `size` bytes have arrived behind `mark`."""
    deadline = Deadline.after(timeout)
    while stream.end < mark + size:
        seen = stream.end
        assert stream.wait(seen, deadline.remaining()), f"{stream.name}: {seen - mark} bytes"


@pytest.mark.slow
def test_unread_output_of_each_uart(linux: Linux, folder) -> None:  # type: ignore[no-untyped-def]
    """Megabytes on each UART, all at once, read by nobody: nothing lost, nobody blocked."""
    blocks = BLOCKS[linux.machine.engine.emulator]
    ports = [
        port for port in linux.machine.spec.serials if Role.COMMAND_CHANNEL not in port.roles
    ]
    marks = {port.name: linux.machine.streams[port.name].end for port in ports}
    for port in ports:
        program, argument = writer_of(port)
        linux.put(program.encode(), f"/tmp/{port.tty}.py")
        linux.succeed(
            f"(python3 -sS /tmp/{port.tty}.py {argument} {blocks};"
            f" echo $? > /tmp/{port.tty}.status) > /dev/null 2>&1 &"
        )
    # Meanwhile the command channel works on.
    size = min(1000000, blocks * BLOCK)
    part = linux.run(f"head -c {size} /dev/zero", timeout=240)
    assert part.stdout == bytes(size)
    expected = list(range(blocks * 1024))
    for port in ports:
        stream: Stream = linux.machine.streams[port.name]
        # By size first: a search of megabytes at every arrival would take longer than the UART.
        wait_for_bytes(stream, marks[port.name], blocks * BLOCK, scaled(240))
        stream.expect(rf"^{expected[-1]:062d}$", 20, since=stream.end - 65536)
        assert numbers(stream.since(marks[port.name])) == expected, port.name
        assert numbers((folder.path / f"{port.name}.log").read_bytes()) == expected, port.name
        # The last byte may be here before the interpreter is gone.
        status = f"/tmp/{port.tty}.status"
        assert linux.succeed(f"until [ -s {status} ]; do sleep 0.1; done; cat {status}", 30) == "0\n"


@pytest.mark.needs("network")
def test_network_lost_while_enabled(jailhouse: Jailhouse) -> None:
    """The cable is out: serial answers, so it is the network."""
    linux = jailhouse.linux
    assert linux.ssh_run("true").ok
    linux.machine.set_link(False)
    try:
        with pytest.raises(NetworkLost, match="answers on serial"):
            linux.ssh_run("true", timeout=2)
    finally:
        linux.machine.set_link(True)
    assert linux.ssh_run("echo back").output == "back\n"
    assert jailhouse.state(0) == "running"


@pytest.mark.needs("network")
def test_root_cell_dead(fresh_linux: Callable[..., Linux]) -> None:
    """No CPU runs: neither channel answers, and the report names the state."""
    linux = fresh_linux()
    assert linux.ssh_run("true").ok
    linux.machine.pause()
    with pytest.raises(RootCellDead, match="run state: paused"):
        linux.ssh_run("true", timeout=2)
    linux.machine.resume()
    assert linux.run("true").ok


def test_a_killed_emulator_is_reported_as_such(fresh_linux: Callable[..., Linux]) -> None:
    linux = fresh_linux()
    os.kill(linux.machine.pid, signal.SIGKILL)
    with pytest.raises(EmulatorDied, match="killed by signal 9"):
        linux.run("true", timeout=5)


def test_an_expired_wait_names_the_state(linux: Linux) -> None:
    with pytest.raises((DeadlineExpired, HostStarved)) as raised:
        linux.run("echo said this; sleep 100", timeout=0.5)
    text = str(raised.value)
    assert "run state: running" in text
    assert re.search(r"CPU 3: (RIP|PC) [0-9a-f]+", text)
    assert "last lines of root-console" in text
    assert "said this" in text


def test_machine_control(fresh_linux: Callable[..., Linux]) -> None:
    """Pause, resume, memory, registers."""
    linux = fresh_linux()
    machine = linux.machine
    began = time.monotonic()
    before = float(linux.succeed("cat /proc/uptime").split()[0])
    machine.pause()
    paused = time.monotonic()
    assert machine.run_state == "paused"
    time.sleep(1.5)
    pause = time.monotonic() - paused
    machine.resume()
    after = float(linux.succeed("cat /proc/uptime").split()[0])
    ran = time.monotonic() - began - pause
    assert after - before < ran + pause / 2, "guest time went on while paused"
    assert machine.registers().count("CPU#") == machine.spec.cpus
    code = re.search(r"([0-9a-f]+)-[0-9a-f]+ : Kernel code", linux.succeed("cat /proc/iomem"))
    assert code
    assert machine.read_memory(int(code[1], 16), 4096) != bytes(4096)


@pytest.mark.needs("nmi")
@pytest.mark.architectures("x86", reason="QEMU injects NMIs into x86 CPUs only")
def test_nmi(fresh_linux: Callable[..., Linux]) -> None:
    linux = fresh_linux()
    linux.machine.nmi()
    assert linux.run("dmesg | grep -i nmi").ok


def test_nothing_is_left_of_a_machine(fresh_linux: Callable[..., Linux]) -> None:
    linux = fresh_linux()
    pid, argv = linux.machine.pid, linux.machine.argv
    sockets = [Path(found) for found in re.findall(r"path=([^,]+),", " ".join(argv))]
    assert len(sockets) == len(linux.machine.spec.serials) + 1
    linux.close()
    linux.machine.stop()
    assert not Path(f"/proc/{pid}").exists()
    assert not any(path.exists() or path.parent.exists() for path in sockets)
