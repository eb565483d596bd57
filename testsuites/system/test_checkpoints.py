# SPDX-License-Identifier: GPL-2.0-only
"""A restored machine is the booted one: both ways agree, and none shares its disk."""

import re
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from harness.checkpoints import DISK, STATE, Store, key_of
from harness.guest.linux import Linux
from harness.image import Artifacts
from harness.session import NOTES, Lab, Variant, shut
from harness.targets import Target
from harness.verbs import Jailhouse

pytestmark = pytest.mark.needs("checkpoints")

#: What must be the same however the machine came about.
VIEW = (
    "uname -a; cat /proc/cmdline /proc/iomem /proc/interrupts | sed 's/:.*[0-9]  */: /'; lspci;"
    " cat /sys/devices/system/cpu/online; ls /dev /proc/irq; md5sum /dev/[sv]da; grep -c . /proc/modules"
)


@pytest.fixture
def make(
    tmp_path: Path, target: Target, artifacts: Artifacts
) -> Iterator[Callable[[Store | None], Linux]]:
    """Starts a machine of a lab of its own, with that store or (None) booted."""
    started: list[Linux] = []

    def do(store: Store | None) -> Linux:
        lab = Lab(target, lambda _: artifacts, tmp_path, f"m{len(started)}", store=store)
        started.append(lab.linux(Variant()))
        return started[-1]

    yield do
    for linux in started:
        shut(linux)


@pytest.fixture
def store(tmp_path: Path) -> Store:
    return Store(tmp_path / "checkpoints")


@pytest.mark.needs("checkpoints", "network")
def test_both_ways_agree(
    make: Callable[[Store | None], Linux], store: Store, target: Target
) -> None:
    booted, first, restored = make(None), make(store), make(store)
    views = [linux.succeed(VIEW) for linux in (booted, first, restored)]
    assert views[0] == views[1] == views[2]
    assert "Linux" in views[0]
    assert re.search(r"^[0-9a-f]{32}  /dev/", views[0], re.M)
    # What the consoles said during the boot comes with the state.
    assert restored.root_console.text(0) == first.root_console.text(0) != ""
    assert "-incoming" not in " ".join(first.machine.argv)
    assert "-incoming" in restored.machine.argv
    assert restored.ssh_run("echo over ssh").output == "over ssh\n"
    results = []
    for linux in (booted, restored):
        verbs = Jailhouse(linux)
        verbs.load_module()
        mark = verbs.uart.end
        verbs.enable(target.root_config)
        results.append((verbs.pools(), [c.cpus for c in verbs.cells()],
                        re.sub(r"0x[0-9a-f]+|CPU \d", "X", verbs.uart.text(mark))))  # fmt: skip
        verbs.disable()
        linux.check_health()
    assert results[0][:2] == results[1][:2]
    assert sorted(results[0][2].split("\n")) == sorted(results[1][2].split("\n"))


@pytest.mark.needs("checkpoints", "disk")
def test_disks_are_private_and_captured(
    make: Callable[[Store | None], Linux], tmp_path: Path, target: Target
) -> None:
    linux = make(Store())
    device = f"/dev/{target.machine.disks[0].device}"
    write = f"dd of={device} bs=512 seek=9 conv=sync,fsync 2>/dev/null"
    linux.succeed(f"echo written before | {write}")
    directory = tmp_path / "saved"
    directory.mkdir()
    linux.machine.save(directory)
    linux.succeed(f"echo written after | {write}")
    assert b"written before\n" in (directory / DISK).read_bytes()[9 * 512 : 10 * 512]
    read = f"dd if={device} bs=512 skip=9 count=1 2>/dev/null"
    assert linux.succeed(f"{read} | head -1") == "written after\n"
    assert b"written" not in linux.machine.image.disk.read_bytes()


@pytest.mark.needs("checkpoints")
def test_a_damaged_checkpoint_is_replaced_and_said(
    make: Callable[[Store | None], Linux],
    store: Store,
    tmp_path: Path,
    target: Target,
    artifacts: Artifacts,
) -> None:
    make(Store())
    lab = Lab(target, lambda _: artifacts, tmp_path)
    key = key_of(lab.plan(Variant()).parts)
    shutil.copytree(Store().root / key, store.root / key)
    state = next(store.root.glob(f"*/{STATE}"))
    state.chmod(0o644)
    with state.open("r+b") as file:
        file.seek(state.stat().st_size // 2)
        byte = file.read(1)
        file.seek(-1, 1)
        file.write(bytes([byte[0] ^ 0xFF]))
    assert make(store).succeed("echo alive") == "alive\n"
    assert f"checkpoint dropped, booting instead: {state}: its SHA-256" in (tmp_path / NOTES).read_text()
    again = make(store)
    assert "-incoming" in again.machine.argv
    # Once; a boot that the emulator spoiled has a note of its own.
    assert (tmp_path / NOTES).read_text().count("checkpoint dropped") == 1
