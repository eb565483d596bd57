# SPDX-License-Identifier: GPL-2.0-only
"""What one process of a run knows: what is tested, on what, and where results go."""

from __future__ import annotations

import hashlib
import shlex
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from harness import artifacts as builds
from harness import expected
from harness.checkpoints import Store
from harness.image import Artifacts
from harness.session import Lab, Variant
from harness.targets import Target

if TYPE_CHECKING:
    from harness.plugin.shared import Shared

RUN = pytest.StashKey["Run"]()


@dataclass
class Run:
    """State of one process of a run."""

    config: pytest.Config
    directory: Path
    worker: str
    kernel: str
    parameters: tuple[str, ...]
    prebuilt: Path | None
    targets: list[Target]
    #: No checkpoints.
    boot: bool = False
    outcomes: list[expected.Outcome] = field(default_factory=list)
    verdicts: set[str] = field(default_factory=set)
    violations: list[str] = field(default_factory=list)
    shared: Shared | None = None
    _built: dict[tuple[str, str], Artifacts] = field(default_factory=dict)

    @property
    def controls(self) -> bool:
        return self.worker == "main"

    def artifacts(self, kernel: str, arch: str = "x86") -> Artifacts:
        """What is tested on an architecture, built at most once a process."""
        key = kernel, arch
        if key not in self._built:
            if self.prebuilt is not None:
                self._built[key] = builds.found(self.prebuilt, kernel, arch)
            elif self.controls:
                self._built[key] = builds.build(kernel, arch)
            else:
                # The controlling process built it before this worker started.
                self._built[key] = builds.found(builds.build_root(arch), kernel, arch)
        return self._built[key]

    def command(self, node_id: str) -> str:
        """One line that runs one test again, the same way."""
        words = ["python", "-m", "pytest", node_id, "--kernel", self.kernel]
        if self.prebuilt is not None:
            words += ["--artifacts", str(self.prebuilt)]
        if self.boot:
            words.append("--boot")
        if self.parameters:
            words += ["--cmdline-extra", " ".join(self.parameters)]
        return shlex.join(words)

    def tested(self) -> dict[str, str]:
        """Hashes of the hypervisor images under test, by file name."""
        directories = (
            [self.prebuilt]
            if self.prebuilt is not None
            else [builds.build_root(arch) for arch in self.architectures]
        )
        return {
            path.name: hashlib.sha256(path.read_bytes()).hexdigest()[:16]
            for directory in directories
            for path in sorted(directory.glob("hypervisor/jailhouse*.bin"))
        }

    @property
    def architectures(self) -> list[str]:
        """Those of the targets, once each."""
        return sorted({target.architecture for target in self.targets})

    def lab(self, target: Target) -> Lab:
        def built(kernel: str) -> Artifacts:
            return self.artifacts(kernel, target.architecture)

        store = None if self.boot else Store()
        return Lab(target, built, self.directory, f"{self.worker}-{target.name}", store=store)

    def variant(self, **changes: Any) -> Variant:
        changes.setdefault("kernel", self.kernel)
        changes["parameters"] = (*self.parameters, *changes.get("parameters", ()))
        return Variant(**changes)
