# SPDX-License-Identifier: GPL-2.0-only
"""Emulators and Debian kernels, unpacked privately into the cache.

``engine("qemu-x86")`` answers a QEMU that is new enough: the host's own, or
Debian trixie's, run from an unpacked tree with its own loader and libraries.
``kernel("6.1")`` answers a Debian kernel: the boot image, what QEMU starts (x86:
the ELF vmlinux, through PVH; arm64: the Image), System.map, modules, and a build
directory for external modules, all of one version. The programs that build
modules (kbuild) are those for this host, whatever the kernel is for.

Errors: :class:`ProvisionError` for what this host or archive cannot give, and
those of :mod:`harness.packages`.
"""

from __future__ import annotations

import argparse
import gzip
import lzma
import os
import platform
import re
import shutil
import struct
import subprocess
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path

from harness import packages
from harness.packages import Apt, Package, Progress, Resolution, say

#: The oldest QEMU that all machines work on (platforms.md 0).
QEMU_MINIMUM = (10, 0, 3)
#: Debian suite that a kernel series comes from.
KERNEL_SUITES: Mapping[str, str] = {"6.1": "bookworm", "6.12": "bookworm-backports"}
#: The kernel used where nobody asks for another one.
DEFAULT_KERNEL = "6.1"

_DEBIAN_CPU = {"x86_64": "amd64", "aarch64": "arm64", "armv7l": "armhf"}


class ProvisionError(Exception):
    """This host or its mirror cannot give what was asked for."""


@dataclass(frozen=True)
class QemuTree:
    """How to run one QEMU: ``argv`` replaces the program's name."""

    argv: tuple[str, ...]
    version: tuple[int, int, int]
    env: Mapping[str, str] = field(default_factory=dict)

    @property
    def version_text(self) -> str:
        """The version as QEMU prints it."""
        return ".".join(str(part) for part in self.version)

    def environment(self) -> dict[str, str]:
        """This process's environment with what this QEMU needs."""
        return {**os.environ, **self.env}


@dataclass(frozen=True)
class KernelTree:
    """One Debian kernel.

    ``image`` is the distribution's boot image (x86: a bzImage, which randomises
    its addresses); ``payload`` the kernel out of it (x86: the ELF file, PVH entry,
    seconds faster, text not randomised; arm64: the plain Image).  ``build`` is what
    external modules take as KDIR.
    """

    version: str
    arch: str
    release: str
    root: Path
    image: Path
    payload: Path
    system_map: Path
    config: Path
    modules: Path
    build: Path

    def device_tree(self, name: str) -> bytes:
        """A board's blob, by its path below the package's folder of them."""
        path = self.root / "usr/lib" / f"linux-image-{self.release}" / name
        if not path.is_file():
            raise ProvisionError(f"kernel {self.release} has no device tree {name}")
        return path.read_bytes()


def native_architecture() -> str:
    """Debian's name of this host's architecture."""
    try:
        return _DEBIAN_CPU[platform.machine()]
    except KeyError:
        raise ProvisionError(f"no Debian packages for a {platform.machine()} host") from None


# --- emulators ---------------------------------------------------------------


@dataclass(frozen=True)
class _QemuSource:
    program: str
    package: str


_ENGINES: Mapping[str, _QemuSource] = {
    "qemu-x86": _QemuSource("qemu-system-x86_64", "qemu-system-x86"),
    "qemu-arm64": _QemuSource("qemu-system-aarch64", "qemu-system-arm"),
}

#: Dependencies that only maintainer scripts, or features we never use, need.
#: test_provision checks that every library QEMU is linked with is still there.
_QEMU_LEAVE_OUT = (
    "adduser", "base-passwd", "debconf", "gcc-14-base", "ipxe-qemu",
    "libasound2-data", "libaudit-common", "libdb5.3t64", "libdebconfclient0", "libexecs1",
    "libpam-modules", "libpam-modules-bin", "libpam0g", "libsasl2-modules-db",
    "libsemanage-common", "libsemanage2", "libsepol2", "login.defs",
    "openssl-provider-legacy", "passwd",
)  # fmt: skip
_QEMU_FILES_OUT = ("./usr/share/doc", "./usr/share/man", "./usr/share/locale", "./etc")


def parse_qemu_version(text: str) -> tuple[int, int, int]:
    """Version out of what ``qemu-system-* --version`` prints."""
    match = re.search(r"version (\d+)\.(\d+)\.(\d+)", text)
    if match is None:
        raise ProvisionError(f"not QEMU's version line: {text[:80]!r}")
    return int(match[1]), int(match[2]), int(match[3])


def _ask_version(argv: Sequence[str], env: Mapping[str, str]) -> tuple[int, int, int]:
    done = subprocess.run(
        [*argv, "--version"], env={**os.environ, **env}, capture_output=True, text=True, check=False
    )
    if done.returncode != 0:
        raise ProvisionError(f"{argv[-1]} --version: {done.stderr.strip()}")
    return parse_qemu_version(done.stdout)


def host_qemu(program: str) -> QemuTree | None:
    """The host's own QEMU if there is one that is new enough."""
    path = shutil.which(program)
    if path is None:
        return None
    version = _ask_version([path], {})
    return QemuTree((path,), version) if version >= QEMU_MINIMUM else None


def unpacked_qemu(source: _QemuSource, progress: Progress = say) -> QemuTree:
    """Debian trixie's QEMU, run from an unpacked tree."""
    arch = native_architecture()
    resolution = packages.resolve(
        "trixie", arch, [source.package], leave_out=_QEMU_LEAVE_OUT, progress=progress
    )
    root = packages.tree(
        resolution, source.package, patterns_out=_QEMU_FILES_OUT, progress=progress
    )
    libraries = next((root / "usr/lib").glob("*-linux-gnu*"))
    loader = next(path for path in sorted(libraries.glob("ld-linux*.so.*")))
    argv = (
        str(loader),
        "--library-path",
        str(libraries),
        str(root / "usr/bin" / source.program),
        "-L",
        str(root / "usr/share/qemu"),
        "-L",
        str(root / "usr/share/seabios"),
    )
    env = {"QEMU_MODULE_DIR": str(libraries / "qemu")}
    return QemuTree(argv, _ask_version(argv, env), env)


@cache
def engine(name: str = "qemu-x86") -> QemuTree:
    """The emulator of that name, fetched on first use (then from the cache)."""
    try:
        source = _ENGINES[name]
    except KeyError:
        raise ProvisionError(f"no engine {name!r}: known are {', '.join(_ENGINES)}") from None
    return host_qemu(source.program) or unpacked_qemu(source)


# --- kernels -----------------------------------------------------------------

_ZSTD_MAGIC = b"\x28\xb5\x2f\xfd"
_XZ_MAGIC = b"\xfd7zXZ\x00"

#: Modules no machine of ours has hardware for: two thirds of the package.
_KERNEL_FILES_OUT = (
    "./usr/share",
    *(
        f"./lib/modules/*/kernel/{part}"
        for part in (
            "sound", "drivers/gpu", "drivers/media", "drivers/staging", "drivers/infiniband",
            "drivers/net/wireless", "drivers/isdn", "drivers/iio", "drivers/hwmon",
            "drivers/usb", "drivers/input", "drivers/mtd", "drivers/platform",
            "drivers/net/can", "drivers/net/usb", "drivers/bluetooth", "drivers/hid",
            "drivers/md", "drivers/power", "drivers/leds", "drivers/comedi",
            "drivers/scsi/lpfc", "drivers/scsi/qla2xxx", "drivers/scsi/qla4xxx",
            "drivers/net/ethernet/mellanox", "drivers/net/ethernet/chelsio",
            "drivers/net/ethernet/broadcom", "drivers/net/ethernet/netronome",
            "drivers/net/ethernet/qlogic", "drivers/net/ethernet/cavium",
            "fs/xfs", "fs/btrfs", "fs/ocfs2", "fs/gfs2", "fs/ceph", "fs/cifs", "fs/smb",
            "fs/nfs", "fs/nfsd", "fs/f2fs", "fs/jfs", "fs/reiserfs", "fs/ubifs", "fs/afs",
            "net/batman-adv", "net/bluetooth", "net/mac80211", "net/sctp", "net/tipc",
            "net/netfilter", "net/sched", "net/wireless", "net/openvswitch",
        )
    ),
)  # fmt: skip


def extract_vmlinux(image: bytes) -> bytes:
    """The ELF kernel inside a bzImage (Linux x86 boot protocol 2.08, payload fields)."""
    if image[0x202 - 0x0 : 0x206] == b"" or image[0x202:0x206] != b"HdrS":
        raise ProvisionError("not a bzImage")
    setup_sectors = image[0x1F1] or 4
    offset, length = struct.unpack_from("<II", image, 0x248)
    start = (setup_sectors + 1) * 512 + offset
    payload = image[start : start + length]
    if payload.startswith(_XZ_MAGIC):
        elf = lzma.LZMADecompressor().decompress(payload)
    elif payload.startswith(_ZSTD_MAGIC):
        # The last four bytes are the unpacked size, which zstd would complain of.
        done = subprocess.run(
            ["zstd", "-d", "-q", "-c"], input=payload[:-4], capture_output=True, check=False
        )
        if done.returncode != 0:
            raise ProvisionError(f"zstd: {done.stderr.decode().strip()}")
        elf = done.stdout
    else:
        raise ProvisionError(f"kernel payload of unknown compression {payload[:6].hex()}")
    if not elf.startswith(b"\x7fELF"):
        raise ProvisionError("the kernel's payload is not an ELF file")
    return elf


#: Image, 56-60: "ARM\\x64" (Documentation/arch/arm64/booting.rst).
_ARM64_MAGIC = b"ARM\x64"


def extract_image(image: bytes) -> bytes:
    """The plain arm64 Image out of a vmlinuz, which may be gzip's."""
    if image.startswith(b"\x1f\x8b"):
        image = gzip.decompress(image)
    if image[56:60] != _ARM64_MAGIC:
        raise ProvisionError("not an arm64 kernel Image")
    return image


#: How the boot payload is made of vmlinuz, by Debian architecture.
_EXTRACT: Mapping[str, Callable[[bytes], bytes]] = {
    "amd64": extract_vmlinux,
    "arm64": extract_image,
}


def _kernel_packages(apt: Apt, arch: str) -> list[Package]:
    """Image and headers of one version; for this host's own architecture kbuild too."""
    (image,) = [name for name in apt.depends(f"linux-image-{arch}") if name.startswith("linux-")]
    headers = f"linux-headers-{image.removeprefix('linux-image-')}"
    wanted = [image, headers]
    for name in apt.depends(headers):
        kbuild = name.startswith("linux-kbuild-") and arch == native_architecture()
        if kbuild or name.startswith("linux-headers-"):
            wanted.append(name)
    return apt.alone(wanted)


def _with_kbuild(kernel: Resolution, suite: str) -> Resolution:
    """The kernel's packages with kbuild for this host, of exactly the same version."""
    if any(package.name.startswith("linux-kbuild-") for package in kernel.packages):
        return kernel
    host, version = native_architecture(), kernel.packages[0].version
    series = version.split("-")[0]

    def resolve(apt: Apt) -> list[Package]:
        names = apt.names("linux-kbuild-")
        # One package a series ("6.1") or a version ("6.12.48+deb12"): the most exact wins.
        fitting = [name for name in names if f"{series}.".startswith(_kbuild_series(name))]
        return apt.alone([f"{max(fitting, key=len)}={version}"])

    kbuild = packages.remembered(f"kbuild-{version}-{host}", Apt(suite, host), resolve)
    return Resolution(
        (*kernel.packages, *kbuild.packages), (*kernel.debs, *kbuild.debs)
    )


def _kbuild_series(name: str) -> str:
    return name.removeprefix("linux-kbuild-").split("+")[0] + "."


def _finish_kernel(root: Path, arch: str) -> None:
    """Make the payload, and let the headers' Makefile find their common part here."""
    (image,) = (root / "boot").glob("vmlinuz-*")
    release = image.name.removeprefix("vmlinuz-")
    (root / "boot" / f"vmlinux-{release}").write_bytes(_EXTRACT[arch](image.read_bytes()))
    build = root / "usr/src" / f"linux-headers-{release}"
    makefile = build / "Makefile"
    # One line: include /usr/src/linux-headers-<version>-common/Makefile
    text = makefile.read_text()
    makefile.unlink()
    makefile.write_text(
        re.sub(
            r"(?<![\w./])/usr/src/",
            "$(patsubst %/,%,$(dir $(abspath $(lastword $(MAKEFILE_LIST)))))/../",
            text,
        )
    )
    # 6.12 ships a vmlinux for BTF, which would make every module build want pahole.
    vmlinux = build / "vmlinux"
    if vmlinux.exists():
        vmlinux.unlink()


def _check_one_version(resolution: Resolution) -> str:
    """All kernel packages are of one source version; returns the release."""
    names = [package.name for package in resolution.packages]
    (image,) = [name for name in names if name.startswith("linux-image-")]
    release = image.removeprefix("linux-image-")
    if f"linux-headers-{release}" not in names:
        raise ProvisionError(f"no headers for {release}: {', '.join(names)}")
    return release


@cache
def kernel(version: str = DEFAULT_KERNEL, arch: str = "amd64") -> KernelTree:
    """A Debian kernel of that series, fetched on first use (then from the cache)."""
    try:
        suite = KERNEL_SUITES[version]
    except KeyError:
        known = ", ".join(KERNEL_SUITES)
        raise ProvisionError(f"no kernel {version!r}: known are {known}") from None
    label = f"kernel-{version}-{arch}"
    apt = Apt(suite, arch)
    resolution = packages.remembered(label, apt, lambda private: _kernel_packages(private, arch))
    release = _check_one_version(resolution)
    root = packages.tree(
        _with_kbuild(resolution, suite),
        label,
        patterns_out=_KERNEL_FILES_OUT,
        finish=lambda tree: _finish_kernel(tree, arch),
    )
    return KernelTree(
        version=version,
        arch=arch,
        release=release,
        root=root,
        image=root / "boot" / f"vmlinuz-{release}",
        payload=root / "boot" / f"vmlinux-{release}",
        system_map=root / "boot" / f"System.map-{release}",
        config=root / "boot" / f"config-{release}",
        modules=root / "lib/modules" / release,
        build=root / "usr/src" / f"linux-headers-{release}",
    )


def main(arguments: Sequence[str] | None = None) -> int:
    """Print a kernel's build directory (``kdir``) or an emulator's command.

    Needs nothing but the standard library: ``make`` asks before there is a .venv.
    """
    parser = argparse.ArgumentParser(prog="python -m harness.provision", description=main.__doc__)
    parser.add_argument("what", choices=["kdir", *_ENGINES])
    parser.add_argument("--kernel", choices=list(KERNEL_SUITES), default=DEFAULT_KERNEL)
    parser.add_argument("--arch", choices=list(_EXTRACT), default="amd64", help="Debian's name")
    options = parser.parse_args(arguments)
    if options.what == "kdir":
        print(kernel(options.kernel, options.arch).build)
    else:
        print(" ".join(engine(options.what).argv))
    return 0


if __name__ == "__main__":
    sys.exit(main())
