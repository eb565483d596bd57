# SPDX-License-Identifier: GPL-2.0-only
"""Bytecode for the guest: the same bytes from the same sources, never compared at import."""

import marshal
import sys
from pathlib import Path

import pytest

from harness import cache
from harness.image import bytecode

SOURCES = {
    "usr/lib/python3/dist-packages/one.py": b"A = {'x', 'y'}\ndef f(a=('x', 'y')):\n return a\n",
    "usr/lib/python3/dist-packages/two/__init__.py": b"'''doc'''\nB = frozenset('abc')\n",
}


@pytest.fixture
def other_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty cache with this one's packages."""
    bytecode.guest_python("bookworm")
    for part in ("debs", "resolved", "trees"):
        (tmp_path / part).symlink_to(cache.cache_root() / part)
    monkeypatch.setenv("JAILHOUSE_CACHE", str(tmp_path))
    return tmp_path


def test_same_sources_same_bytes(other_cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    first = bytecode.compile_all(SOURCES, "bookworm")
    assert (other_cache / "bytecode").exists()
    monkeypatch.setenv("JAILHOUSE_CACHE", str(other_cache / "second"))
    monkeypatch.setenv("PYTHONHASHSEED", "12345")
    monkeypatch.setenv("TZ", "Asia/Kathmandu")
    assert bytecode.compile_all(SOURCES, "bookworm") == first


def test_header_says_unchecked_hash(other_cache: Path) -> None:
    for code in bytecode.compile_all(SOURCES, "bookworm").values():
        assert int.from_bytes(code[4:8], "little") == 0b01


@pytest.mark.skipif(sys.version_info[:2] != (3, 11), reason="reads the guest's marshal format")
def test_file_names_are_the_guests(other_cache: Path) -> None:
    for path, code in bytecode.compile_all(SOURCES, "bookworm").items():
        assert marshal.loads(code[16:]).co_filename == f"/{path}"


def test_an_error_names_the_file(other_cache: Path) -> None:
    with pytest.raises(bytecode.CompileError, match=r"broken\.py"):
        bytecode.compile_all({"usr/broken.py": b"def (:\n"}, "bookworm")
    assert list((other_cache / "bytecode").glob("[0-9a-f]*")) == []
