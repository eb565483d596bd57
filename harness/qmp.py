# SPDX-License-Identifier: GPL-2.0-only
"""QEMU's monitor, for callers that are not asynchronous.

The protocol is `qemu.qmp`'s; its event loop runs in a thread of its own.
"""

from __future__ import annotations

import asyncio
import contextlib
import threading
from collections.abc import Coroutine
from pathlib import Path
from typing import Any, TypeVar

from qemu.qmp import QMPClient, QMPError

from harness.errors import EmulatorDied

_T = TypeVar("_T")


class Monitor:
    """One QMP connection. Listens first, so that QEMU can connect to it."""

    def __init__(self, path: Path) -> None:
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, name="qmp", daemon=True)
        self._thread.start()
        self._client = QMPClient("harness")
        self._do(self._client.start_server(str(path)), 10)

    def _do(self, work: Coroutine[Any, Any, _T], timeout: float) -> _T:
        future = asyncio.run_coroutine_threadsafe(work, self._loop)
        try:
            return future.result(timeout)
        except TimeoutError as error:
            future.cancel()
            raise EmulatorDied(f"QEMU's monitor did not answer in {timeout:.0f} s") from error
        except (QMPError, OSError, EOFError) as error:
            raise EmulatorDied(f"QEMU's monitor: {error}") from error

    def accept(self, timeout: float) -> None:
        """Wait for QEMU to connect and agree on capabilities."""
        self._do(self._client.accept(), timeout)

    def execute(
        self, command: str, arguments: dict[str, object] | None = None, timeout: float = 20.0
    ) -> Any:
        """Run one QMP command; EmulatorDied if it fails or does not answer."""
        return self._do(self._client.execute(command, arguments), timeout)

    def human(self, line: str) -> str:
        """Run one line of the human monitor and return what it printed."""
        return str(self.execute("human-monitor-command", {"command-line": line}))

    def close(self) -> None:
        """Disconnect; never raises."""
        with contextlib.suppress(EmulatorDied, Exception):
            self._do(self._client.disconnect(), 5)
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(5)
        if not self._thread.is_alive():
            self._loop.close()
