# SPDX-License-Identifier: GPL-2.0-only
"""`jailhouse config check`: what users read (abi.md 6.9)."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path

from jailhouse.cellfile import (
    Architecture,
    ArchitectureError,
    CellConfig,
    CellFileError,
    RevisionError,
    SignatureError,
    SystemConfig,
)
from jailhouse.check import CHECKS, ConfigSet

#: What hypervisors are built for. 32-bit ARM is a word of the format (abi.md 1.1) and no more.
BUILT = (Architecture.X86, Architecture.ARM64)


class ReadError(Exception):
    """A file that can't be checked; the text is for stderr."""


def run(system_file: str, cell_files: Sequence[str], verbose: bool = False) -> int:
    """Print everything that is found; 1 if there is an error, warnings alone are 0."""
    try:
        configs = _read(system_file, cell_files)
    except ReadError as error:
        sys.stdout.flush()
        print(error, file=sys.stderr)
        return 1
    failed = False
    for item in CHECKS:
        if not item.applies(configs):
            continue
        findings = item.findings(configs)
        failed |= any(finding.is_error for finding in findings)
        if findings:
            print(f"{item.title(configs)}:")
            for finding in findings:
                print(f"  {finding}")
        elif item.contract or verbose:
            print(f"{item.title(configs)}: None")
    return 1 if failed else 0


def _read(system_file: str, cell_files: Sequence[str]) -> ConfigSet:
    print("Reading configuration set:")
    data = _content(system_file)
    try:
        system = SystemConfig.from_bytes(data, system_file)
        if system.architecture not in BUILT:
            raise _nothing_built(system)
    except CellFileError as error:
        raise ReadError(_describe(error, "Not a root cell configuration")) from None
    label = Architecture(system.architecture).label
    print(f"  Architecture:  {label}")
    print(f"  Root cell:     {system.root_cell.label} ({system_file})")
    cells = []
    for file in cell_files:
        data = _content(file)
        try:
            cell = CellConfig.from_bytes(data, file)
        except CellFileError as error:
            raise ReadError(_describe(error, "Not a cell configuration")) from None
        if cell.architecture != system.architecture:
            other = Architecture(cell.architecture).label
            raise ReadError(f"Cell architecture mismatch: {other}: {file}")
        print(f"  Non-root cell: {cell.label} ({file})")
        cells.append(cell)
    return ConfigSet(system, tuple(cells))


def _nothing_built(system: SystemConfig) -> ArchitectureError:
    """The driver refuses it on every machine: each is built for another one."""
    built = ", ".join(f"{known.value} ({known.label})" for known in BUILT)
    found = f"{system.architecture} ({Architecture(system.architecture).label})"
    expected = f"there are drivers for {built}"
    return ArchitectureError(system.file, 5, "architecture", found, expected)


def _content(file: str) -> bytes:
    try:
        return Path(file).read_bytes()
    except OSError as error:
        raise ReadError(f"{file}: {error.strerror}") from None


def _describe(error: CellFileError, wrong_kind: str) -> str:
    """The contract's reason and file, then what exactly is wrong."""
    reason = "Truncated configuration"
    if isinstance(error, SignatureError):
        reason = wrong_kind
    elif isinstance(error, RevisionError):
        reason = "Configuration file revision mismatch"
    elif isinstance(error, ArchitectureError):
        reason = "Configuration has unsupported architecture"
    elif error.offset < 8:
        reason = wrong_kind
    return f"{reason}: {error.file}\n  {error}"
