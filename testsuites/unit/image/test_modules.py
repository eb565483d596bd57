# SPDX-License-Identifier: GPL-2.0-only
"""Kernel modules: dependencies first, compressed or not."""

import lzma
from dataclasses import replace
from pathlib import Path

import pytest

from harness import provision
from harness.image.modules import ModuleSet, depends
from harness.provision import KernelTree, ProvisionError


def module(*needs: str) -> bytes:
    return b"\x7fELF\0license=GPL\0depends=" + ",".join(needs).encode() + b"\0name=x\0"


@pytest.fixture
def kernel(tmp_path: Path) -> KernelTree:
    folder = tmp_path / "kernel" / "drivers"
    folder.mkdir(parents=True)
    (folder / "top-most.ko").write_bytes(module("left", "right"))
    (folder / "left.ko").write_bytes(module("base", "inside"))
    (folder / "right.ko.xz").write_bytes(lzma.compress(module("base")))
    (folder / "base.ko").write_bytes(module())
    (tmp_path / "modules.builtin").write_text("kernel/lib/inside.ko\n")
    nowhere = Path("/nonexistent")
    tree = KernelTree("0", "amd64", "0-test", *[nowhere] * 7)
    return replace(tree, modules=tmp_path)


def test_depends_field() -> None:
    assert depends(module("a", "b")) == ["a", "b"]
    assert depends(module()) == []
    assert depends(b"nothing") == []


def test_dependencies_come_first(kernel: KernelTree) -> None:
    modules = ModuleSet(kernel)
    assert modules.ordered(["top-most"]) == ["base", "left", "right", "top_most"]
    assert modules.closure("top_most") == ["right", "left", "base"]


def test_guest_modules_are_uncompressed(kernel: KernelTree) -> None:
    modules = ModuleSet(kernel)
    assert modules.path("right") == "kernel/drivers/right.ko"
    assert modules.content("right") == module("base")


def test_missing_module_is_named(kernel: KernelTree) -> None:
    with pytest.raises(ProvisionError, match="0-test has no module absent"):
        ModuleSet(kernel).ordered(["absent"])


@pytest.mark.parametrize("version", list(provision.KERNEL_SUITES))
def test_real_kernels_have_what_images_load(version: str) -> None:
    order = ModuleSet(provision.kernel(version)).ordered(["e1000e", "ahci", "sd_mod"])
    assert order.index("libata") < order.index("ahci")
    assert {"e1000e", "scsi_mod", "sd_mod"} <= set(order)
