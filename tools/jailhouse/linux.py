# SPDX-License-Identifier: GPL-2.0-only
"""`jailhouse cell linux`: what it takes to start Linux in a cell of ARM64 (abi.md 6.10, 7.9).

`prepare()` reads the files, finds a place for everything and fills in the device tree.
Every file is checked before the hypervisor hears of anything, and what is wrong is one line
that names file, value and what would be right.
"""

from __future__ import annotations

import os
import shlex
import sys
import zlib
from dataclasses import dataclass
from pathlib import Path

from jailhouse import commands
from jailhouse.cellfile import Architecture, CellConfig, CellFileError, MemFlag, Memory
from jailhouse.devicetree import DeviceTree, DeviceTreeError, Node

PAGE = 0x1000
#: What the loader may use from the reset address on (abi.md 7.7), and where its words are.
LOADER_ROOM, LOADER_WORDS = 0x10000, 0x1000
LOADER = "linux-loader.bin"
#: COMMAND_LINE_SIZE of Linux on ARM64, with its NUL
MAX_CMDLINE = 2048
#: More than any kernel has: what an archive may grow to.
MAX_KERNEL = 512 << 20

_RAM = MemFlag.READ | MemFlag.WRITE | MemFlag.EXECUTE
_NO_RAM = MemFlag.IO | MemFlag.COMM_REGION | MemFlag.ROOTSHARED
_MACHINES = {"aarch64": "arm64", "armv7l": "arm", "x86_64": "x86", "i686": "x86"}


class LinuxError(Exception):
    """Linux cannot be started so; the text is one line for people."""


@dataclass(frozen=True)
class Request:
    """The command's arguments. `factor`: room between kernel and initrd, in kernels."""

    config: str
    kernel: str
    dtb: str = ""
    initrd: str = ""
    cmdline: str | None = None
    factor: int = 1


@dataclass(frozen=True)
class Kernel:
    """An Image (Documentation/arch/arm64/booting.rst, 4)."""

    data: bytes
    #: From a multiple of 2 MiB on.
    text_offset: int
    #: What it needs from its first byte on, memory that it clears itself included.
    size: int
    packed: bool

    ALIGNMENT = 2 << 20

    @classmethod
    def from_bytes(cls, data: bytes, file: str) -> Kernel:
        """Read an Image, which may be gzip's."""
        packed = data[:2] == b"\x1f\x8b"
        if packed:
            data = _unpacked(data, file)
        if data[56:60] != b"ARM\x64":
            raise LinuxError(
                f"{file}: no ARM64 kernel: bytes 56 to 59 are {data[56:60]!r}, "
                "those of an Image (plain or .gz) are b'ARM\\x64'"
            )
        text_offset = int.from_bytes(data[8:16], "little")
        size = int.from_bytes(data[16:24], "little")
        if size == 0:  # before 3.17, when neither field was to be believed
            text_offset = 0x80000
        return cls(data, text_offset, max(size, len(data)), packed)


def _unpacked(data: bytes, file: str) -> bytes:
    unpacker = zlib.decompressobj(wbits=31)
    try:
        content = unpacker.decompress(data, MAX_KERNEL)
    except zlib.error as error:
        raise LinuxError(f"{file}: gzip: {error}") from None
    if not unpacker.eof:
        wrong = "is cut off" if not unpacker.unconsumed_tail else "unpacks to more than 512 MiB"
        raise LinuxError(f"{file}: the gzip archive {wrong}")
    return content


@dataclass(frozen=True)
class Placement:
    """Guest-physical addresses."""

    tree: int
    kernel: int
    initrd: int
    end: int


@dataclass(frozen=True)
class Plan:
    """All that is to be loaded, and where."""

    name: str
    reset_address: int
    loader: str
    words: str
    tree: bytes
    kernel: Kernel
    initrd: bytes
    place: Placement

    def images(self) -> list[tuple[bytes, int]]:
        """Contents and their addresses, in the order of loading."""
        words = self.words.encode("ascii") + b"\0"
        found = [
            (commands.read_file(self.loader), self.reset_address),
            (words, self.reset_address + LOADER_WORDS),
            (self.kernel.data, self.place.kernel),
            (self.tree, self.place.tree),
        ]
        return found + ([(self.initrd, self.place.initrd)] if self.initrd else [])


def host_architecture() -> str:
    """The running machine's, by the names of abi.md 6.10."""
    machine = os.uname().machine
    return _MACHINES.get(machine, machine)


def prepare(request: Request) -> Plan:
    """Everything checked and placed; LinuxError or OSError say what is in the way."""
    try:
        config = CellConfig.from_bytes(commands.read_file(request.config), request.config)
    except CellFileError as error:
        raise LinuxError(str(error)) from None
    if config.architecture != Architecture.ARM64:
        has = Architecture(config.architecture).name
        raise LinuxError(f"{request.config}: the cell is for {has}, ARM64 is wanted")
    _check_loader_room(config)
    if not request.dtb:
        raise LinuxError("-d DTB is missing: Linux on ARM64 needs the device tree of its cell")
    tree = _read_tree(request.dtb)
    kernel = Kernel.from_bytes(commands.read_file(request.kernel), request.kernel)
    initrd = commands.read_file(request.initrd) if request.initrd else b""
    if request.initrd and not initrd:
        raise LinuxError(f"{request.initrd}: the initrd is empty")
    cmdline = _checked_cmdline(request.cmdline)
    # Filled in once for its size, which the addresses do not change.
    blob = filled(tree, request.dtb, config, cmdline, (1 << 31, len(initrd)))
    place = placed(config, len(blob), kernel, len(initrd), request.factor)
    blob = filled(tree, request.dtb, config, cmdline, (place.initrd, len(initrd)))
    return Plan(
        config.label, config.cpu_reset_address, find_loader(),
        f"kernel={place.kernel:#x} dtb={place.tree:#x}", blob, kernel, initrd, place,
    )  # fmt: skip


def _read_tree(path: str) -> DeviceTree:
    try:
        return DeviceTree.from_bytes(commands.read_file(path))
    except DeviceTreeError as error:
        raise LinuxError(f"{path}: {error}") from None


def _checked_cmdline(cmdline: str | None) -> bytes | None:
    if cmdline is None:
        return None
    data = os.fsencode(cmdline) + b"\0"
    if len(data) > MAX_CMDLINE:
        raise LinuxError(
            f"the command line has {len(data) - 1} bytes, Linux takes {MAX_CMDLINE - 1}"
        )
    return data


def find_loader() -> str:
    """Installed beside the command, or else in our build tree."""
    prefix = Path(sys.argv[0]).resolve().parent.parent
    build = Path(__file__).resolve().parents[2] / "build"
    folders = [Path(base) / "libexec/jailhouse" for base in (prefix, "/usr/local", "/usr")]
    folders += [base / "inmates/tools/arm64" for base in (build, build / "arm64")]
    for folder in folders:
        if (folder / LOADER).is_file():
            return str(folder / LOADER)
    raise LinuxError(
        f"{LOADER} is neither in {folders[0]} nor in the build tree: make tool_inmates_install"
    )


# --- memory ------------------------------------------------------------------------------


def ram_of(config: CellConfig) -> list[Memory]:
    """The regions that Linux may use as memory; the loader's own, at 0, is not told to it."""
    return [
        region
        for region in config.mem_regions
        if region.has(_RAM)
        and not region.flags & _NO_RAM
        and not (region.virt_start == 0 and region.size <= LOADER_ROOM)
    ]


def _check_loader_room(config: CellConfig) -> None:
    start = config.cpu_reset_address
    for region in config.mem_regions:
        inside = region.virt_start <= start and start + LOADER_ROOM <= region.virt_end
        if inside and region.has(_RAM | MemFlag.LOADABLE):
            return
    raise LinuxError(
        f"{config.file}: the loader needs {LOADER_ROOM >> 10} KiB of loadable and executable "
        f"memory at the reset address {start:#x}"
    )


def _aligned(address: int, boundary: int) -> int:
    return -(-address // boundary) * boundary


def _placed_in(
    region: Memory, config: CellConfig, tree_size: int, kernel: Kernel, gap: int
) -> tuple[int, int, int]:
    """Addresses of tree and kernel in that region, and where an initrd may begin."""
    tree, loader = region.virt_start, config.cpu_reset_address
    if tree < loader + LOADER_ROOM and loader < region.virt_end:
        # The loader runs at the start of the region (abi.md says 0x2000: ours is larger).
        tree = loader + LOADER_ROOM
    address = _aligned(tree + tree_size, Kernel.ALIGNMENT) + kernel.text_offset
    return tree, address, _aligned(address + max(kernel.size, gap), PAGE)


def placed(
    config: CellConfig, tree_size: int, kernel: Kernel, initrd_size: int, factor: int
) -> Placement:
    """Tree, kernel and initrd in the first region that is large enough for all three."""
    best = 0
    gap = len(kernel.data) * (1 + factor)
    regions = [region for region in ram_of(config) if region.has(MemFlag.LOADABLE)]
    needed = 0
    for region in regions:
        tree, address, initrd = _placed_in(region, config, tree_size, kernel, gap)
        if initrd + initrd_size <= region.virt_end:
            return Placement(tree, address, initrd, initrd + initrd_size)
        if region.size > best:
            best, needed = region.size, initrd + initrd_size - region.virt_start
    if not regions:
        raise LinuxError(f"{config.file}: the cell has no loadable memory for Linux")
    raise LinuxError(
        f"{config.file}: kernel, device tree and initrd need {_aligned(needed, 1024) >> 10} KiB "
        f"in one piece, the largest memory region has {best >> 10} KiB"
    )


# --- the device tree -----------------------------------------------------------------------


def _cell_count(root: Node, name: str, absent: int, file: str) -> int:
    """How many 32-bit words an address or a size below the root has."""
    value = root.properties.get(name)
    count = absent if value is None else int.from_bytes(value, "big")
    if count not in (1, 2):
        raise LinuxError(f"{file}: {name} of the root node is {count}, 1 or 2 is right")
    return count


def _number(value: int, cells: int, file: str) -> bytes:
    try:
        return value.to_bytes(4 * cells, "big")
    except OverflowError:
        raise LinuxError(
            f"{file}: {value:#x} does not fit the root node's 32 bits, #address-cells and "
            "#size-cells must be 2"
        ) from None


def filled(
    tree: DeviceTree, file: str, config: CellConfig, cmdline: bytes | None, initrd: tuple[int, int]
) -> bytes:
    """The tree with the cell's memory, the command line and the initrd (address, size).

    Without a command line the tree's own stays; size 0 is no initrd.
    """
    root = tree.root
    # Absent ones mean 2 and 1 (Devicetree Specification 0.4, 2.3.5).
    addresses = _cell_count(root, "#address-cells", 2, file)
    sizes = _cell_count(root, "#size-cells", 1, file)
    root.children = [node for node in root.children if not _is_memory(node)]
    memory = root.child("memory")
    memory.properties = {
        "device_type": b"memory\0",
        "reg": b"".join(
            _number(region.virt_start, addresses, file) + _number(region.size, sizes, file)
            for region in ram_of(config)
        ),
    }
    chosen = root.child("chosen").properties
    if cmdline is not None:
        chosen["bootargs"] = cmdline
    start, size = initrd
    for name, value in (("start", start), ("end", start + size)):
        chosen.pop(f"linux,initrd-{name}", None)
        if size:
            chosen[f"linux,initrd-{name}"] = _number(value, addresses, file)
    return tree.to_bytes()


def _is_memory(node: Node) -> bool:
    return node.name.partition("@")[0] == "memory" or (
        node.properties.get("device_type") == b"memory\0"
    )


# --- the command ---------------------------------------------------------------------------


def run(request: Request, architecture: str, parameters: str) -> int:
    """Start Linux; with a file for `parameters` only write the device tree to it, and print
    the commands that would do the rest."""
    if (architecture or host_architecture()) != "arm64":
        print("jailhouse cell linux: not implemented yet", file=sys.stderr)
        return 1
    try:
        plan = prepare(request)
        if not parameters:
            return commands.cell_boot(request.config, plan.name, plan.images())
        lines = command_lines(plan, request, parameters)
    except LinuxError as error:
        print(f"jailhouse cell linux: {error}", file=sys.stderr)
        return 1
    Path(parameters).write_bytes(plan.tree)
    print("\n".join(lines))
    return 0


def command_lines(plan: Plan, request: Request, parameters: str) -> list[str]:
    """What `cell linux` does, as commands; LinuxError if they cannot load the kernel's file."""
    if plan.kernel.packed:
        raise LinuxError(
            f"{request.kernel}: compressed, and `cell load` does not unpack it: with -w give the "
            "plain Image"
        )
    name = shlex.quote(plan.name)
    images = [
        f"{shlex.quote(plan.loader)} -a {plan.reset_address:#x}",
        f"-s {shlex.quote(plan.words)} -a {plan.reset_address + LOADER_WORDS:#x}",
        f"{shlex.quote(request.kernel)} -a {plan.place.kernel:#x}",
        f"{shlex.quote(parameters)} -a {plan.place.tree:#x}",
    ]
    if request.initrd:
        images.append(f"{shlex.quote(request.initrd)} -a {plan.place.initrd:#x}")
    return [
        f"jailhouse cell create {shlex.quote(request.config)}",
        f"jailhouse cell load --name {name} {' '.join(images)}",
        f"jailhouse cell start --name {name}",
    ]
