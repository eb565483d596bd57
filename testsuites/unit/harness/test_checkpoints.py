# SPDX-License-Identifier: GPL-2.0-only
"""The store of checkpoints: made once, verified, bounded, safe between holders."""

import os
import threading
from collections.abc import Callable
from pathlib import Path

import pytest

from harness.checkpoints import DISK, META, STATE, CheckpointDamaged, Store, key_of

PARTS = {"stage": "linux", "machine": "m"}


def fill(content: bytes = b"memory") -> Callable[[Path], None]:
    def write(directory: Path) -> None:
        (directory / STATE).write_bytes(content)
        (directory / DISK).write_bytes(b"disk")
        (directory / "root-console.log").write_bytes(b"said")

    return write


def add(store: Store, key: str, content: bytes = b"memory") -> None:
    with store.locked(key):
        store.add(key, PARTS, fill(content))


@pytest.fixture
def store(tmp_path: Path) -> Store:
    return Store(tmp_path / "checkpoints", limit=1 << 20)


def test_keys_tell_every_part_apart() -> None:
    assert key_of(PARTS) == key_of(dict(reversed(PARTS.items())))
    assert key_of(PARTS) != key_of({**PARTS, "machine": "n"})
    assert key_of({"a": "bc"}) != key_of({"ab": "c"})


def test_an_entry_is_read_as_it_was_written(store: Store) -> None:
    assert store.find("k") is None
    add(store, "k")
    saved = store.find("k")
    assert saved is not None
    saved.verify()
    assert (saved.state.read_bytes(), saved.disk.read_bytes()) == (b"memory", b"disk")
    assert saved.streams() == {"root-console": b"said"}
    assert all(path.stat().st_mode & 0o777 == 0o444 for path in saved.path.iterdir())


@pytest.mark.parametrize("name", [STATE, DISK, "root-console.log"])
def test_damage_is_seen(store: Store, name: str) -> None:
    add(store, "k")
    saved = store.find("k")
    assert saved is not None
    path = saved.path / name
    path.chmod(0o644)
    data = bytearray(path.read_bytes())
    data[-1] ^= 1
    path.write_bytes(data)
    with pytest.raises(CheckpointDamaged, match=f"{name}: its SHA-256"):
        saved.verify()
    path.unlink()
    with pytest.raises(CheckpointDamaged, match=f"{name}: No such file"):
        saved.verify()


def test_an_entry_without_its_description_is_none(store: Store) -> None:
    add(store, "k")
    (store.root / "k" / META).chmod(0o644)
    (store.root / "k" / META).write_text("{")
    assert store.find("k") is None


def test_a_failed_save_leaves_nothing(store: Store) -> None:
    def broken(directory: Path) -> None:
        (directory / STATE).write_bytes(b"half")
        raise OSError("no space")

    with store.locked("k"), pytest.raises(OSError, match="no space"):
        store.add("k", PARTS, broken)
    assert store.find("k") is None
    assert [path.name for path in store.root.iterdir()] == ["k.lock"]


def test_the_least_recently_used_go_first(store: Store) -> None:
    third = store.limit // 3
    for number, key in enumerate(("a", "b")):
        add(store, key, bytes(third))
        os.utime(store.root / key, (number, number))
    assert store.find("a") is not None  # used now: "b" is the older one
    add(store, "c", bytes(third))
    assert store.find("b") is None
    assert store.find("a") is not None
    assert store.find("c") is not None
    assert store.size() <= store.limit


def test_what_somebody_holds_is_not_evicted(store: Store) -> None:
    add(store, "a", bytes(store.limit // 2))
    os.utime(store.root / "a", (0, 0))
    with store.shared("a") as held:
        assert held is not None
        os.utime(store.root / "a", (0, 0))
        add(store, "b", bytes(store.limit // 2 + 1000))
        held.verify()
    add(store, "c")
    assert store.find("b") is not None


def test_an_entry_is_made_by_one_while_others_wait(store: Store) -> None:
    order = []

    def other() -> None:
        with store.shared("k") as saved:
            order.append("found" if saved else "missed")

    with store.locked("k"):
        thread = threading.Thread(target=other)
        thread.start()
        thread.join(0.2)
        assert thread.is_alive()
        store.add("k", PARTS, fill())
        order.append("made")
    thread.join(10)
    assert order == ["made", "found"]
