# SPDX-License-Identifier: GPL-2.0-only
"""SSH keys of the guests: made once a cache directory, never part of an image.

Both keys are Ed25519.  The host key is written in dropbear's own format, which
is the key's type and then private and public half as SSH strings.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass
from pathlib import Path

from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from harness import cache
from harness.image import cpio

HOST_KEY_PATH = "etc/dropbear/dropbear_ed25519_host_key"


@dataclass(frozen=True)
class Keys:
    """``user`` is an OpenSSH private key file; the rest are public key lines."""

    user: Path
    user_public: str
    host_public: str
    host_dropbear: bytes

    def archive(self) -> bytes:
        """The cpio that is appended at start."""
        return cpio.archive(
            {
                "root": cpio.directory(0o700),
                "root/.ssh": cpio.directory(0o700),
                "root/.ssh/authorized_keys": cpio.file(self.user_public.encode() + b"\n", 0o600),
                "etc/dropbear": cpio.directory(0o700),
                HOST_KEY_PATH: cpio.file(self.host_dropbear, 0o600),
            }
        )


def _ssh_string(data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + data


def _halves(key: Ed25519PrivateKey) -> tuple[bytes, bytes]:
    raw = serialization.Encoding.Raw
    private = key.private_bytes(raw, serialization.PrivateFormat.Raw, serialization.NoEncryption())
    return private, key.public_key().public_bytes(raw, serialization.PublicFormat.Raw)


def dropbear_format(key: Ed25519PrivateKey) -> bytes:
    """A key file as dropbear reads it."""
    private, public = _halves(key)
    return _ssh_string(b"ssh-ed25519") + _ssh_string(private + public)


def _public_line(key: Ed25519PrivateKey) -> str:
    return (
        key.public_key()
        .public_bytes(serialization.Encoding.OpenSSH, serialization.PublicFormat.OpenSSH)
        .decode()
    )


def _load(path: Path) -> Ed25519PrivateKey:
    key = serialization.load_ssh_private_key(path.read_bytes(), None)
    if not isinstance(key, Ed25519PrivateKey):
        raise TypeError(f"{path} is not an Ed25519 key")
    return key


def _make(path: Path) -> None:
    pem = Ed25519PrivateKey.generate().private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.OpenSSH,
        serialization.NoEncryption(),
    )
    cache.write_atomically(path, pem, 0o600)


def keys(root: Path | None = None) -> Keys:
    """The keys of this cache directory, made on first use (mode 0600)."""
    folder = (root or cache.cache_root()) / "keys"
    user, host = folder / "user_ed25519", folder / "host_ed25519"
    with cache.locked(folder / "lock"):
        folder.chmod(0o700)
        for path in (user, host):
            if not path.exists():
                _make(path)
    host_key = _load(host)
    return Keys(user, _public_line(_load(user)), _public_line(host_key), dropbear_format(host_key))
