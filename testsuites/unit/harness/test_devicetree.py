# SPDX-License-Identifier: GPL-2.0-only
"""Device trees of boards: what is changed, and that nothing else is."""

import fdt
import pytest

from harness import provision
from harness.devicetree import DeviceTree, DeviceTreeError, adapted
from harness.machine import MACHINES


def node(name: str, **properties: object) -> fdt.Node:
    made = fdt.Node(name)
    for key, value in properties.items():
        made.set_property(key.replace("_", "-"), value)
    return made


def board() -> bytes:
    """A firmware that has a handle, and a bus with a UART and something else."""
    tree = fdt.FDT()
    tree.root.set_property("model", "board")
    tree.root.append(node("firmware", phandle=7))
    bus = node("bus")
    bus.append(
        node(
            "serial@1000", status="disabled", clocks=[7, 1, 7, 2],
            clock_names=["uart", "bus"], power_domains=9,
        )
    )  # fmt: skip
    bus.append(node("video@2000", reg=[1, 2], power_domains=9))
    tree.root.append(bus)
    return bytes(tree.to_dtb(version=17))


def changed(**changes: object) -> fdt.FDT:
    return fdt.parse_dtb(adapted(DeviceTree("x.dtb", **changes), board()))  # type: ignore[arg-type]


def test_nodes_are_switched() -> None:
    tree = changed(enabled=("serial@1000",), disabled=("video@2000",))
    assert tree.get_property("status", "/bus/serial@1000").value == "okay"
    assert tree.get_property("status", "/bus/video@2000").value == "disabled"


def test_nodes_that_a_tree_need_not_have() -> None:
    tree = changed(disabled_if_there=("video@2000", "audio@3000"))
    assert tree.get_property("status", "/bus/video@2000").value == "disabled"
    assert tree.get_property("status", "/bus/serial@1000").value == "disabled", "as it was"
    assert not tree.exist_node("/bus/audio@3000")


def test_properties_are_taken_from_every_node() -> None:
    tree = changed(without=("power-domains",))
    assert not tree.exist_property("power-domains", "/bus/serial@1000")
    assert not tree.exist_property("power-domains", "/bus/video@2000")
    assert tree.get_property("reg", "/bus/video@2000").data == [1, 2]


def test_a_property_becomes_a_number() -> None:
    tree = changed(changed=(("video@2000", "reg", 23),))
    assert tree.get_property("reg", "/bus/video@2000").data == [23]


def test_clocks_become_fixed_ones() -> None:
    tree = changed(clocked=("serial@1000",), clock_hz=50_000_000)
    handle = tree.get_property("phandle", "/board-clock").value
    assert handle == 8, "one that nobody has"
    assert tree.get_property("clock-frequency", "/board-clock").value == 50_000_000
    assert tree.get_property("#clock-cells", "/board-clock").value == 0
    # One for each name.
    assert tree.get_property("clocks", "/bus/serial@1000").data == [handle, handle]


def test_a_wrong_path_is_named() -> None:
    with pytest.raises(DeviceTreeError, match="0 nodes called serial@3000"):
        changed(enabled=("serial@3000",))


@pytest.mark.parametrize("version", list(provision.KERNEL_SUITES))
@pytest.mark.parametrize(
    "spec", [spec for spec in MACHINES.values() if spec.device_tree], ids=lambda spec: spec.name
)
def test_boards_trees_exist_and_can_be_adapted(spec, version: str) -> None:  # type: ignore[no-untyped-def]
    kernel = provision.kernel(version, "arm64")
    source = kernel.device_tree(spec.device_tree.source)
    first = adapted(spec.device_tree, source)
    assert first == adapted(spec.device_tree, source)
    assert fdt.parse_dtb(first).get_property("model").value
