# SPDX-License-Identifier: GPL-2.0-only
"""Package resolution depends on the archive alone, not on this host."""

from pathlib import Path

import pytest

from harness import packages
from harness.packages import Apt, Mirror, MirrorUnknown, Source

TARGETS = """\
MetaKey: main/binary-amd64/Packages
Component: main
Created-By: Packages
Release: {release}
Repo-URI: http://mirror.invalid/{path}/
Site: http://mirror.invalid/{path}
"""


def targets(*pairs: tuple[str, str]) -> str:
    return "\n\n".join(TARGETS.format(release=release, path=path) for release, path in pairs)


def test_mirror_is_the_one_with_debian_on_it() -> None:
    text = targets(
        ("nodistro", "node"),
        ("bookworm-updates", "debian"),
        ("bookworm", "debian"),
        ("bookworm-security", "security"),
    )
    assert packages.mirror_from_targets(text) == Mirror(
        "http://mirror.invalid/debian/", "http://mirror.invalid/security/"
    )


def test_mirror_without_security() -> None:
    assert packages.mirror_from_targets(targets(("trixie", "d"))).security is None


def test_no_mirror_is_said_so() -> None:
    with pytest.raises(MirrorUnknown, match=r"sources\.list"):
        packages.mirror_from_targets(targets(("nodistro", "node")))


def test_sources_of_a_suite() -> None:
    mirror = Mirror("m", "s")
    base = [
        Source("m", "bookworm"),
        Source("m", "bookworm-updates"),
        Source("s", "bookworm-security"),
    ]
    assert packages.sources_for("bookworm", mirror) == base
    backports = Source("m", "bookworm-backports")
    assert packages.sources_for("bookworm-backports", mirror) == [*base, backports]
    assert packages.sources_for("trixie", mirror) == [Source("m", "trixie")]


INSTALLED = """\
Package: {name}
Status: install ok installed
Architecture: amd64
Version: 999
Maintainer: nobody

"""


def test_resolution_ignores_what_the_host_has_installed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Another status file, recommends switched on, another locale and time zone: same answer."""
    names = ["dropbear-bin", "python3-minimal"]
    apt = Apt("bookworm", "amd64")
    with apt.lock():
        here = apt.closure(names)

    status = tmp_path / "status"
    status.write_text("".join(INSTALLED.format(name=package.name) for package in here))
    hostile = tmp_path / "apt.conf"
    hostile.write_text(
        f'Dir::State::status "{status}";\nAPT::Install-Recommends "true";\n'
        'APT::Default-Release "trixie";\n'
    )
    monkeypatch.setenv("APT_CONFIG", str(hostile))
    monkeypatch.setenv("TZ", "Pacific/Kiritimati")
    monkeypatch.setenv("LC_ALL", "tr_TR.UTF-8")
    with apt.lock():
        assert apt.closure(names) == here
    assert {"libc6", "libtomcrypt1", "zlib1g"} <= {package.name for package in here}


def test_configuration_takes_nothing_from_etc_apt(tmp_path: Path) -> None:
    text = Apt("bookworm", "amd64", tmp_path, mirror=Mirror("m", None)).configuration()
    assert f'Dir::State::status "{tmp_path}/apt/bookworm-amd64/status";' in text
    for setting in ("main", "parts", "sourceparts", "preferences", "preferencesparts"):
        assert f'Dir::Etc::{setting} "/dev/null";' in text


def test_uris_are_parsed() -> None:
    digest = "ab" * 32
    line = f"'http://m/pool/x_1%253a2.0-1_amd64.deb' x_1%3a2.0-1_amd64.deb 1234 SHA256:{digest}\n"
    (package,) = Apt._parse_uris("Reading lists\n" + line)
    assert (package.name, package.version, package.arch) == ("x", "1:2.0-1", "amd64")
    assert package.sha256 == digest


def test_a_damaged_download_is_not_kept(tmp_path: Path) -> None:
    package = packages.Package("x", "1", "all", "00" * 32, "x_1_all.deb")
    arrived, place = tmp_path / "arrived", tmp_path / "pool.deb"
    arrived.mkdir()
    (arrived / "x_1_all.deb").write_bytes(b"cut off")
    Apt._accept([package], arrived, {package: place})
    assert not place.exists()
    assert not arrived.exists()
