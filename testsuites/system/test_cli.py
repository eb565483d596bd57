# SPDX-License-Identifier: GPL-2.0-only
"""The `jailhouse` command in the guest: outputs and exit codes of abi.md 6."""

import re
import shlex
from collections.abc import Callable

import pytest

from harness import plugin
from harness.engines.qemu import ICOUNT_SHIFT
from harness.guest import Result
from harness.guest.linux import Linux
from harness.image import Artifacts
from harness.programs import Program
from harness.session import Lab, Variant
from harness.targets import Target
from harness.verbs import CONFIGS, INMATES, Jailhouse
from jailhouse.cellfile import SystemConfig
from testsuites.checks import HARMLESS, VIOLATION, Bench

Command = Callable[..., Result]


@pytest.fixture
def command(linux: Linux) -> Command:
    """Run `jailhouse` with arguments."""
    return lambda *words, timeout=20.0: linux.run(["jailhouse", *words], timeout)


def ok(result: Result) -> str:
    assert result.status == 0, result.output
    assert result.stderr == b""
    return result.stdout.decode()


def failed(result: Result, first: str) -> str:
    """Exit status 1, nothing on stdout, `first` as the first line on stderr."""
    assert result.status == 1, result
    assert result.stdout == b"", result
    lines = result.stderr.decode().splitlines()
    assert lines[0] == first, lines
    return "\n".join(lines[1:])


def config(name: str) -> str:
    return str(CONFIGS / f"{name}.cell")


def image(name: str) -> str:
    return str(INMATES / f"{name}.bin")


def test_life_of_a_cell(
    verbs: Jailhouse, target: Target, command: Command, small: Program
) -> None:
    """By number, then by name; success says nothing."""
    assert ok(command("cell", "list")) == ""
    assert ok(command("enable", config(target.root_config))) == ""
    for selector in (["1"], [small.name], ["--name", small.name], ["0x1"]):
        mark = verbs.uart.end
        assert ok(command("cell", "create", config(small.name))) == ""
        assert ok(command("cell", "load", *selector, image(small.name), "-a", "0")) == ""
        assert ok(command("cell", "start", *selector)) == ""
        verbs.uart.expect(small.says.strip("^$"), 10, mark)
        assert ok(command("cell", "shutdown", *selector)) == ""
        assert verbs.state(small.name) == "shut down"
        assert ok(command("cell", "destroy", *selector)) == ""
    assert ok(command("disable")) == ""
    assert not verbs.enabled


@pytest.mark.needs("cpus-4")
def test_cell_list(jailhouse: Jailhouse, command: Command, target: Target) -> None:
    Bench.create(jailhouse, "test-one")
    bench = Bench.create(jailhouse, "test-other")
    bench.run("violate", f"what={VIOLATION[target.architecture]}")
    bench.hypervisor_says(r"^Parking CPU 1")
    rows = ok(command("cell", "list")).splitlines()
    columns = [(0, 8), (8, 32), (32, 50), (50, 74), (74, 98)]
    assert [[row[low:high].rstrip() for low, high in columns] for row in rows] == [
        ["ID", "Name", "State", "Assigned CPUs", "Failed CPUs"],
        ["0", jailhouse.cell(0).name, "running", "0,3", ""],
        ["1", "test-one", "shut down", "2", ""],
        ["2", "test-other", "failed", "1", "1"],
    ]
    assert all(len(row) == 98 for row in rows)


def test_load_several_images(jailhouse: Jailhouse, command: Command, target: Target) -> None:
    bench = Bench.create(jailhouse, "test-one")
    string, _ = bench.command_line(f"what={HARMLESS[target.architecture]}")
    words = string.removeprefix("string:")
    for option in ("-s", "--string"):
        bench.mark()
        ok(command("cell", "load", "1", image("violate"), option, words, "--address", "0x1000"))
        ok(command("cell", "start", "1"))
        assert "survived" in bench.done()


def test_console(jailhouse: Jailhouse, command: Command) -> None:
    text = ok(command("console"))
    assert "Activating hypervisor" in text
    assert text.endswith(jailhouse.console()[-200:])
    jailhouse.disable()
    # The last log, and then the error.
    result = command("console")
    assert result.status == 1
    assert "Shutting down hypervisor" in result.stdout.decode()
    assert result.stderr == b"read(console): Resource temporarily unavailable\n"


def test_console_follow(jailhouse: Jailhouse) -> None:
    """What is said later arrives."""
    linux = jailhouse.linux
    linux.succeed("setsid jailhouse console -f >/tmp/followed 2>&1 & echo $! >/tmp/follower")
    wait = "for i in $(seq 100); do grep -q '%s' /tmp/followed && exit 0; sleep 0.1; done; exit 1"
    linux.succeed(wait % "Activating hypervisor")
    Bench.create(jailhouse, "test-one")
    linux.succeed(wait % 'Created cell "test-one"')
    linux.succeed("kill -TERM $(cat /tmp/follower)")
    linux.succeed("for i in $(seq 50); do kill -0 $(cat /tmp/follower) || exit 0; sleep 0.1; done 2>&-; exit 1")


def errors_of(root: str, small: str) -> dict[str, tuple[list[str], str]]:
    """Command and first line, with test-one created as number 1."""
    return {
        "enable without file": (
            ["enable", "/nowhere"], "opening /nowhere: No such file or directory",
        ),
        "enable twice": (["enable", config(root)], "JAILHOUSE_ENABLE: Device or resource busy"),
        # Shorter than any system configuration: EFAULT, from the driver that knows no length.
        "enable a cell": (["enable", config(small)], "JAILHOUSE_ENABLE: Bad address"),
        "create a system": (
            ["cell", "create", config(root)], "JAILHOUSE_CELL_CREATE: Invalid argument",
        ),
        "create twice": (
            ["cell", "create", config("test-one")], "JAILHOUSE_CELL_CREATE: File exists",
        ),
        "start nobody": (["cell", "start", "9"], "JAILHOUSE_CELL_START: No such file or directory"),
        "start root": (["cell", "start", "0"], "JAILHOUSE_CELL_START: Invalid argument"),
        "shutdown nobody": (
            ["cell", "shutdown", "nobody"], "JAILHOUSE_CELL_LOAD: No such file or directory",
        ),
        "destroy nobody": (
            ["cell", "destroy", "--name", "1"],
            "JAILHOUSE_CELL_DESTROY: No such file or directory",
        ),
        "load too high": (
            ["cell", "load", "1", image(small), "-a", "0x7fffffff000"],
            "JAILHOUSE_CELL_LOAD: Invalid argument",
        ),
        "load too much": (
            ["cell", "load", "1", image(small), "-a", "0xfffff"],
            "JAILHOUSE_CELL_LOAD: Invalid argument",
        ),
    }  # fmt: skip


#: Where an architecture's cells have their communication region.
COMMUNICATION = {"x86": "0x100000", "arm64": "0x80000000"}


def test_errors(jailhouse: Jailhouse, command: Command, target: Target, small: Program) -> None:
    before = jailhouse.pools()
    bench = Bench.create(jailhouse, "test-one")
    errors = errors_of(target.root_config, small.name)
    errors["load into the communication region"] = (
        ["cell", "load", "1", image(small.name), "-a", COMMUNICATION[target.architecture]],
        "JAILHOUSE_CELL_LOAD: Invalid argument",
    )
    for name, (words, line) in errors.items():
        result = command(*words)
        assert result.status == 1, name
        assert result.stderr.decode().splitlines()[0] == line, name
    assert [cell.id for cell in jailhouse.cells()] == [0, 1]
    bench.destroy()
    assert jailhouse.pools() == before


def test_disable_refused_says_who(jailhouse: Jailhouse, command: Command) -> None:
    bench = Bench.create(jailhouse, "test-one")
    bench.run("protocol", "lock deny=1")
    bench.says("^READY$")
    rest = failed(command("disable"), "JAILHOUSE_DISABLE: Operation not permitted")
    assert "test-one" in rest
    ok(command("disable"))


@pytest.mark.parametrize(
    "words", [["cell", "start"], ["cell", "load", "1"], ["nonsense"], ["cell", "nonsense"], ["enable"]]
)
def test_usage_errors(linux: Linux, command: Command, words: list[str]) -> None:
    result = command(*words)
    assert result.status == 1
    assert "Usage:" in result.stdout.decode()


def test_help_and_version(linux: Linux, command: Command) -> None:
    assert "Usage: jailhouse" in ok(command("--help"))
    assert re.fullmatch(r"Jailhouse management tool \S.*\n", ok(command("--version")))
    assert "Usage: jailhouse cell create" in ok(command("cell", "create", "--help"))
    for words in (["config", "create", "/tmp/x"], ["config", "collect", "/tmp/x"]):
        result = command(*words)
        assert result.status == 1
        assert "not implemented yet" in result.output


def test_without_the_module(linux: Linux, command: Command) -> None:
    linux.succeed("rmmod jailhouse 2>/dev/null; true")
    failed(command("disable"), "opening /dev/jailhouse: No such file or directory")
    assert ok(command("cell", "list")) == ""


def test_start_warns_when_nothing_covers_the_reset_address(
    jailhouse: Jailhouse, command: Command, small: Program
) -> None:
    """Programs of older users are loaded at 0xf0000 (decision 24)."""
    ok(command("cell", "create", config(small.name)))
    ok(command("cell", "load", "1", image(small.name), "-a", "0xf0000"))
    result = command("cell", "start", "1")
    assert result.status == 0
    assert "Warning" in result.stderr.decode()


def test_config_check(linux: Linux, command: Command, target: Target, small: Program) -> None:
    root = SystemConfig.from_bytes(linux.get(config(target.root_config))).root_cell
    cells = [small.name, target.programs.timer.name]
    if len(root.cpus) > 3:
        cells.append("smp-demo")
    if target.architecture == "x86":
        cells += ["pci-demo" if target.machine.audio else "pci-intx-bochs", "ioapic-demo"]
    for cell in cells:
        text = ok(command("config", "check", config(target.root_config), config(cell)))
        assert "Reading configuration set:" in text
        assert f"  Root cell:     {root.name}" in text
    result = command("config", "check", config(small.name))
    assert result.status == 1
    assert result.stderr.decode().startswith("Not a root cell configuration: ")


@pytest.mark.architectures("x86", reason="abi.md 6.13: the check knows x86 features")
def test_hardware_check(linux: Linux, command: Command) -> None:
    # What Intel's processors can do only their MSRs tell.
    linux.succeed("modprobe msr")
    text = ok(command("hardware", "check"))
    assert re.search(r"^Feature +Availability$", text, re.M)
    assert text.splitlines()[-1] == "Check passed!"


def in_a_terminal(keys: str, *words: str) -> str:
    """Python that runs a program on a terminal, presses keys a second apart, and shows its output."""
    return "; ".join(
        [
            "import os, pty, sys, time, select",
            "os.environ['TERM'] = 'vt100'",
            f"pid, fd = pty.fork(); pid or os.execvp('jailhouse', {['jailhouse', *words]!r})",
            "import fcntl, termios, struct",
            "fcntl.ioctl(fd, termios.TIOCSWINSZ, struct.pack('HHHH', 30, 100, 0, 0))",
            "out = bytearray()",
            f"""exec('''
def listen(seconds):
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        if select.select([fd], [], [], 0.1)[0]:
            try: out.extend(os.read(fd, 4096))
            except OSError: return
began = time.monotonic()
while b'COUNTER' not in out and time.monotonic() < began + 20:
    listen(0.3)
for key in {keys!r}:
    os.write(fd, key.encode()); listen(1.2)
''')""",
            "sys.stdout.buffer.write(bytes(out)); sys.stdout.flush()",
            "sys.exit(os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]))",
        ]
    )


@pytest.mark.parametrize("word", ["stats", "stat"])
def test_stats(jailhouse: Jailhouse, word: str) -> None:
    """A live screen; c shows one CPU, a all of them, q quits."""
    bench = Bench.create(jailhouse, "test-one")
    bench.run("protocol")
    script = in_a_terminal("caq", "cell", word, "test-one")
    result = jailhouse.linux.run("python3 -c " + shlex.quote(script), 30)
    text = result.stdout.decode(errors="replace")
    assert result.status == 0, text
    assert "Statistics for test-one cell" in text
    assert f"CPU {bench.cpu}" in text
    for word_on_screen in ("COUNTER", "SUM", "PER SEC", "vmexits_total"):
        assert word_on_screen in text, text


def test_stats_of_nobody(jailhouse: Jailhouse, command: Command) -> None:
    assert command("cell", "stats", "nobody").status == 1


#: What `jailhouse cell list` may cost in the guest.
INSTRUCTIONS = 60_000_000
#: Runs a program twice and prints the nanoseconds of the second time: with counted time on one
#: CPU, which only stands still when that CPU does, instructions << ICOUNT_SHIFT.
STOPWATCH = """
import os, sys, time
for _ in range(2):
    began = time.clock_gettime_ns(time.CLOCK_MONOTONIC_RAW)
    pid = os.posix_spawn(sys.argv[1], sys.argv[1:], os.environ)
    status = os.waitpid(pid, 0)[1]
    spent = time.clock_gettime_ns(time.CLOCK_MONOTONIC_RAW) - began
    assert status == 0
print(spent)
"""


@pytest.mark.needs("counted-time")
def test_cell_list_is_cheap(target: Target, artifacts: Artifacts, folder: plugin.TestFolder) -> None:
    """Counted on a machine with one CPU and counted time."""
    lab = Lab(target.counted(), lambda kernel: artifacts, folder.path, "counted")
    with lab.booted(Variant(cpus=1)) as linux:
        folder.record(linux)
        verbs = Jailhouse(linux)
        verbs.load_module()
        data = bytearray(linux.get(config(target.root_config)))
        data[488] = 1
        linux.put(bytes(data), "/tmp/one.cell")
        verbs.enable("/tmp/one.cell")
        linux.put(STOPWATCH.encode(), "/tmp/stopwatch.py")
        output = linux.succeed("python3 /tmp/stopwatch.py /usr/sbin/jailhouse cell list", 120)
        assert "QEMU-Reference" in output
        instructions = int(output.splitlines()[-1]) >> ICOUNT_SHIFT
        folder.step(f"jailhouse cell list: {instructions} instructions")
        assert instructions <= INSTRUCTIONS
        verbs.disable()
