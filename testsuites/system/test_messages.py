# SPDX-License-Identifier: GPL-2.0-only
"""Messages between hypervisor and cells (abi.md 4): every answer, none, and nonsense."""

import errno
import time

import pytest

from harness.deadlines import scaled
from harness.targets import Target
from harness.verbs import Jailhouse, JailhouseError
from testsuites.checks import Bench, errno_of, survived

SHUTDOWN_REQUEST, RECONFIG_COMPLETED = 1, 2
UNKNOWN, DENIED, APPROVED, RECEIVED = 1, 2, 3, 4
TIMEOUT = r"^Timeout expired while waiting for reply from target cell$"

#: Two cells at once, and Linux keeps CPU 0.
several = pytest.mark.needs("cpus-3")


def refused(number: int = errno.EPERM) -> "pytest.RaisesExc[JailhouseError]":
    return pytest.raises(JailhouseError, check=lambda error: error.errno == number)


def protocol(bench: Bench, words: str) -> None:
    bench.run("protocol", words)
    bench.says(r"^READY$")


def test_shutdown_is_asked_for_and_approved(bench: Bench) -> None:
    protocol(bench, "")
    bench.jailhouse.shutdown(bench.number)
    bench.says(rf"^MESSAGE {SHUTDOWN_REQUEST} REPLY {APPROVED}$")
    assert bench.state == "shut down"


def test_denied(bench: Bench) -> None:
    """Each verb is refused once and accepted the second time."""
    for verb in (bench.jailhouse.start, bench.jailhouse.shutdown, bench.jailhouse.destroy):
        protocol(bench, "deny=1")
        with refused():
            verb(bench.number)
        bench.says(rf"^MESSAGE {SHUTDOWN_REQUEST} REPLY {DENIED}$")
        assert bench.state == "running"
        verb(bench.number)
        bench.says(rf"^MESSAGE {SHUTDOWN_REQUEST} REPLY {APPROVED}$")
        if verb == bench.jailhouse.start:
            # The same program again, with the same word.
            with refused():
                bench.jailhouse.shutdown(bench.number)


def test_any_other_reply_is_no_approval(bench: Bench) -> None:
    for reply in (UNKNOWN, RECEIVED, 5, 0xFFFFFFFF):
        protocol(bench, f"reply={reply} replies=2")
        for verb in (bench.jailhouse.shutdown, bench.jailhouse.destroy):
            with refused():
                verb(bench.number)
            assert bench.state == "running"
        bench.jailhouse.shutdown(bench.number)
        bench.says(rf"^MESSAGE {SHUTDOWN_REQUEST} REPLY {APPROVED}$")


@several
def test_others_are_told_of_reconfigurations(jailhouse: Jailhouse) -> None:
    bench = Bench.create(jailhouse, "test-one")
    protocol(bench, "")
    jailhouse.create("test-other")
    bench.says(rf"^MESSAGE {RECONFIG_COMPLETED} REPLY {RECEIVED}$")
    bench.mark()
    jailhouse.destroy("test-other")
    bench.says(rf"^MESSAGE {RECONFIG_COMPLETED} REPLY {RECEIVED}$")
    assert bench.state == "running"


@several
def test_the_answer_to_a_notice_makes_no_difference(jailhouse: Jailhouse) -> None:
    bench = Bench.create(jailhouse, "test-one")
    protocol(bench, f"reply={DENIED} replies=2")
    jailhouse.create("test-other")
    jailhouse.destroy("test-other")
    assert bench.state == "running"
    assert bench.text().count(f"MESSAGE {RECONFIG_COMPLETED} REPLY {DENIED}") == 2


def test_a_late_answer_is_waited_for(bench: Bench) -> None:
    protocol(bench, "answer-late=200")
    bench.jailhouse.shutdown(bench.number)
    assert bench.state == "shut down"


@pytest.mark.parametrize("words", ["ignore", "take"])
def test_timeout(jailhouse: Jailhouse, words: str) -> None:
    """The cell is named failed, the operation goes on as if approved."""
    before = jailhouse.pools()
    bench = Bench.create(jailhouse, "test-timeout")
    for verb, state in (("start", "running"), ("shutdown", "shut down"), ("destroy", "")):
        protocol(bench, words)
        bench.mark()
        getattr(jailhouse, verb)(bench.number, timeout=15)
        bench.hypervisor_says(TIMEOUT)
        if state:
            assert bench.state == state
        if verb == "start":
            # It runs again and is as silent: the load below asks it once more.
            bench.says("^READY$")
    survived(jailhouse, before, again=False)


@several
def test_timeout_of_a_notice_fails_the_silent_cell(jailhouse: Jailhouse) -> None:
    """Somebody else's create goes through; who does not answer has failed."""
    bench = Bench.create(jailhouse, "test-timeout")
    protocol(bench, "ignore")
    bench.mark()
    jailhouse.create("test-other", timeout=15)
    bench.hypervisor_says(TIMEOUT)
    assert bench.state == "failed"
    assert jailhouse.state("test-other") == "shut down"
    bench.run("protocol")
    bench.says("^READY$")
    assert bench.state == "running"


@pytest.mark.parametrize("words", ["ignore", "deny=-1", "reply=77"])
def test_passive_cells_are_not_asked(jailhouse: Jailhouse, words: str) -> None:
    bench = Bench.create(jailhouse, "test-passive")
    for verb in ("start", "shutdown", "destroy"):
        protocol(bench, words)
        began = time.monotonic()
        getattr(jailhouse, verb)(bench.number)
        assert time.monotonic() - began < scaled(5)
    assert "MESSAGE" not in bench.text()


#: Where the region is, and what is said of a write to it.
PASSIVE = {
    "x86": ("mem-write addr=0x100008", "FATAL: Invalid MMIO/RAM write, addr: 0x0000000000100008 size: 4"),
    "arm64": ("write addr=0x80000008", "Unhandled data write at 0x80000008(4)"),
}


def test_passive_cells_cannot_write_their_region(jailhouse: Jailhouse, target: Target) -> None:
    """Read-only as configured: writing it is a violation like any other."""
    what, said = PASSIVE[target.architecture]
    bench = Bench.create(jailhouse, "test-passive")
    assert said in bench.outcome(f"{what} end=halt")


#: What a cell writes into its state: what others see, and whether it locks them.
STATES = {
    0: ("running", False),
    1: ("running/locked", True),
    2: ("shut down", False),
    3: ("failed", False),
    4: ("Comm ABI mismatch", False),
    5: ("invalid", False),
    0x12345678: ("invalid", False),
    0xFFFFFFFF: ("invalid", False),
}


@several
def test_states_that_a_cell_writes(jailhouse: Jailhouse) -> None:
    """Shown as they are, locking only by 1, and none keeps the cell from being managed."""
    before = jailhouse.pools()
    bench = Bench.create(jailhouse, "test-timeout")
    for value, (shown, locks) in STATES.items():
        protocol(bench, f"state={value}")
        assert bench.state == shown, value
        if locks:
            with refused():
                jailhouse.create("test-other")
        elif shown == "invalid":
            jailhouse.create("test-other")
            jailhouse.destroy("test-other")
        jailhouse.shutdown(bench.number)
        assert bench.state == "shut down"
    bench.destroy()
    survived(jailhouse, before)


def test_terminal_states_are_not_asked(jailhouse: Jailhouse) -> None:
    """test-wait has no timeout: asking a cell that ignores messages would never end."""
    bench = Bench.create(jailhouse, "test-wait")
    for state in (2, 3, 4):
        protocol(bench, f"ignore state={state}")
        jailhouse.shutdown(bench.number, timeout=10)
        assert "MESSAGE" not in bench.text()
        assert bench.state == "shut down"


@several
def test_a_cell_that_scribbles_over_its_region(jailhouse: Jailhouse) -> None:
    """Random states and answers: every operation ends, and nobody else is affected."""
    before = jailhouse.pools()
    bench = Bench.create(jailhouse, "test-timeout")
    slow = jailhouse.linux.machine.engine.emulator == "bochs"
    protocol(bench, f"storm words={500_000 if slow else 50_000_000}")
    seen = set()
    for _ in range(10):
        seen.add(bench.state)
        assert errno_of(jailhouse.shutdown, bench.number, timeout=15) in (0, errno.EPERM)
        assert errno_of(jailhouse.create, "test-other", timeout=15) in (0, errno.EPERM)
        assert errno_of(jailhouse.destroy, "test-other", timeout=15) in (0, errno.EPERM, errno.ENOENT)
        if bench.state == "shut down":
            break
    assert seen <= {shown for shown, _ in STATES.values()}
    deadline = time.monotonic() + scaled(30)
    while errno_of(jailhouse.destroy, bench.number, timeout=15):
        assert time.monotonic() < deadline, bench.state
    jailhouse.destroy_all()
    survived(jailhouse, before)


@several
def test_returning_from_main_shuts_the_cell_down(bench: Bench) -> None:
    protocol(bench, "lock exit")
    bench.done()
    deadline = time.monotonic() + scaled(5)
    while bench.state != "shut down":
        assert time.monotonic() < deadline, bench.state
    bench.jailhouse.create("test-other")


@several
def test_an_exception_nobody_handles_is_reported_by_the_library(bench: Bench) -> None:
    protocol(bench, "lock die")
    deadline = time.monotonic() + scaled(5)
    while bench.state != "failed":
        assert time.monotonic() < deadline, bench.state
    bench.jailhouse.create("test-other")


@pytest.mark.architectures("x86", reason="its test program is x86 code")
def test_the_region_is_filled_at_every_start(bench: Bench) -> None:
    """Signature, revision, state; what the last run left there is gone."""
    for _ in range(2):
        bench.run("probe")
        text = bench.done()
        head = bytes.fromhex(next(line for line in text.splitlines() if line.startswith("COMM 0 "))[7:])
        assert head[:6] == b"JHCOMM"
        assert head[6:8] == b"\x02\x00"
        assert head[8:12] == bytes(4), "state running"
        assert "COMM rest zero" in text
        bench.run("protocol", "state=3")
        bench.says("^READY$")
