# SPDX-License-Identifier: GPL-2.0-only
"""What is in a guest image, as data read from ``images/*.toml``.

``{multiarch}`` in a path is the architecture's folder of libraries.
"""

from __future__ import annotations

import tomllib
from dataclasses import dataclass
from pathlib import Path
from typing import Any

#: Debian's folder of libraries, by its architecture.
MULTIARCH = {"amd64": "x86_64-linux-gnu", "arm64": "aarch64-linux-gnu"}

REPOSITORY = Path(__file__).resolve().parent.parent.parent
IMAGES = REPOSITORY / "images"


class SpecError(Exception):
    """An image description that cannot be used."""


@dataclass(frozen=True)
class ImageSpec:
    """A guest image.

    ``files`` maps guest paths to files beside the description; a guest path
    that ends in ``/`` is a directory to make.  ``load`` names modules that are
    loaded at start, in this order, ``present`` those that are only there.
    ``applets`` are the names by which busybox is called.
    """

    name: str
    arch: str
    suite: str
    packages: tuple[str, ...]
    leave_out: tuple[str, ...]
    exclude: tuple[str, ...]
    keep: tuple[str, ...]
    load: tuple[str, ...]
    present: tuple[str, ...]
    applets: tuple[str, ...]
    files: dict[str, Path]
    executable: tuple[str, ...]
    cmdline: str
    prompt: str
    #: Whether the initramfs is compressed for the machine's boot.
    packed: bool


def _strings(table: dict[str, Any], key: str) -> tuple[str, ...]:
    value = table.get(key, [])
    if not isinstance(value, list) or not all(isinstance(item, str) for item in value):
        raise SpecError(f"{key}: a list of strings is wanted")
    return tuple(value)


def _read(name: str, images: Path) -> dict[str, Any]:
    """The tables of ``images/<name>.toml``, laid over those of the image it is ``like``."""
    path = images / f"{name}.toml"
    try:
        data = tomllib.loads(path.read_text())
    except FileNotFoundError:
        known = ", ".join(sorted(entry.stem for entry in images.glob("*.toml")))
        raise SpecError(f"no image {name!r}: known are {known}") from None
    except tomllib.TOMLDecodeError as error:
        raise SpecError(f"{path.name}: {error}") from None
    like = data.pop("like", None)
    if like is None:
        return data
    tables = _read(like, images)
    for table, entries in data.items():
        tables[table] = {**tables.get(table, {}), **entries}
    return tables


def load(name: str, images: Path = IMAGES) -> ImageSpec:
    """Read ``images/<name>.toml``.

    ``like = "other"`` at its top takes everything from another image but the keys
    that it sets itself.
    """
    data = _read(name, images)
    try:
        debian, kernel, guest = data["debian"], data["kernel"], data["guest"]
        return ImageSpec(
            name=name,
            arch=debian["arch"],
            suite=debian["suite"],
            packages=_strings(debian, "packages"),
            leave_out=_strings(debian, "leave_out"),
            exclude=tuple(
                pattern.replace("{multiarch}", MULTIARCH[debian["arch"]])
                for pattern in _strings(debian, "exclude")
            ),
            keep=_strings(debian, "keep"),
            load=_strings(kernel, "load"),
            present=_strings(kernel, "present"),
            applets=tuple(" ".join(_strings(guest, "applets")).split()),
            files={guest_path: images / source for guest_path, source in guest["files"].items()},
            executable=_strings(guest, "executable"),
            cmdline=" ".join(_strings(kernel, "cmdline")),
            prompt=guest["prompt"],
            packed=bool(guest.get("packed", True)),
        )
    except KeyError as error:
        raise SpecError(f"{name}.toml: {error} is missing") from None
