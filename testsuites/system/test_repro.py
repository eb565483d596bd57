# SPDX-License-Identifier: GPL-2.0-only
"""Bug reports as data: the three outcomes, the reports that are delivered, and bundles run again."""

import hashlib
import json
import os
import subprocess
import sys
import tarfile
from dataclasses import replace
from pathlib import Path

import pytest

from harness.deadlines import scaled
from harness.guest.linux import Linux
from harness.image import Artifacts
from harness.repro import bundle
from harness.repro.carry import carry_out
from harness.repro.judge import Outcome, judge
from harness.repro.spec import Symptom, read
from harness.results import REPOSITORY
from harness.session import restored
from harness.targets import Target
from harness.verbs import Jailhouse
from testsuites.checks import IMAGES, hypervisor_build, hypervisor_with

pytestmark = pytest.mark.architectures("x86", reason="its reports and images are of x86")

REPORTS = REPOSITORY / "repros"
#: They are about the reference machine, whichever machine this is.
reference = pytest.mark.needs("svm", "cpus-4")


@reference
@pytest.mark.parametrize("name", ["a2", "a15", "a16"])
def test_delivered_reports_are_not_reproduced(linux: Linux, name: str) -> None:
    report = read(REPORTS / f"{name}.toml")
    course = carry_out(report, linux, linux.on_step)
    assert judge(report, course) is Outcome.NOT_REPRODUCED, course.deviations
    assert len(course.answers) == len(report.steps)
    restored(Jailhouse(linux))


@reference
def test_a_defect_is_reproduced_or_shows_another_symptom(linux: Linux) -> None:
    """A16 on a hypervisor that forgot the lock (SEED_LOCK)."""
    report = read(REPORTS / "a16.toml")
    with hypervisor_build(linux, "SEED_LOCK"):
        course = carry_out(report, linux, linux.on_step)
        restored(Jailhouse(linux))
    assert judge(report, course) is Outcome.REPRODUCED, course.deviations
    assert course.deviations == ["step 6 (create test-other): went well"]
    other = replace(report, symptom=Symptom(hang="exit storm"))
    assert judge(other, course) is Outcome.DIFFERENT


def run(*words: str, results: Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "harness", "repro", *words], cwd=REPOSITORY, text=True, check=False,
        env={**os.environ, "JAILHOUSE_RESULTS": str(results)}, timeout=scaled(120),
        stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
    )  # fmt: skip


@reference
def test_a_bundle_runs_again(tmp_path: Path, target: Target) -> None:
    """As people do it: a report, its bundle, and the bundle's binaries without a build."""
    done = run(str(REPORTS / "a15.toml"), results=tmp_path / "first")
    assert done.returncode == Outcome.NOT_REPRODUCED.code, done.stdout
    (archive,) = (tmp_path / "first" / "latest").glob("repro-A15.tar.gz")
    with tarfile.open(archive) as tar:
        names = tar.getnames()
    for name in ("report.toml", "outcome.json", "README", "artifacts/hypervisor/jailhouse-amd.bin",
                 "artifacts/hypervisor/jailhouse-amd.elf", "evidence/hypervisor-console.log",
                 "evidence/machine.sh", "artifacts/configs/x86/qemu-x86.cell"):  # fmt: skip
        assert f"repro-A15/{name}" in names
    assert not any("ed25519" in name for name in names), "a private key is in the bundle"

    again = run(str(archive), results=tmp_path / "second")
    assert again.returncode == Outcome.NOT_REPRODUCED.code, again.stdout
    assert "building" not in again.stdout
    (record,) = (tmp_path / "second" / "latest").glob("repro-A15/outcome.json")
    outcome = json.loads(record.read_text())
    assert outcome["outcome"] == "not reproduced"
    assert [answer["errno"] for answer in outcome["answers"]] == ["", "EINVAL", "", ""]


INNER = """
def test_what_is_tested(linux, jailhouse):
    said = linux.succeed("sha256sum < /lib/firmware/{image}")
    assert said.startswith("{digest}")
    assert jailhouse.enabled
"""


def test_artifacts_of_another_tree(tmp_path: Path, target: Target, artifacts: Artifacts) -> None:
    """`pytest --artifacts DIR`: what was built elsewhere is tested, unbuilt, and named."""
    image = IMAGES[target.extension]
    firmware = hypervisor_with("TEST_DEVICE", extension=target.extension)
    digest = hashlib.sha256(firmware.read_bytes()).hexdigest()
    (ours,) = [path for path in artifacts.firmware if path.name == image]
    assert digest != hashlib.sha256(ours.read_bytes()).hexdigest()
    bundle.copy_artifacts(replace(artifacts, firmware=(firmware,)), tmp_path / "tree")
    inner = tmp_path / "test_inner.py"
    inner.write_text(INNER.format(digest=digest, image=image))
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-c", str(REPOSITORY / "pyproject.toml"), "-p", "harness.plugin",
         "-p", "no:cacheprovider", "--target", target.name, "--artifacts", str(tmp_path / "tree"), str(inner)],
        cwd=REPOSITORY, text=True, check=False, timeout=scaled(120), capture_output=True,
        env={**os.environ, "JAILHOUSE_RESULTS": str(tmp_path / "results")},
    )  # fmt: skip
    assert done.returncode == 0, done.stdout
    assert f"jailhouse: {tmp_path / 'tree'}" in done.stdout
    assert f"tested: {image} sha256:{digest[:16]}" in done.stdout


def test_what_is_no_report_ends_with_2(tmp_path: Path) -> None:
    path = tmp_path / "evil.toml"
    path.write_text((REPORTS / "a15.toml").read_text() + '\n[machine]\ncpu = "max -device x"\n')
    done = run(str(path), results=tmp_path)
    assert done.returncode == 2, done.stdout
    assert f"{path}: machine.cpu: 'max -device x' does not match" in done.stdout
