# SPDX-License-Identifier: GPL-2.0-only
"""The image descriptions that we ship, and the errors of broken ones."""

import io
import subprocess
from pathlib import Path

import pytest
from elftools.elf.dynamic import DynamicSection
from elftools.elf.elffile import ELFFile

from harness import image, packages, provision
from harness.image import cpio, spec
from harness.image.debs import Selection, read_deb

NAMES = [path.stem for path in spec.IMAGES.glob("*.toml")]


@pytest.mark.parametrize("name", NAMES)
def test_shipped_images_load(name: str) -> None:
    loaded = spec.load(name)
    assert loaded.name == name
    for source in loaded.files.values():
        assert source.is_file(), source
    assert set(loaded.executable) <= set(loaded.files)


def test_applets_exist_in_busybox(tmp_path: Path) -> None:
    loaded = spec.load("qemu-x86")
    resolution = packages.resolve(
        loaded.suite, loaded.arch, loaded.packages, leave_out=loaded.leave_out
    )
    (deb,) = [path for path in resolution.debs if "busybox-static" in path.name]
    busybox = tmp_path / "busybox"
    busybox.write_bytes(read_deb(deb, Selection([], []))["usr/bin/busybox"].data)
    busybox.chmod(0o755)
    known = subprocess.run([busybox, "--list"], capture_output=True, text=True, check=True)
    wanted = {*loaded.applets, *spec.load("linux-cell").applets}
    assert wanted <= set(known.stdout.split())


def test_linux_of_a_cell_is_one_program() -> None:
    made = image.base_archive(spec.load("linux-cell"), provision.kernel(arch="arm64"))
    nodes = dict(cpio.parse(made.read_bytes()))
    programs = [path for path, node in nodes.items() if node.data.startswith(b"\x7fELF")]
    assert programs == ["usr/bin/busybox"]
    assert needed_libraries(nodes["usr/bin/busybox"].data) == []
    assert nodes["etc/modules"].data == b""


def needed_libraries(program: bytes) -> list[str]:
    """What an ELF file is linked with."""
    dynamic = ELFFile(io.BytesIO(program)).get_section_by_name(".dynamic")
    if not isinstance(dynamic, DynamicSection):
        return []
    return [str(vars(tag)["needed"]) for tag in dynamic.iter_tags("DT_NEEDED")]


@pytest.mark.parametrize("name", ["qemu-x86", "arm64"])
def test_nothing_we_left_out_is_still_wanted(name: str) -> None:
    """Every library that something in the image is linked with is there."""
    nodes = dict(cpio.parse(image.build(name).base.read_bytes()))
    names = {path.rsplit("/", 1)[-1] for path in nodes}
    missing = [
        f"{path}: {library}"
        for path, node in nodes.items()
        if node.data.startswith(b"\x7fELF") and not path.endswith(".ko")
        for library in needed_libraries(node.data)
        if library not in names
    ]
    assert missing == []


def test_unknown_image_lists_the_known() -> None:
    with pytest.raises(spec.SpecError, match=r"known are .*qemu-x86"):
        spec.load("nonesuch")


@pytest.mark.parametrize(
    ("text", "message"),
    [("[debian]\narch = 1\n", "'kernel' is missing"), ("x = [", "broken")],
)
def test_broken_descriptions_are_named(tmp_path: Path, text: str, message: str) -> None:
    (tmp_path / "broken.toml").write_text(text)
    with pytest.raises(spec.SpecError, match=message):
        spec.load("broken", tmp_path)


def test_an_image_like_another(tmp_path: Path) -> None:
    (tmp_path / "base.toml").write_text((spec.IMAGES / "qemu-x86.toml").read_text())
    (tmp_path / "other.toml").write_text('like = "base"\n[kernel]\nload = ["loop"]\n')
    base, other = spec.load("base", tmp_path), spec.load("other", tmp_path)
    assert other.load == ("loop",)
    assert base.load != other.load
    assert (other.present, other.cmdline, other.packages) == (
        base.present, base.cmdline, base.packages,
    )  # fmt: skip
    assert other.name == "other"


def test_a_description_takes_from_another_what_it_does_not_say() -> None:
    x86, arm64, boards = (spec.load(name) for name in ("qemu-x86", "arm64", "arm64-boards"))
    assert (x86.arch, arm64.arch, boards.arch) == ("amd64", "arm64", "arm64")
    assert x86.packages == arm64.packages
    assert x86.files == arm64.files
    assert boards.cmdline == arm64.cmdline != x86.cmdline
    assert boards.load != arm64.load
    assert "usr/lib/x86_64-linux-gnu/gconv/*" in x86.exclude
    assert "usr/lib/aarch64-linux-gnu/gconv/*" in arm64.exclude


def test_selection_keeps_exceptions() -> None:
    selection = Selection(["usr/share/*"], ["usr/share/terminfo/v/*"])
    assert not selection.takes("usr/share/doc/x/y")
    assert selection.takes("usr/share/terminfo/v/vt100")
    assert selection.takes("usr/bin/sh")
