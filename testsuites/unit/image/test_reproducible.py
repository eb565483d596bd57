# SPDX-License-Identifier: GPL-2.0-only
"""The same inputs make the same image, wherever, whenever and by whomever it is built."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

from harness import cache, image, provision
from harness.image import Artifacts

BUILD = """
import hashlib, pathlib, sys
from harness import image
from harness.image import Artifacts
package, command = map(pathlib.Path, sys.argv[1:3])
built = image.build(artifacts=Artifacts(tools=package, command=command))
print(hashlib.sha256(built.base.read_bytes()).hexdigest(), built.identity)
"""


def project(folder: Path) -> tuple[Path, Path]:
    """A tool package like ours, small."""
    package = folder / "jailhouse"
    package.mkdir(parents=True)
    (package / "__init__.py").write_text("NAMES = {'a', 'b', 'c'}\n")
    (package / "cli.py").write_text("def main() -> int:\n    return 0\n")
    command = folder / "command"
    command.write_text("#!/usr/bin/python3\n")
    command.chmod(0o755)
    return package, command


def build_elsewhere(
    folder: Path, environment: dict[str, str], umask: int, shared: tuple[str, ...]
) -> str:
    """Build in another cache that has only parts of this one."""
    fresh = folder / "cache"
    fresh.mkdir(parents=True)
    shutil.copytree(cache.cache_root() / "resolved", fresh / "resolved")
    for part in shared:
        (fresh / part).symlink_to(cache.cache_root() / part)
    done = subprocess.run(
        [sys.executable, "-c", BUILD, *map(str, project(folder / "project"))],
        env={**os.environ, **environment, "JAILHOUSE_CACHE": str(fresh)},
        umask=umask,
        cwd=Path(image.__file__).parents[2],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_image_does_not_depend_on_the_builder(tmp_path: Path) -> None:
    """Other place, umask, time zone, locale and hash seed, all packages unpacked anew."""
    image.build()  # fetches what is missing
    strange = {"TZ": "Pacific/Chatham", "LC_ALL": "C", "LANG": "tr_TR", "PYTHONHASHSEED": "7"}
    one = build_elsewhere(tmp_path / "one", {"PYTHONHASHSEED": "1"}, 0o022, ("debs", "trees"))
    two = build_elsewhere(tmp_path / "two" / "deeper", strange, 0o077, ("debs",))
    assert one == two


def test_identity_follows_the_project_files(tmp_path: Path) -> None:
    package, command = project(tmp_path)
    before = image.build(artifacts=Artifacts(tools=package, command=command))
    (package / "cli.py").write_text("def main() -> int:\n    return 1\n")
    after = image.build(artifacts=Artifacts(tools=package, command=command))
    assert before.identity != after.identity
    assert before.base == after.base


def test_initrd_is_its_parts(tmp_path: Path) -> None:
    built = image.build()
    written = built.write_initrd(tmp_path / "initrd").read_bytes()
    layers = b"".join(built.initrd_parts)
    assert written.endswith(layers)
    base = written.removesuffix(layers)
    assert len(base) % 4 == 0
    unpacked = subprocess.run(
        ["zstd", "-d", "-q", "-c"], input=base, stdout=subprocess.PIPE, check=False
    )
    assert unpacked.stdout == built.base.read_bytes()
    assert os.access(tmp_path / "initrd", os.W_OK)


def test_missing_parts_are_left_out(tmp_path: Path) -> None:
    release = provision.kernel().release
    artifacts = Artifacts.from_build(tmp_path, tmp_path / "build", release)
    assert artifacts == Artifacts()
