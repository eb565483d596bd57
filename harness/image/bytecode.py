# SPDX-License-Identifier: GPL-2.0-only
"""Python bytecode for the guest, made by the guest's own Python.

Every start of Python in an emulator counts, so modules travel compiled, with
"unchecked hash" headers: no time stamps, nothing is compared at import.  The
compiler is the guest's Python from its unpacked packages, never the host's,
whose version may differ; one process compiles all files in sorted order with
a fixed hash seed, so that the same sources give the same bytes.
"""

from __future__ import annotations

import functools
import hashlib
import subprocess
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from harness import cache, packages, provision

_COMPILE = """
import importlib._bootstrap_external as external, importlib.util, pathlib, sys
source, target = map(pathlib.Path, sys.argv[1:3])
for path in sorted(source.rglob("*.py")):
    name = str(path.relative_to(source))
    data = path.read_bytes()
    code = compile(data, "/" + name, "exec", dont_inherit=True, optimize=0)
    out = target / (name + "c")
    out.parent.mkdir(parents=True, exist_ok=True)
    out.write_bytes(external._code_to_hash_pyc(code, importlib.util.source_hash(data), False))
"""


class CompileError(Exception):
    """A Python source for the guest does not compile."""


@dataclass(frozen=True)
class GuestPython:
    """The guest's Python, runnable on this host."""

    argv: tuple[str, ...]
    identity: str
    tag: str


@functools.cache
def guest_python(suite: str) -> GuestPython:
    """Python of a Debian suite for this host's architecture."""
    resolution = packages.resolve(
        suite,
        provision.native_architecture(),
        ["python3-minimal"],
        leave_out=("dpkg", "tar"),
        progress=lambda text: None,
    )
    root = packages.tree(resolution, "guest-python", patterns_out=("./usr/share",))
    loader = next(iter(sorted(root.glob("lib/*-linux-gnu*/ld-linux*.so.*"))))
    program = next(iter(sorted(root.glob("usr/bin/python3.*"))))
    paths = [loader.parent, root / "usr/lib" / loader.parent.name]
    argv = (str(loader), "--library-path", ":".join(map(str, paths)), str(program))
    version = program.name.removeprefix("python")
    return GuestPython(argv, resolution.key, "cpython-" + version.replace(".", ""))


def _run(python: GuestPython, root: Path, source: Path, target: Path) -> None:
    version = Path(python.argv[-1]).name
    done = subprocess.run(
        [*python.argv, "-s", "-S", "-B", "-c", _COMPILE, str(source), str(target)],
        env={"PYTHONHASHSEED": "0", "LC_ALL": "C.UTF-8", "PYTHONHOME": str(root),
             "PYTHONPATH": str(root / "usr/lib" / version)},
        capture_output=True,
        text=True,
        check=False,
    )  # fmt: skip
    if done.returncode != 0:
        raise CompileError(done.stderr.strip()[-2000:])


def compile_all(sources: Mapping[str, bytes], suite: str) -> dict[str, bytes]:
    """Bytecode of each source, by the same guest path.

    Cached by the content of the sources and the compiling Python.
    """
    python = guest_python(suite)
    digest = hashlib.sha256(f"{python.identity}\n{_COMPILE}".encode())
    for path in sorted(sources):
        digest.update(f"{path}\0{len(sources[path])}\0".encode())
        digest.update(sources[path])
    target = cache.cache_root() / "bytecode" / digest.hexdigest()[:20]
    with cache.locked(target.parent / "lock"):
        if not target.exists():
            with tempfile.TemporaryDirectory() as name, cache.directory_in_making(target) as making:
                for path, data in sources.items():
                    file = Path(name) / path
                    file.parent.mkdir(parents=True, exist_ok=True)
                    file.write_bytes(data)
                _run(python, Path(python.argv[-1]).parents[2], Path(name), making)
    return {path: (target / f"{path}c").read_bytes() for path in sources}
