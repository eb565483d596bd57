# SPDX-License-Identifier: GPL-2.0-only
"""SSH keys: private to their cache directory, outside the image."""

import os
import stat
from pathlib import Path

import paramiko
import pytest

from harness import image
from harness.image import cpio, sshkeys


def mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


@pytest.mark.parametrize("umask", [0o000, 0o077])
def test_modes_do_not_follow_the_umask(tmp_path: Path, umask: int) -> None:
    before = os.umask(umask)
    try:
        made = sshkeys.keys(tmp_path)
    finally:
        os.umask(before)
    assert mode(made.user) == 0o600
    assert mode(tmp_path / "keys" / "host_ed25519") == 0o600
    assert mode(tmp_path / "keys") == 0o700


def test_keys_are_made_once_a_cache(tmp_path: Path) -> None:
    assert sshkeys.keys(tmp_path / "a") == sshkeys.keys(tmp_path / "a")
    assert sshkeys.keys(tmp_path / "a").user_public != sshkeys.keys(tmp_path / "b").user_public


def test_paramiko_reads_the_user_key(tmp_path: Path) -> None:
    made = sshkeys.keys(tmp_path)
    key = paramiko.Ed25519Key.from_private_key_file(str(made.user))
    assert made.user_public == f"{key.get_name()} {key.get_base64()}"


def test_guest_gets_them_with_safe_modes(tmp_path: Path) -> None:
    nodes = dict(cpio.parse(sshkeys.keys(tmp_path).archive()))
    assert stat.S_IMODE(nodes["root"].mode) == 0o700
    assert stat.S_IMODE(nodes["root/.ssh/authorized_keys"].mode) == 0o600
    host = nodes[sshkeys.HOST_KEY_PATH]
    assert stat.S_IMODE(host.mode) == 0o600
    assert host.data.startswith(b"\0\0\0\x0bssh-ed25519\0\0\0\x40")
    assert len(host.data) == 4 + 11 + 4 + 64


def test_identity_does_not_depend_on_keys(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    one = image.build()
    monkeypatch.setattr(image, "keys", lambda: sshkeys.keys(tmp_path))
    other = image.build()
    assert one.keys != other.keys
    assert one.identity == other.identity
