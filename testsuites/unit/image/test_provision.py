# SPDX-License-Identifier: GPL-2.0-only
"""Emulators and kernels: what we unpack runs, and is of one version."""

import gzip
import lzma
import os
import struct
import subprocess
from pathlib import Path

import pytest

from harness import provision
from harness.artifacts import TOOLCHAINS, Toolchain
from harness.provision import KERNEL_SUITES, ProvisionError

MODULE = """
#include <linux/module.h>
static int __init start(void) { pr_info("hello\\n"); return 0; }
static void __exit stop(void) { }
module_init(start);
module_exit(stop);
MODULE_LICENSE("GPL");
"""


@pytest.mark.parametrize(
    ("text", "version"),
    [
        ("QEMU emulator version 10.0.13 (Debian 1:10.0.13+ds-0+deb13u1)\n", (10, 0, 13)),
        ("QEMU emulator version 7.2.19 (Debian 1:7.2+dfsg-7+deb12u16)\n", (7, 2, 19)),
    ],
)
def test_version_line(text: str, version: tuple[int, int, int]) -> None:
    assert provision.parse_qemu_version(text) == version


def test_version_of_something_else() -> None:
    with pytest.raises(ProvisionError, match="not QEMU"):
        provision.parse_qemu_version("bash: no such thing")


def bzimage(payload: bytes) -> bytes:
    """A boot image with nothing but the fields that lead to the payload."""
    head = bytearray(0x400 + 0x200)
    head[0x1F1] = 1
    head[0x202:0x206] = b"HdrS"
    struct.pack_into("<II", head, 0x248, 0x200, len(payload))
    return bytes(head) + payload


def test_vmlinux_is_found_in_a_boot_image() -> None:
    elf = b"\x7fELF" + bytes(1000)
    assert provision.extract_vmlinux(bzimage(lzma.compress(elf) + b"size")) == elf


@pytest.mark.parametrize(
    ("image", "message"),
    [
        (bytes(4096), "not a bzImage"),
        (bzimage(b"unheard-of"), "unknown compression"),
        (bzimage(lzma.compress(b"MZ")), "not an ELF"),
    ],
)
def test_broken_boot_images_are_named(image: bytes, message: str) -> None:
    with pytest.raises(ProvisionError, match=message):
        provision.extract_vmlinux(image)


def arm64_image(body: bytes = bytes(1000)) -> bytes:
    return bytes(56) + b"ARM\x64" + body


@pytest.mark.parametrize(
    "packed", [arm64_image(), gzip.compress(arm64_image(), mtime=0)], ids=["plain", "gzip"]
)
def test_arm64_image_plain_or_compressed(packed: bytes) -> None:
    assert provision.extract_image(packed) == arm64_image()


def test_an_arm64_image_has_its_magic() -> None:
    with pytest.raises(ProvisionError, match="not an arm64"):
        provision.extract_image(bytes(100))


def test_old_host_qemu_is_not_taken(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    fake = tmp_path / "qemu-system-x86_64"
    monkeypatch.setenv("PATH", f"{tmp_path}:{os.environ['PATH']}")
    fake.write_text("#!/bin/sh\necho QEMU emulator version 10.0.2\n")
    fake.chmod(0o755)
    assert provision.host_qemu(fake.name) is None
    fake.write_text("#!/bin/sh\necho QEMU emulator version 10.0.3\n")
    tree = provision.host_qemu(fake.name)
    assert tree is not None
    assert tree.argv == (str(fake),)


@pytest.mark.parametrize("name", list(provision._ENGINES))
def test_unpacked_qemu_has_all_its_libraries(name: str) -> None:
    tree = provision.unpacked_qemu(provision._ENGINES[name])
    assert tree.version >= provision.QEMU_MINIMUM
    loader, option, libraries, program = tree.argv[:4]
    done = subprocess.run(
        [loader, option, libraries, "--list", program], capture_output=True, text=True, check=True
    )
    assert "not found" not in done.stdout
    outside = [
        line
        for line in done.stdout.splitlines()
        if "=> /" in line and libraries not in line and "ld-linux" not in line
    ]
    assert outside == []


def test_unknown_names_list_the_known() -> None:
    with pytest.raises(ProvisionError, match=r"known are 6\.1"):
        provision.kernel("2.4")
    with pytest.raises(ProvisionError, match="known are qemu-x86"):
        provision.engine("simics")


@pytest.mark.parametrize(("arch", "magic"), [("amd64", b"\x7fELF"), ("arm64", b"MZ")])
@pytest.mark.parametrize("version", list(KERNEL_SUITES))
def test_kernel_is_of_one_version(version: str, arch: str, magic: bytes) -> None:
    kernel = provision.kernel(version, arch)
    assert kernel.release.startswith(f"{version}.")
    assert kernel.release.endswith(arch)
    for path in (kernel.image, kernel.payload, kernel.system_map, kernel.config):
        assert path.is_file(), path
    # Debian's arm64 Image begins as an EFI program.
    assert kernel.payload.read_bytes().startswith(magic)
    generated = kernel.build / "include/generated/utsrelease.h"
    assert f'"{kernel.release}"' in generated.read_text()


@pytest.mark.parametrize("tools", TOOLCHAINS.values(), ids=lambda tools: tools.arch)
@pytest.mark.parametrize("version", list(KERNEL_SUITES))
def test_modules_build_against_the_headers(version: str, tools: Toolchain, tmp_path: Path) -> None:
    kernel = provision.kernel(version, tools.debian)
    (tmp_path / "trivial.c").write_text(MODULE)
    (tmp_path / "Makefile").write_text("obj-m := trivial.o\n")
    environment = {name: os.environ[name] for name in ("PATH", "HOME") if name in os.environ}
    done = subprocess.run(
        ["make", "-s", "-C", kernel.build, f"M={tmp_path}", *tools.words(), "modules"],
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    built = (tmp_path / "trivial.ko").read_bytes()
    assert f"vermagic={kernel.release} ".encode() in built
    # ELF header, e_machine: EM_X86_64 or EM_AARCH64.
    assert int.from_bytes(built[18:20], "little") == {"amd64": 62, "arm64": 183}[tools.debian]
