# SPDX-License-Identifier: GPL-2.0-only
"""The Debian part of an image: slow to make, so cached by its inputs."""

from __future__ import annotations

import hashlib
import json
import stat
import subprocess
from collections.abc import Mapping
from pathlib import Path

from harness import cache, packages
from harness.image import bytecode, cpio
from harness.image.cpio import Node
from harness.image.debs import Selection, read_deb
from harness.image.modules import ModuleSet
from harness.image.spec import ImageSpec
from harness.packages import Progress, Resolution
from harness.provision import KernelTree

#: Bumped when the code here would make another image of the same inputs.
FORMAT = 1

_FOLDERS = ("dev", "proc", "sys", "run", "tmp", "var/log", "usr/lib/jailhouse", "mnt")


def _fixed_nodes(spec: ImageSpec) -> dict[str, Node]:
    """What belongs to no package: links, device nodes, our configuration."""
    nodes = cpio.merged_links()
    nodes["init"] = cpio.symlink("usr/bin/busybox")
    # The kernel opens /dev/console before anything could make it.
    nodes["dev/console"] = cpio.character_device(5, 1)
    nodes["dev/null"] = cpio.character_device(1, 3, 0o666)
    nodes["root"] = cpio.directory(0o700)
    nodes["var/run"] = cpio.symlink("../run")
    for folder in _FOLDERS:
        nodes[folder] = cpio.directory()
    for applet in spec.applets:
        nodes[f"usr/bin/{applet}"] = cpio.symlink("busybox")
    for path, source in spec.files.items():
        mode = 0o755 if path in spec.executable else 0o644
        nodes[cpio.guest_path(path)] = cpio.file(source.read_bytes(), mode)
    return nodes


def _module_nodes(spec: ImageSpec, kernel: KernelTree) -> dict[str, Node]:
    modules = ModuleSet(kernel)
    folder = f"usr/lib/modules/{kernel.release}"
    nodes: dict[str, Node] = {}
    table = []
    for name in modules.ordered([*spec.load, *spec.present]):
        nodes[f"{folder}/{modules.path(name)}"] = cpio.file(modules.content(name))
        needed = " ".join(modules.path(other) for other in modules.closure(name))
        table.append(f"{modules.path(name)}: {needed}".rstrip())
    nodes[f"{folder}/modules.dep"] = cpio.file(("\n".join(sorted(table)) + "\n").encode())
    loaded = [f"/{folder}/{modules.path(name)}\n" for name in modules.ordered(spec.load)]
    nodes["etc/modules"] = cpio.file("".join(loaded).encode())
    return nodes


def _package_nodes(spec: ImageSpec, resolution: Resolution) -> dict[str, Node]:
    """Files of the packages; Python modules only as bytecode."""
    selection = Selection(spec.exclude, spec.keep)
    nodes: dict[str, Node] = {}
    for deb in resolution.debs:
        nodes |= read_deb(deb, selection)
    sources = {
        path: node.data
        for path, node in nodes.items()
        if path.startswith("usr/lib/python3") and path.endswith(".py") and stat.S_ISREG(node.mode)
    }
    for path, code in bytecode.compile_all(sources, spec.suite).items():
        del nodes[path]
        nodes[f"{path}c"] = cpio.file(code)
    return nodes


def _inputs(spec: ImageSpec, resolution: Resolution, kernel: KernelTree, python: str) -> str:
    """Everything that the base depends on, as text."""
    listed: Mapping[str, object] = {
        "format": FORMAT,
        "packages": resolution.key,
        "python": python,
        "kernel": kernel.root.name,
        "exclude": spec.exclude,
        "keep": spec.keep,
        "load": spec.load,
        "present": spec.present,
        "applets": spec.applets,
        "executable": spec.executable,
        "files": {
            guest: hashlib.sha256(path.read_bytes()).hexdigest()
            for guest, path in spec.files.items()
        },
    }
    return json.dumps(listed, sort_keys=True)


def base_archive(spec: ImageSpec, kernel: KernelTree, progress: Progress = packages.say) -> Path:
    """The base layer as a file in the cache, made if its inputs are new."""
    resolution = packages.resolve(
        spec.suite, spec.arch, spec.packages, leave_out=spec.leave_out, progress=progress
    )
    python = bytecode.guest_python(spec.suite).identity
    inputs = _inputs(spec, resolution, kernel, python)
    key = hashlib.sha256(inputs.encode()).hexdigest()[:16]
    path = cache.cache_root() / "images" / f"base-{spec.name}-{kernel.version}-{key}.cpio"
    if path.exists():
        return path
    with cache.locked(path.with_suffix(".lock")):
        if not path.exists():
            progress(f"image {spec.name}: Debian base with kernel {kernel.release}")
            nodes = _package_nodes(spec, resolution)
            nodes |= _module_nodes(spec, kernel)
            nodes |= _fixed_nodes(spec)
            cache.write_atomically(path, cpio.archive(nodes), 0o444)
    return path


def packed(base: Path) -> Path:
    """The base compressed, beside it in the cache; what machines are started with.

    Linux has a small initramfs in its direct mapping where it lies, and unpacks
    it on another CPU while it boots: a second less until the prompt. Image
    identities are of the plain archive, so the compressor's version is no matter.
    """
    path = base.with_suffix(".cpio.zst")
    with cache.locked(base.with_suffix(".lock")):
        if not path.exists():
            done = subprocess.run(
                ["zstd", "-q", "-c", "-9", str(base)], stdout=subprocess.PIPE, check=True
            )
            # What follows, a plain archive, starts at a multiple of four bytes.
            padding = bytes(-len(done.stdout) % 4)
            cache.write_atomically(path, done.stdout + padding, 0o444)
    return path
