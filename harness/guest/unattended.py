# SPDX-License-Identifier: GPL-2.0-only
"""Runs a scenario inside the guest, from its only process to its power-off.

    unattended.py SCENARIO.json TTY

Nothing is typed and nobody is asked, so a machine with counted time does the
same every time. The scenario is a list of steps, objects whose `do` names a
method of `Executor` below; the record is one line of JSON a step, written to
TTY when all is over, the last one {"end": true}. A step that fails ends the
scenario; its line says why. Runs on the target: standard library only.
"""

from __future__ import annotations

import ctypes
import errno
import importlib
import json
import mmap
import os
import shutil
import sys
import termios
import time
import traceback
from typing import Any

SHARE = "/usr/share/jailhouse"
CELLS = "/sys/devices/jailhouse/cells"
#: `long call(long handle, long request, long argument, u64 clock[2])`, an ioctl between two
#: readings of the CPU's counter: in an interpreter that alone would take 12 000 instructions.
TIMED_IOCTL = {
    # mov %rcx,%r8; mov %rdx,%r10
    # rdtsc; shl $32,%rdx; or %rdx,%rax; mov %rax,(%r8)
    # mov %r10,%rdx; mov $16,%eax; syscall; mov %rax,%r9
    # rdtsc; shl $32,%rdx; or %rdx,%rax; mov %rax,8(%r8)
    # mov %r9,%rax; ret
    "x86_64": (
        "4989c8 4989d2 0f31 48c1e220 4809d0 498900"
        "4c89d2 b810000000 0f05 4989c1 0f31 48c1e220 4809d0 49894008 4c89c8 c3"
    ),
    # mrs x9, cntvct_el0; str x9, [x3]
    # mov x8, #29; svc #0
    # mrs x9, cntvct_el0; str x9, [x3, #8]; ret
    "aarch64": "49e03bd5 690000f9 a80380d2 010000d4 49e03bd5 690400f9 c0035fd6",
}

class Failed(Exception):
    """A step did not do what the scenario says."""


class TimedIoctl:
    """Stands in for the `fcntl` module in `jailhouse.device`: how long the call took."""

    def __init__(self) -> None:
        page = mmap.mmap(-1, mmap.PAGESIZE, prot=mmap.PROT_READ | mmap.PROT_WRITE | mmap.PROT_EXEC)
        page.write(bytes.fromhex(TIMED_IOCTL[os.uname().machine]))
        # Views of the page, which so stays.
        self._code = ctypes.c_char.from_buffer(page)
        word = ctypes.c_long
        prototype = ctypes.CFUNCTYPE(word, word, word, word, ctypes.c_void_p)
        self._call = prototype(ctypes.addressof(self._code))
        self._clock = (ctypes.c_uint64 * 2)()

    def ioctl(self, handle: int, request: int, record: Any) -> int:
        """As `fcntl.ioctl` does it, but a record is always passed in place."""
        view = None if isinstance(record, int) else ctypes.c_char.from_buffer(record)
        argument = record if view is None else ctypes.addressof(view)
        result = int(self._call(handle, request, argument, self._clock))
        # The caller closes its memory, even while this frame is part of a traceback.
        del view
        if result < 0:
            raise OSError(-result, os.strerror(-result))
        return result

    @property
    def ticks(self) -> int:
        """Of the last call; 0 before the first."""
        return self._clock[1] - self._clock[0]

    def forget(self) -> None:
        self._clock[:] = [0, 0]


class Executor:
    """Steps are methods; what they return is in their line of the record."""

    def __init__(self) -> None:
        from jailhouse import device  # noqa: PLC0415 (only there in the guest)

        self._device = device
        self._clock = TimedIoctl()
        setattr(device, "fcntl", self._clock)  # noqa: B010 (a module has no such attribute)

    def run(self, step: dict[str, Any]) -> dict[str, Any]:
        words = {name: value for name, value in step.items() if name not in ("do", "refused")}
        self._clock.forget()
        try:
            told = getattr(self, "do_" + step["do"])(**words)
        except OSError as error:
            name = errno.errorcode.get(error.errno or 0, str(error.errno))
            if step.get("refused") != name:
                raise Failed(f"{name}: {error}") from error
            told = {"refused": name}
        else:
            if "refused" in step:
                raise Failed(f"not refused with {step['refused']}")
        return {"ticks": self._clock.ticks, **(told or {})}

    def do_module(self) -> None:
        if os.system("insmod /usr/lib/modules/$(uname -r)/updates/jailhouse.ko") != 0:
            raise Failed("jailhouse.ko did not load")

    def do_firmware(self, path: str) -> None:
        """Another hypervisor image for the next enable."""
        shutil.copyfile(path, "/lib/firmware/jailhouse-amd.bin")

    def do_enable(self, config: str) -> None:
        self._device.enable(_read(f"{SHARE}/configs/{config}.cell"))

    def do_disable(self) -> None:
        self._device.disable()

    def do_create(self, config: str) -> None:
        self._device.create(_read(f"{SHARE}/configs/{config}.cell"))

    def do_load(self, cell: str, path: str, words: str | None = None) -> None:
        """`path` of an image, or the name of one; `words` for its command line."""
        file = path if path.startswith("/") else f"{SHARE}/inmates/{path}.bin"
        images = [(_read(file), 0)]
        if words is not None:
            images.append((words.encode() + b"\0", 0x1000))
        self._device.load(cell, images)

    def do_start(self, cell: str) -> None:
        self._device.start(cell)

    def do_shutdown(self, cell: str) -> None:
        self._device.shutdown(cell)

    def do_destroy(self, cell: str) -> None:
        self._device.destroy(cell)

    def do_sleep(self, seconds: float) -> None:
        time.sleep(seconds)

    def do_wait(self, cell: str, state: str, seconds: float) -> None:
        """Until the cell is in a state; at most guest seconds."""
        end = time.monotonic() + seconds
        while (found := _text(f"{_cell(cell)}/state")) != state:
            if time.monotonic() > end:
                raise Failed(f"cell {cell} is {found!r} after {seconds} s, not {state!r}")
            time.sleep(0.1)

    def do_stats(self, cell: str) -> dict[str, Any]:
        """Exit counters by reason, summed over the cell's CPUs."""
        folder = f"{_cell(cell)}/statistics"
        return {
            "exits": {
                name.removeprefix("vmexits_"): int(_text(f"{folder}/{name}"))
                for name in sorted(os.listdir(folder))
                if name.startswith("vmexits_")
            }
        }

    def do_root_events(self, events: dict[str, int]) -> dict[str, Any]:
        """Exits of the root cell's own events, by how many of each in a window."""
        # Beside this file, in the guest.
        root = importlib.import_module("rootevents").RootEvents()
        return {"windows": [root.measure(name, count) for name, count in events.items()]}

    def do_root_idle(self, seconds: int) -> dict[str, Any]:
        """Exits of the root cell while nothing is to be done."""
        return {"exits": importlib.import_module("rootevents").idle(seconds)}


def _cell(name: str) -> str:
    for entry in os.listdir(CELLS):
        if _text(f"{CELLS}/{entry}/name") == name:
            return f"{CELLS}/{entry}"
    raise Failed(f"there is no cell {name!r}")


def _text(path: str) -> str:
    with open(path) as file:
        return file.read().rstrip("\n")


def _read(path: str) -> bytes:
    with open(path, "rb") as file:
        return file.read()


def _record(steps: list[dict[str, Any]]) -> list[dict[str, Any]]:
    made: list[dict[str, Any]] = []
    try:
        executor = Executor()
        for step in steps:
            made.append({"step": step})
            made[-1] |= executor.run(step)
    except Failed as error:
        made.append({"failed": str(error)})
    except Exception:
        made.append({"failed": traceback.format_exc()})
    return [*made, {"end": True}]


def _tell(path: str, lines: list[dict[str, Any]]) -> None:
    """Raw: a terminal would add carriage returns."""
    handle = os.open(path, os.O_RDWR | os.O_NOCTTY)
    if os.isatty(handle):
        _make_raw(handle)
    data = "".join(json.dumps(line) + "\n" for line in lines).encode()
    while data:
        data = data[os.write(handle, data) :]
    if os.isatty(handle):
        termios.tcdrain(handle)


def _make_raw(handle: int) -> None:
    mode = termios.tcgetattr(handle)
    mode[0] = mode[1] = mode[3] = 0
    mode[2] = termios.CS8 | termios.CREAD | termios.CLOCAL
    mode[4] = mode[5] = termios.B115200
    termios.tcsetattr(handle, termios.TCSANOW, mode)


def main(arguments: list[str]) -> int:
    """unattended.py SCENARIO.json TTY"""
    with open(arguments[0]) as file:
        steps = json.load(file)
    _tell(arguments[1], _record(steps))
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
