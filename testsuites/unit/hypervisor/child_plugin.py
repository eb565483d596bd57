# SPDX-License-Identifier: GPL-2.0-only
"""The child's side of conftest.py: run the node ids that come in, send the reports back."""

from __future__ import annotations

import json
import os
from typing import Any

import pytest
from conftest import CHILD


class Server:
    def __init__(self, config: pytest.Config) -> None:
        commands, reports = (int(fd) for fd in os.environ[CHILD].split(","))
        self._config = config
        self._commands = os.fdopen(commands, "r")
        self._reports = os.fdopen(reports, "w")

    def send(self, message: Any) -> None:
        self._reports.write(json.dumps(message) + "\n")
        self._reports.flush()

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        self.send(self._config.hook.pytest_report_to_serializable(config=self._config, report=report))

    @pytest.hookimpl(tryfirst=True)
    def pytest_runtestloop(self, session: pytest.Session) -> bool:
        items = {item.nodeid: item for item in session.items}
        for line in self._commands:
            item = items[line.rstrip("\n")]
            self._config.hook.pytest_runtest_protocol(item=item, nextitem=None)
            self.send(None)
        return True


def pytest_configure(config: pytest.Config) -> None:
    config.pluginmanager.register(Server(config), "hostlib-server")
