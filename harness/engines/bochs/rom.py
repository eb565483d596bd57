# SPDX-License-Identifier: GPL-2.0-only
"""Linux without disk or loader: a memory image of the kernel, and a ROM that enters it.

Bochs can put files into guest memory before it starts (`optramimage`) and map
option ROMs. So the kernel's ELF file is laid out as memory, and `boot.S` does
what a boot loader does: memory map, boot parameters, long mode.
"""

from __future__ import annotations

import hashlib
import struct
import subprocess
from dataclasses import dataclass
from functools import cache as once
from pathlib import Path

from harness import cache
from harness.errors import HarnessFailure

HERE = Path(__file__).resolve().parent
#: Where `boot.S` expects the ROM.
ROM_ADDRESS = 0xD0000
#: Guest-physical address of the initramfs. Bochs's blocks of 128 KiB start there.
INITRD_ADDRESS = 0x8000000
#: Offsets in the ROM that boot.S leaves to us.
_ENTRY, _PARAMS = 8, 12
_PAGE = 4096
_LONGEST_LINE = 2047
_LARGEST_ROM = 64 << 10

_PT_LOAD = 1
_ELF_HEADER = struct.Struct("<16sHHIQQQIHHHHHH")
_PROGRAM_HEADER = struct.Struct("<IIQQQQQQ")


# --- the kernel as memory


@dataclass(frozen=True)
class Segment:
    """A loadable part of an ELF file: where it lies in the file and in memory."""

    offset: int
    address: int
    size: int


def is_elf(path: Path) -> bool:
    """Whether a file is an ELF-64 file."""
    with path.open("rb") as file:
        return file.read(5) == b"\x7fELF\x02"


def segments(elf: bytes) -> tuple[int, list[Segment]]:
    """Entry point and loadable segments by physical address (ELF-64, little-endian)."""
    if elf[:6] != b"\x7fELF\x02\x01":
        raise HarnessFailure("the kernel is not a 64-bit little-endian ELF file")
    header = _ELF_HEADER.unpack_from(elf)
    entry, table, count = header[4], header[5], header[10]
    found = []
    for number in range(count):
        kind, _, offset, _, physical, file_size, _, _ = _PROGRAM_HEADER.unpack_from(
            elf, table + number * _PROGRAM_HEADER.size
        )
        if kind == _PT_LOAD and file_size:
            found.append(Segment(offset, physical, file_size))
    return entry, sorted(found, key=lambda segment: segment.address)


@dataclass(frozen=True)
class Kernel:
    """An ELF kernel laid out as it lies in memory from `address` on."""

    image: Path
    address: int
    entry: int


def lay_out(vmlinux: Path) -> Kernel:
    """The kernel's memory image, in the cache; the rest of its memory is zero."""
    elf = vmlinux.read_bytes()
    entry, parts = segments(elf)
    address = parts[0].address
    key = hashlib.sha256(elf).hexdigest()[:16]
    path = cache.cache_root() / "bochs" / f"{vmlinux.name}-{key}.bin"
    with cache.locked(path.with_suffix(".lock")):
        if not path.exists():
            image = bytearray(parts[-1].address + parts[-1].size - address)
            for part in parts:
                at = part.address - address
                image[at : at + part.size] = elf[part.offset : part.offset + part.size]
            cache.write_atomically(path, bytes(image), 0o444)
    return Kernel(path, address, entry)


# --- the ROM


def boot_parameters(line_address: int, line_size: int, initrd_size: int) -> bytes:
    """struct boot_params but for the memory map (Documentation/x86/zero-page.rst)."""
    page = bytearray(_PAGE)
    fields = (
        (0x1FE, "<H", 0xAA55),
        (0x202, "<4s", b"HdrS"),
        (0x206, "<H", 0x20C),
        (0x210, "<B", 0xFF),  # type_of_loader: none that has a number
        (0x211, "<B", 1),  # loadflags: LOADED_HIGH
        (0x218, "<I", INITRD_ADDRESS),
        (0x21C, "<I", initrd_size),
        (0x228, "<I", line_address),
        (0x230, "<I", 0x200000),  # kernel_alignment
        (0x238, "<I", line_size),
    )
    for offset, form, value in fields:
        struct.pack_into(form, page, offset, value)
    return bytes(page)


def make_rom(code: bytes, entry: int, initrd_size: int, command_line: str) -> bytes:
    """A complete option ROM: code, boot parameters, command line, checksum."""
    line = command_line.encode()
    if len(line) > _LONGEST_LINE:
        raise HarnessFailure(f"a kernel command line of {len(line)} bytes; Linux takes 2047")
    params = -(-len(code) // 16) * 16
    text = params + _PAGE
    rom = bytearray(code.ljust(params, b"\0"))
    rom += boot_parameters(ROM_ADDRESS + text, len(line), initrd_size) + line + b"\0"
    rom += bytes(-(len(rom) + 1) % 2048 + 1)
    if len(rom) > _LARGEST_ROM:
        raise HarnessFailure(f"an option ROM of {len(rom)} bytes; 64 KiB fit")
    rom[2] = len(rom) // 512
    struct.pack_into("<I", rom, _ENTRY, entry)
    struct.pack_into("<H", rom, _PARAMS, params)
    # The BIOS takes a ROM whose bytes add up to 0.
    rom[-1] = -sum(rom) & 0xFF
    return bytes(rom)


# --- what is compiled on this host


def _made(source: Path, suffix: str, *commands: list[str]) -> Path:
    """Run commands that make a file of `source`, once; SOURCE, OUT and OBJECT stand for paths."""
    text = "\0".join(word for command in commands for word in command)
    key = hashlib.sha256(source.read_bytes() + text.encode()).hexdigest()[:16]
    path = cache.cache_root() / "bochs" / f"{source.stem}-{key}{suffix}"
    with cache.locked(path.with_suffix(".lock")):
        if path.exists():
            return path
        temporary = path.with_suffix(".new")
        names = {"SOURCE": source, "OUT": temporary, "OBJECT": path.with_suffix(".o")}
        for command in commands:
            words = [str(names.get(word, word)) for word in command]
            done = subprocess.run(words, capture_output=True, text=True, check=False)
            if done.returncode != 0:
                raise HarnessFailure(f"{' '.join(words)}: {done.stderr.strip()}")
        path.with_suffix(".o").unlink(missing_ok=True)
        temporary.replace(path)
    return path


@once
def boot_code() -> bytes:
    """`boot.S`, assembled."""
    path = _made(
        HERE / "boot.S",
        ".bin",
        ["gcc", "-c", "-o", "OBJECT", "SOURCE"],
        ["ld", "-e", "0", "-Ttext", "0", "--oformat", "binary", "-o", "OUT", "OBJECT"],
    )
    return path.read_bytes()


@once
def preload() -> Path:
    """`preload.c` as a library to preload."""
    return _made(
        HERE / "preload.c",
        ".so",
        ["gcc", "-O2", "-Wall", "-Werror", "-shared", "-fPIC", "-o", "OUT", "SOURCE"],
    )
