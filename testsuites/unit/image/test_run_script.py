# SPDX-License-Identifier: GPL-2.0-only
"""./run on hosts that lack something: what it installs, and what it says."""

import subprocess
from pathlib import Path

import pytest

from harness.image.spec import REPOSITORY

RUN = REPOSITORY / "run"
LOG = 'echo "$(basename "$0") $*" >> "$LOG"\n'


class Host:
    """A PATH that has only what a test puts there."""

    def __init__(self, folder: Path) -> None:
        self.bin = folder / "bin"
        self.bin.mkdir()
        self.log = folder / "log"
        self.log.write_text("")
        for name in ("cat", "dirname", "basename", "env"):
            (self.bin / name).symlink_to(f"/usr/bin/{name}")
        self.command("make", LOG)

    def command(self, name: str, script: str) -> None:
        path = self.bin / name
        path.write_text(f"#!/bin/sh\n{script}")
        path.chmod(0o755)

    def run(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            ["/bin/sh", RUN, *arguments],
            env={"PATH": str(self.bin), "LOG": str(self.log)},
            capture_output=True,
            text=True,
            check=False,
        )

    def calls(self) -> list[str]:
        return self.log.read_text().splitlines()


@pytest.fixture
def host(tmp_path: Path) -> Host:
    return Host(tmp_path)


def lacks(host: Host, *packages: str) -> None:
    pattern = "|".join(packages) or "''"
    host.command("dpkg-query", f'case "$4" in {pattern}) exit 1;; esac\nprintf installed\n')


def test_without_root_and_sudo_it_prints_the_line_and_stops(host: Host) -> None:
    host.command("id", "echo 1000\n")
    lacks(host, "gcc", "zstd")
    done = host.run("demo")
    assert done.returncode == 2
    assert "    apt-get install --no-install-recommends gcc zstd\n" in done.stderr
    assert host.calls() == []


def test_root_installs_without_questions(host: Host) -> None:
    host.command("id", "echo 0\n")
    host.command("apt-get", 'echo "$DEBIAN_FRONTEND" >> "$LOG"\n' + LOG)
    lacks(host, "zstd")
    done = host.run("demo")
    assert done.returncode == 0, done.stderr
    install = "apt-get install -q -y --no-install-recommends zstd"
    calls = host.calls()
    assert calls[calls.index(install) - 1] == "noninteractive"
    assert calls[-1] == "make --no-print-directory demo"


def test_sudo_is_used_when_there_is_one(host: Host) -> None:
    host.command("id", "echo 1000\n")
    host.command("sudo", LOG)
    lacks(host, "make")
    assert host.run("test", "N=3").returncode == 0
    assert any(
        call.startswith("sudo env DEBIAN_FRONTEND=noninteractive apt-get install")
        for call in host.calls()
    )
    assert host.calls()[-1] == "make --no-print-directory test N=3"


def test_stale_lists_are_updated_once(host: Host) -> None:
    host.command("id", "echo 0\n")
    host.command(
        "apt-get", LOG + 'case "$*" in update*) : > "$LOG.updated";; esac\n[ -e "$LOG.updated" ]\n'
    )
    lacks(host, "gcc")
    assert host.run("demo").returncode == 0
    assert "apt-get update -q" in host.calls()


def test_nothing_missing_means_no_apt(host: Host) -> None:
    host.command("id", "echo 1000\n")
    lacks(host)
    assert host.run("demo").returncode == 0
    assert host.calls() == ["make --no-print-directory demo"]


def test_a_demo_on_another_architecture_needs_its_compiler(host: Host) -> None:
    host.command("id", "echo 1000\n")
    lacks(host, "gcc-aarch64-linux-gnu")
    assert host.run("demo", "amd-tcg").returncode == 0
    assert host.calls() == ["make --no-print-directory demo TARGET=amd-tcg"]
    done = host.run("demo", "arm64-gicv3")
    assert done.returncode == 2
    assert "    apt-get install --no-install-recommends gcc-aarch64-linux-gnu\n" in done.stderr


def test_make_arguments_are_no_targets(host: Host) -> None:
    host.command("id", "echo 1000\n")
    lacks(host)
    assert host.run("demo", "KERNEL=6.12").returncode == 0
    assert host.run("demo", "arm64-gicv2", "V=1").returncode == 0
    assert host.calls() == [
        "make --no-print-directory demo KERNEL=6.12",
        "make --no-print-directory demo TARGET=arm64-gicv2 V=1",
    ]


def test_usage(host: Host) -> None:
    for arguments in ((), ("--help",)):
        done = host.run(*arguments)
        assert done.returncode == 0
        assert done.stdout.startswith("Usage: ./run COMMAND")
    done = host.run("dance")
    assert done.returncode == 2
    assert "Usage" in done.stderr
