# SPDX-License-Identifier: GPL-2.0-only
"""Debian packages without root: resolve, download and unpack them privately.

apt runs with a configuration, a state directory and a *package status file* of
its own, so that nothing global changes and the answer does not depend on what
this host happens to have installed.  Only three things come from the host: the
address of its Debian mirror (``apt-get indextargets``), its proxy settings and
the Debian keyring.

An answer is kept in the cache (``resolved/``): later runs neither need the
network nor see newer packages, until the cache or ``refresh`` says otherwise.

Errors::

    PackageError                 everything raised here
    ├── MirrorUnknown            the host's apt configures no Debian mirror
    └── AptFailed                apt or dpkg-deb ended with an error
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from harness.cache import (
    cache_root,
    directory_in_making,
    file_hash,
    locked,
    write_atomically,
)

KEYRING = Path("/usr/share/keyrings/debian-archive-keyring.gpg")
#: Bumped when the meaning of cached answers changes.
FORMAT = 1
#: Suites that are the archive's, as opposed to those of other vendors.
_DEBIAN_RELEASE = re.compile(r"^(?:bookworm|trixie|forky|sid|stable|oldstable|testing)$")

Progress = Callable[[str], None]


class PackageError(Exception):
    """A package could not be resolved, fetched or unpacked."""


class MirrorUnknown(PackageError):
    """The host's apt configuration names no Debian mirror."""


class AptFailed(PackageError):
    """apt-get, apt-cache or dpkg-deb reported an error."""


def say(text: str) -> None:
    """Default progress: one plain line on stderr."""
    print(f"  {text}", file=sys.stderr, flush=True)


@dataclass(frozen=True, order=True)
class Package:
    """One .deb of a resolution, named by its content."""

    name: str
    version: str
    arch: str
    sha256: str
    filename: str


@dataclass(frozen=True)
class Mirror:
    """Where this host gets Debian from."""

    main: str
    security: str | None


@dataclass(frozen=True)
class Source:
    """One line of a private sources.list."""

    uri: str
    suite: str


def mirror_from_targets(text: str) -> Mirror:
    """Find the mirror in the output of ``apt-get indextargets``."""
    main: str | None = None
    security: str | None = None
    for stanza in text.split("\n\n"):
        fields = dict(line.split(": ", 1) for line in stanza.splitlines() if ": " in line)
        if fields.get("Created-By") != "Packages":
            continue
        release = fields.get("Release", "")
        uri = fields.get("Repo-URI", "")
        if not uri or fields.get("Component") != "main":
            continue
        if _DEBIAN_RELEASE.match(release):
            main = main or uri
        elif release.endswith("-security") and _DEBIAN_RELEASE.match(release.split("-")[0]):
            security = security or uri
    if main is None:
        raise MirrorUnknown(
            "apt-get indextargets names no Debian suite: "
            "is a Debian mirror configured in /etc/apt/sources.list.d?"
        )
    return Mirror(main, security)


def host_mirror() -> Mirror:
    """The mirror configured on this host."""
    done = subprocess.run(["apt-get", "indextargets"], capture_output=True, text=True, check=False)
    if done.returncode != 0:
        raise AptFailed(f"apt-get indextargets: {done.stderr.strip()}")
    return mirror_from_targets(done.stdout)


def sources_for(suite: str, mirror: Mirror) -> list[Source]:
    """The sources that make up a suite, with its updates and fixes.

    A backports suite is resolved together with its base, as apt does it.
    """
    base = suite.removesuffix("-backports")
    sources = [Source(mirror.main, base)]
    if base == "bookworm":
        sources.append(Source(mirror.main, f"{base}-updates"))
        if mirror.security:
            sources.append(Source(mirror.security, f"{base}-security"))
    if suite != base:
        sources.append(Source(mirror.main, suite))
    return sources


def _host_acquire_settings() -> list[str]:
    """Proxy and certificate settings of the host's apt."""
    done = subprocess.run(["apt-config", "dump"], capture_output=True, text=True, check=False)
    wanted = re.compile(r"^Acquire::(?:https?|ftp|Retries|Check-Valid-Until)\b")
    return [line for line in done.stdout.splitlines() if wanted.match(line)]


class Apt:
    """apt for one suite and architecture with private state."""

    def __init__(
        self,
        suite: str,
        arch: str,
        root: Path | None = None,
        progress: Progress = say,
        mirror: Mirror | None = None,
    ) -> None:
        self.suite = suite
        self.arch = arch
        self.progress = progress
        self.cache = root or cache_root()
        self.state = self.cache / "apt" / f"{suite}-{arch}"
        self._mirror = mirror

    def configuration(self) -> str:
        """The whole apt configuration: nothing of /etc/apt but Acquire settings."""
        state = self.state
        lines = [
            f'Dir::State "{state}/state/";',
            f'Dir::State::status "{state}/status";',
            f'Dir::Cache "{state}/cache/";',
            f'Dir::Etc::sourcelist "{state}/sources.list";',
            'Dir::Etc::sourceparts "/dev/null";',
            'Dir::Etc::main "/dev/null";',
            'Dir::Etc::parts "/dev/null";',
            'Dir::Etc::preferences "/dev/null";',
            'Dir::Etc::preferencesparts "/dev/null";',
            'Dir::Log "/dev/null";',
            f'APT::Architecture "{self.arch}";',
            "#clear APT::Architectures;",
            f'APT::Architectures {{ "{self.arch}"; }};',
            'APT::Install-Recommends "false";',
            'APT::Install-Suggests "false";',
            f'APT::Default-Release "{self.suite if self.suite.endswith("-backports") else ""}";',
            'APT::Sandbox::User "root";',
            'APT::Get::Assume-Yes "true";',
            'Acquire::Languages "none";',
            'Acquire::ForceHash "SHA256";',
            'Acquire::PDiffs "false";',
            'Acquire::Retries "3";',
        ]
        return "\n".join(lines + _host_acquire_settings()) + "\n"

    def _prepare(self) -> None:
        for part in ("state/lists/partial", "cache/archives/partial"):
            (self.state / part).mkdir(parents=True, exist_ok=True)
        (self.state / "status").write_bytes(b"")
        mirror = self._mirror or host_mirror()
        lines = [
            f"deb [signed-by={KEYRING}] {source.uri} {source.suite} main\n"
            for source in sources_for(self.suite, mirror)
        ]
        (self.state / "sources.list").write_text("".join(lines))
        (self.state / "apt.conf").write_text(self.configuration())

    def _environment(self) -> dict[str, str]:
        environment = {
            "APT_CONFIG": str(self.state / "apt.conf"),
            "PATH": "/usr/sbin:/usr/bin:/sbin:/bin",
            "LC_ALL": "C",
            "HOME": "/nonexistent",
            "DEBIAN_FRONTEND": "noninteractive",
        }
        for name, value in os.environ.items():
            if name.lower().endswith("_proxy"):
                environment[name] = value
        return environment

    def _run(self, command: Sequence[str]) -> str:
        done = subprocess.run(
            list(command), env=self._environment(), capture_output=True, text=True, check=False
        )
        if done.returncode != 0:
            tail = (done.stderr or done.stdout).strip()[-2000:]
            raise AptFailed(f"{' '.join(command)} ({self.suite} {self.arch}): {tail}")
        return done.stdout

    def update(self) -> None:
        """Fetch the package lists of the suite, once a cache."""
        stamp = self.state / "updated"
        if stamp.exists():
            return
        self.progress(f"apt: package lists of {self.suite} ({self.arch})")
        self._prepare()
        self._run(["apt-get", "update", "-q", "--error-on=any"])
        stamp.write_text("")

    def forget_lists(self) -> None:
        """Fetch the package lists again when they are next needed."""
        (self.state / "updated").unlink(missing_ok=True)

    def lock(self) -> contextlib.AbstractContextManager[None]:
        """Serialises everything that touches this apt's state."""
        return locked(self.state.parent / f"{self.suite}-{self.arch}.lock")

    def closure(self, names: Sequence[str]) -> list[Package]:
        """The packages with everything they depend on, nothing recommended."""
        self.update()
        out = self._run(
            ["apt-get", "install", "--print-uris", "-qq", "--no-install-recommends", *names]
        )
        return self._parse_uris(out)

    def alone(self, names: Sequence[str]) -> list[Package]:
        """Just these packages, without what they depend on."""
        self.update()
        return self._parse_uris(self._run(["apt-get", "download", "--print-uris", *names]))

    def depends(self, name: str) -> list[str]:
        """Names in the Depends field of a package's candidate version."""
        self.update()
        out = self._run(["apt-cache", "show", "--no-all-versions", name])
        field = re.search(r"^Depends: (.*)$", out, re.MULTILINE)
        if field is None:
            return []
        return [re.split(r"[ (:|]", item.strip(), maxsplit=1)[0] for item in field[1].split(",")]

    def names(self, prefix: str) -> list[str]:
        """Known package names that start with a prefix."""
        self.update()
        return sorted(self._run(["apt-cache", "pkgnames", prefix]).split())

    @staticmethod
    def _parse_uris(text: str) -> list[Package]:
        found = []
        for line in text.splitlines():
            match = re.match(r"^'([^']+)' (\S+) (\d+) SHA256:([0-9a-f]{64})", line)
            if match is None:
                continue
            name, version, tail = match[2].split("_", 2)
            version = version.replace("%3a", ":")
            found.append(Package(name, version, tail.removesuffix(".deb"), match[4], match[2]))
        return sorted(found)

    def fetch(self, packages: Sequence[Package]) -> dict[Package, Path]:
        """Download what is not there yet; returns the .deb of each package.

        Each .deb is checked against the hash that the signed lists gave.  What
        arrived before an interruption is kept.
        """
        pool = self.cache / "debs"
        paths = {
            package: pool / f"{package.sha256[:16]}-{package.filename}" for package in packages
        }
        missing = [package for package in packages if not paths[package].exists()]
        if missing:
            arriving = pool / f".arriving-{self.suite}-{self.arch}"
            arriving.mkdir(parents=True, exist_ok=True)
            try:
                self._download(missing, arriving)
            finally:
                self._accept(missing, arriving, paths)
        lost = [package.filename for package in missing if not paths[package].exists()]
        if lost:
            raise AptFailed(f"not downloaded, or not as listed: {', '.join(lost)}")
        return paths

    def _download(self, packages: Sequence[Package], directory: Path) -> None:
        wanted = [
            f"{package.name}:{self.arch if package.arch == 'all' else package.arch}"
            f"={package.version}"
            for package in packages
        ]
        with subprocess.Popen(
            ["apt-get", "download", "-q", *wanted],
            cwd=directory,
            env=self._environment(),
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        ) as process:
            assert process.stdout is not None
            said: list[str] = []
            for line in process.stdout:
                said.append(line)
                got = re.match(r"Get:(\d+) \S+ \S+ \S+ (\S+) \S+ (\S+) \[(.*)\]", line)
                if got and ("MB" in got[4] or int(got[1]) == len(packages)):
                    self.progress(f"fetch {got[1]}/{len(packages)}: {got[2]} {got[3]} ({got[4]})")
        if process.returncode != 0:
            raise AptFailed(f"apt-get download ({self.suite}): {''.join(said)[-2000:]}")

    @staticmethod
    def _accept(packages: Sequence[Package], arrived: Path, paths: dict[Package, Path]) -> None:
        """Move complete downloads to their places; drop everything else."""
        for package in packages:
            deb = arrived / package.filename
            if deb.exists() and file_hash(deb) == package.sha256:
                deb.replace(paths[package])
        shutil.rmtree(arrived)


@dataclass(frozen=True)
class Resolution:
    """Packages with their .debs in the cache."""

    packages: tuple[Package, ...]
    debs: tuple[Path, ...]

    @property
    def key(self) -> str:
        """Content address of the whole set."""
        text = "\n".join(f"{package.filename} {package.sha256}" for package in self.packages)
        return hashlib.sha256(text.encode()).hexdigest()[:20]


def _recall(path: Path) -> list[Package] | None:
    if not path.exists():
        return None
    return [Package(**entry) for entry in json.loads(path.read_text())["packages"]]


def _resolve_anew(path: Path, apt: Apt, resolve: Callable[[Apt], list[Package]]) -> list[Package]:
    packages = resolve(apt)
    entries = [vars(package) for package in packages]
    data = {"format": FORMAT, "suite": apt.suite, "packages": entries}
    write_atomically(path, json.dumps(data, indent=1).encode())
    return packages


def remembered(
    label: str,
    apt: Apt,
    resolve: Callable[[Apt], list[Package]],
) -> Resolution:
    """Resolve once a cache directory, then answer from it; fetch what is missing."""
    path = apt.cache / "resolved" / f"{label}.json"
    with apt.lock():
        packages = _recall(path) or _resolve_anew(path, apt, resolve)
        try:
            paths = apt.fetch(packages)
        except AptFailed as error:
            # The mirror has moved on since the lists or the answer were made.
            apt.progress(f"{label}: resolving again ({str(error).splitlines()[0]})")
            apt.forget_lists()
            packages = _resolve_anew(path, apt, resolve)
            paths = apt.fetch(packages)
    return Resolution(tuple(packages), tuple(paths[package] for package in packages))


def resolve(
    suite: str,
    arch: str,
    names: Sequence[str],
    *,
    leave_out: Sequence[str] = (),
    progress: Progress = say,
    root: Path | None = None,
) -> Resolution:
    """The dependency closure of ``names`` less ``leave_out``, downloaded.

    ``leave_out`` names packages that maintainer scripts need but a tree that
    never runs them does not (debconf, perl-base, ...).
    """
    ordered = sorted(set(names))
    skipped = set(leave_out)
    text = json.dumps([FORMAT, suite, arch, ordered, sorted(skipped)])
    label = f"{suite}-{arch}-{hashlib.sha256(text.encode()).hexdigest()[:12]}"
    apt = Apt(suite, arch, root, progress)

    def closure(private: Apt) -> list[Package]:
        return [package for package in private.closure(ordered) if package.name not in skipped]

    return remembered(label, apt, closure)


def unpack(deb: Path, target: Path, patterns_out: Sequence[str] = ()) -> None:
    """Unpack the files of a .deb, less those that match a tar pattern."""
    producer = subprocess.Popen(["dpkg-deb", "--fsys-tarfile", str(deb)], stdout=subprocess.PIPE)
    consumer = subprocess.run(
        ["tar", "-xpf", "-", "--no-same-owner", "-C", str(target)]
        + [f"--exclude={pattern}" for pattern in patterns_out],
        stdin=producer.stdout,
        check=False,
    )
    if producer.stdout is not None:
        producer.stdout.close()
    if producer.wait() != 0 or consumer.returncode != 0:
        raise AptFailed(f"cannot unpack {deb.name}")


def tree(
    resolution: Resolution,
    label: str,
    *,
    patterns_out: Sequence[str] = (),
    root: Path | None = None,
    progress: Progress = say,
    finish: Callable[[Path], None] | None = None,
) -> Path:
    """All packages of a resolution unpacked into one content-addressed directory.

    ``finish`` may change the tree before others can see it; what it does must
    be told apart by the label.
    """
    text = f"{FORMAT} {resolution.key} {sorted(patterns_out)}"
    key = hashlib.sha256(text.encode()).hexdigest()[:16]
    base = (root or cache_root()) / "trees"
    target = base / f"{label}-{key}"
    if target.exists():
        return target
    with locked(base / f"{target.name}.lock"):
        if target.exists():
            return target
        progress(f"unpack {label} ({len(resolution.debs)} packages)")
        with directory_in_making(target) as making:
            for deb in resolution.debs:
                unpack(deb, making, patterns_out)
            if finish is not None:
                finish(making)
    return target
