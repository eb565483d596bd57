# SPDX-License-Identifier: GPL-2.0-only
"""Device trees of boards: Debian's own, less what the emulated board has not.

A board's tree is data: which file of the kernel package, and what is changed in
it. `adapted()` is a pure function, so the same inputs give the same bytes.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import fdt

#: The node that clocks are replaced by.
CLOCK = "board-clock"


class DeviceTreeError(Exception):
    """A change names a node that the tree has not, or has more than once."""


@dataclass(frozen=True)
class DeviceTree:
    """Nodes are named without their path, e.g. "serial@ff000000": buses come and go
    between kernels, addresses stay."""

    #: File below the kernel package's folder of device trees.
    source: str
    enabled: tuple[str, ...] = ()
    disabled: tuple[str, ...] = ()
    #: Disabled too, where the kernel's tree has them: not all do.
    disabled_if_there: tuple[str, ...] = ()
    #: Properties that no node keeps (drivers would wait for their providers for ever).
    without: tuple[str, ...] = ()
    #: Nodes whose clocks become fixed ones, where firmware would answer for them.
    clocked: tuple[str, ...] = ()
    #: Nodes with a property and what it becomes: a number.
    changed: tuple[tuple[str, str, int], ...] = ()
    #: Frequency of the fixed clock in Hz.
    clock_hz: int = 100_000_000


def adapted(tree: DeviceTree, source: bytes) -> bytes:
    """The blob of `tree`, made of the file's content; DeviceTreeError names a wrong node."""
    import fdt  # noqa: PLC0415 (machines are listed before anything is installed)

    blob = fdt.parse_dtb(source)
    for path, _, _ in list(blob.walk()):
        node = blob.get_node(path)
        for name in tree.without:
            if node.exist_property(name):
                node.remove_property(name)
    for name in tree.enabled:
        _node(blob, name).set_property("status", "okay")
    for name in tree.disabled:
        _node(blob, name).set_property("status", "disabled")
    for path, _, _ in blob.walk():
        if path.rpartition("/")[2] in tree.disabled_if_there:
            blob.get_node(path).set_property("status", "disabled")
    for name, key, value in tree.changed:
        _node(blob, name).set_property(key, value)
    if tree.clocked:
        _fix_clocks(blob, tree)
    version = blob.header.version or 17
    return bytes(blob.to_dtb(version=version))


def _node(blob: fdt.FDT, name: str) -> fdt.Node:
    found = [path for path, _, _ in blob.walk() if path.rpartition("/")[2] == name]
    if len(found) != 1:
        raise DeviceTreeError(f"{len(found)} nodes called {name}: one is wanted")
    return blob.get_node(found[0])


def _fix_clocks(blob: fdt.FDT, tree: DeviceTree) -> None:
    import fdt  # noqa: PLC0415

    handle = 1 + max(
        int(blob.get_property("phandle", path).value)
        for path, _, properties in blob.walk()
        if any(found.name == "phandle" for found in properties)
    )
    clock = fdt.Node(CLOCK)
    clock.set_property("compatible", "fixed-clock")
    clock.set_property("#clock-cells", 0)
    clock.set_property("clock-frequency", tree.clock_hz)
    clock.set_property("phandle", handle)
    blob.root.append(clock)
    for name in tree.clocked:
        node = _node(blob, name)
        # One for each of its names; a reference without cells.
        node.set_property("clocks", [handle] * len(node.get_property("clock-names").data))
