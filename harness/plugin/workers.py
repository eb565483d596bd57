# SPDX-License-Identifier: GPL-2.0-only
"""pytest-xdist: what is done once for all workers, how many there are, how they end."""

from __future__ import annotations

import contextlib
import ctypes
import os
import signal
from typing import Any

import psutil
import pytest

from harness.plugin.run import RUN, Run

PR_SET_PDEATHSIG = 1
#: What execnet starts a worker's interpreter with.
WORKER = "import sys;exec(eval(sys.stdin.readline()))"
#: Host memory that one machine takes, in bytes: its RAM, the emulator, its translations.
MACHINE_MEMORY = 1536 << 20


def machines_at_once(cores: int, free: int) -> int:
    """How many machines a host carries: three for two cores, if `free` bytes of memory allow.

    Tests wait a lot: for something to be silent, to expire, to end.
    """
    return max(1, min(cores + cores // 2, free // MACHINE_MEMORY))


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_auto_num_workers(config: pytest.Config) -> int:
    """`-n auto` follows cores and memory."""
    return machines_at_once(len(os.sched_getaffinity(0)), psutil.virtual_memory().available)


@pytest.hookimpl(optionalhook=True)
def pytest_configure_node(node: Any) -> None:
    """Tell a worker where the run's results are."""
    node.workerinput["jailhouse_run"] = str(node.config.stash[RUN].directory)
    node.workerinput["jailhouse_controller"] = os.getpid()


def die_with(controller: int) -> None:
    """In a worker: when the controlling process is gone, so are we, at once.

    Without this a worker notices when it next reports, and execnet gives it
    fifteen seconds more. Emulators end with the worker (see `supervise`).
    """
    ctypes.CDLL(None, use_errno=True).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
    if os.getppid() != controller:
        os._exit(1)


@pytest.hookimpl(tryfirst=True)
def pytest_keyboard_interrupt() -> None:
    """Ctrl-C ends the workers at once, whatever they are in the middle of.

    xdist asks them to end, and waits ten seconds before it makes them.
    """
    for worker in psutil.Process().children():
        with contextlib.suppress(psutil.Error):
            if WORKER in worker.cmdline():
                worker.kill()


def prepare(run: Run) -> None:
    """Build artifacts and images before workers start; they then only find them."""
    for target in run.targets:
        run.artifacts(run.kernel, target.architecture)
        run.lab(target).plan(run.variant())
