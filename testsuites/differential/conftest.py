# SPDX-License-Identifier: GPL-2.0-only
"""Two machines at once."""

from collections.abc import Iterator

import pytest

from harness.guest.linux import Linux
from harness.plugin.folder import TestFolder
from harness.plugin.run import RUN
from harness.session import shut
from harness.targets import TARGETS
from testsuites.fixtures import verbs

__all__ = ["verbs"]


@pytest.fixture
def reference(request: pytest.FixtureRequest, folder: TestFolder) -> Iterator[Linux]:
    """A Linux on the machine of AMD's, in QEMU."""
    run = request.config.stash[RUN]
    own = TestFolder(folder.path / "reference", folder.rerun, folder.machines)
    linux = run.lab(TARGETS["amd-tcg"]).linux(run.variant(), tell=own.record)
    try:
        yield linux
        linux.check_health()
    finally:
        own.close()
        shut(linux)
