# SPDX-License-Identifier: GPL-2.0-only
"""What the fixture `measured` gives."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from harness.image import Artifacts
from harness.jitterdata import JitterRun


@dataclass(frozen=True)
class Measured:
    """The run of this session, and how to make more of them."""

    run: JitterRun
    folder: Path
    kernel: str
    artifacts: Artifacts

    @property
    def streams(self) -> Path:
        return self.folder / "cell"
