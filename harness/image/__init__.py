# SPDX-License-Identifier: GPL-2.0-only
"""Guest images: a kernel, an initramfs of three layers, and a command line.

The layers are cpio archives that the kernel unpacks one over the other:

* the *base*: Debian packages and kernel modules, cached by its inputs;
* the *project*: our hypervisor, driver, inmates, configurations and tools;
* the *keys*: made on this host, outside the image's identity.

All of them are the same to the byte wherever and whenever they are built from
the same inputs (keys excepted)::

    artifacts = Artifacts.from_build(repository, out, kernel("6.1").release)
    image = build("qemu-x86", "6.1", artifacts)
    image.write_initrd(run_directory / "initrd")
"""

from __future__ import annotations

import hashlib
import shutil
from dataclasses import dataclass
from pathlib import Path

from harness import packages, provision
from harness.image import cpio
from harness.image.base import base_archive, packed
from harness.image.disk import raw_disk
from harness.image.project import Artifacts, project_nodes
from harness.image.spec import ImageSpec, SpecError, load
from harness.image.sshkeys import Keys, keys
from harness.provision import DEFAULT_KERNEL, KernelTree

__all__ = [
    "Artifacts", "Image", "ImageSpec", "Keys", "SpecError", "base_archive", "build", "keys", "load",
    "raw_disk",
]  # fmt: skip


@dataclass(frozen=True)
class Image:
    """A guest, ready to be started.

    ``cmdline`` holds what the image needs; consoles and reservations are the
    machine's.  ``identity`` names kernel, base, project files and command
    line; keys are not part of it.
    """

    name: str
    kernel: KernelTree
    base: Path
    project: bytes
    cmdline: str
    prompt: str
    identity: str
    keys: Keys
    packed: bool = True

    @property
    def release(self) -> str:
        """The kernel's release, as uname -r says it."""
        return self.kernel.release

    @property
    def payload(self) -> Path:
        """What QEMU starts (x86: the ELF file, through PVH; arm64: the Image)."""
        return self.kernel.payload

    @property
    def system_map(self) -> Path:
        """Symbols of the kernel."""
        return self.kernel.system_map

    @property
    def initrd_parts(self) -> tuple[bytes, bytes]:
        """The layers over the base, which is a file."""
        return self.project, self.keys.archive()

    def write_initrd(self, destination: Path) -> Path:
        """Write the whole initramfs; the base is shared, read only and mostly compressed."""
        shutil.copyfile(packed(self.base) if self.packed else self.base, destination)
        with destination.open("ab") as stream:
            for part in self.initrd_parts:
                stream.write(part)
        return destination


def _identity(kernel: KernelTree, base: Path, project: bytes, cmdline: str) -> str:
    digest = hashlib.sha256(f"{kernel.root.name}\n{base.name}\n{cmdline}\n".encode())
    digest.update(project)
    return digest.hexdigest()[:20]


def build(
    image: ImageSpec | str = "qemu-x86",
    kernel_version: str = DEFAULT_KERNEL,
    artifacts: Artifacts | None = None,
    progress: packages.Progress = packages.say,
) -> Image:
    """Make an image, from the cache as far as possible (then well under a second)."""
    spec = load(image) if isinstance(image, str) else image
    kernel = provision.kernel(kernel_version, spec.arch)
    base = base_archive(spec, kernel, progress)
    nodes = project_nodes(artifacts or Artifacts(), kernel, spec.suite)
    project = cpio.archive(nodes)
    return Image(
        name=spec.name,
        kernel=kernel,
        base=base,
        project=project,
        cmdline=spec.cmdline,
        prompt=spec.prompt,
        identity=_identity(kernel, base, project, spec.cmdline),
        keys=keys(),
        packed=spec.packed,
    )
