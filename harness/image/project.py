# SPDX-License-Identifier: GPL-2.0-only
"""Our own files as a layer over the Debian base."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from harness.image import bytecode, cpio
from harness.image.cpio import Node
from harness.provision import KernelTree

PYTHON_PACKAGES = "usr/lib/python3/dist-packages"


@dataclass(frozen=True)
class Artifacts:
    """What was built, as paths; what is None or empty is left out of the guest.

    ``extra`` maps guest paths to files for a single test's sake; executable
    files stay executable.
    """

    firmware: tuple[Path, ...] = ()
    driver: Path | None = None
    test_modules: tuple[Path, ...] = ()
    configs: tuple[Path, ...] = ()
    device_trees: tuple[Path, ...] = ()
    inmates: tuple[Path, ...] = ()
    tool_inmates: tuple[Path, ...] = ()
    tools: Path | None = None
    command: Path | None = None
    agent: Path | None = None
    extra: Mapping[str, Path] = field(default_factory=dict)

    @property
    def trees(self) -> tuple[Path, ...]:
        """The build trees that hypervisor and inmates come from."""
        found = [path.parents[1] for path in self.firmware] + [p.parents[3] for p in self.inmates]
        return tuple(dict.fromkeys(found))

    @staticmethod
    def from_build(repository: Path, out: Path, release: str, arch: str = "x86") -> Artifacts:
        """The usual build tree (``make O=out``); parts not built are left out."""

        def existing(path: Path) -> Path | None:
            return path if path.exists() else None

        def found(pattern: str) -> tuple[Path, ...]:
            return tuple(sorted(out.glob(pattern)))

        return Artifacts(
            firmware=found("hypervisor/jailhouse*.bin"),
            driver=existing(out / "driver" / release / "jailhouse.ko"),
            test_modules=tuple(
                path for path in found(f"driver/{release}/*.ko") if path.name != "jailhouse.ko"
            ),
            configs=found(f"configs/{arch}/*.cell"),
            device_trees=found(f"configs/{arch}/dts/*.dtb"),
            inmates=(
                *found(f"inmates/demos/{arch}/*.bin"),
                *found(f"inmates/tests/{arch}/*.bin"),
                *found("inmates/tests/common/*.bin"),
            ),
            tool_inmates=found(f"inmates/tools/{arch}/*.bin"),
            tools=existing(repository / "tools" / "jailhouse"),
            command=existing(repository / "tools" / "bin" / "jailhouse"),
            agent=existing(repository / "harness" / "guest" / "agent.py"),
        )


def _file(path: Path, mode: int | None = None) -> Node:
    if mode is None:
        mode = 0o755 if path.stat().st_mode & 0o100 else 0o644
    return cpio.file(path.read_bytes(), mode)


def _python_package(package: Path) -> dict[str, bytes]:
    return {
        f"{PYTHON_PACKAGES}/{package.name}/{path.relative_to(package)}": path.read_bytes()
        for path in sorted(package.rglob("*.py"))
    }


def _cached_name(path: str, tag: str) -> str:
    folder, name = path.rsplit("/", 1)
    return f"{folder}/__pycache__/{name.removesuffix('.py')}.{tag}.pyc"


def project_nodes(artifacts: Artifacts, kernel: KernelTree, suite: str) -> dict[str, Node]:
    """Guest paths and contents of the project layer."""
    nodes: dict[str, Node] = {}
    folders = (
        ("lib/firmware", artifacts.firmware),
        ("usr/share/jailhouse/configs", artifacts.configs),
        ("usr/share/jailhouse/configs/dts", artifacts.device_trees),
        ("usr/share/jailhouse/inmates", artifacts.inmates),
        ("usr/libexec/jailhouse", artifacts.tool_inmates),
    )
    for folder, paths in folders:
        for path in paths:
            nodes[cpio.guest_path(f"{folder}/{path.name}")] = _file(path, 0o644)
    drivers = () if artifacts.driver is None else (artifacts.driver,)
    for path in (*drivers, *artifacts.test_modules):
        updates = f"usr/lib/modules/{kernel.release}/updates/{path.name}"
        nodes[updates] = _file(path, 0o644)
    if artifacts.command is not None:
        nodes["usr/sbin/jailhouse"] = _file(artifacts.command, 0o755)
    python: dict[str, bytes] = {}
    if artifacts.tools is not None:
        python |= _python_package(artifacts.tools)
    if artifacts.agent is not None:
        python["usr/lib/jailhouse/agent.py"] = artifacts.agent.read_bytes()
    if python:
        tag = bytecode.guest_python(suite).tag
        for name, code in bytecode.compile_all(python, suite).items():
            nodes[name] = cpio.file(python[name])
            nodes[_cached_name(name, tag)] = cpio.file(code)
    for guest, source in artifacts.extra.items():
        nodes[cpio.guest_path(guest)] = _file(source)
    return nodes
