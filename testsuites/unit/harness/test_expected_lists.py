# SPDX-License-Identifier: GPL-2.0-only
"""The lists of unsupported tests say what follows from the tests' own `needs(...)`."""

import json
import subprocess
import sys

import pytest

from harness import expected
from harness.results import REPOSITORY

#: Prints, as one JSON object, tests whose needs the target does not meet.
COLLECT = """
import json, pytest, sys
from harness.expected import plain_name
class Needs:
    found = {}
    def pytest_collection_finish(self, session):
        for item in session.items:
            target = getattr(item, "callspec", None) and item.callspec.params.get("target")
            if not target:
                continue
            wanted = {name for mark in item.iter_markers("needs") for name in mark.args}
            missing = wanted - target.capabilities
            if missing:
                name = plain_name(item.nodeid, target.name)
                self.found[name] = ", ".join(sorted(missing))
needs = Needs()
code = pytest.main(["--collect-only", "-q", "--target", sys.argv[1], "testsuites/system",
                    "testsuites/reports", "testsuites/differential"], plugins=[needs])
print("\\n" + json.dumps(needs.found))
sys.exit(code)
"""


@pytest.mark.parametrize("name", ["amd-tcg", "intel-bochs", "arm64-gicv3", "arm64-gicv2", "zcu102", "imx8mp"])
def test_the_list_is_what_tests_need(name: str) -> None:
    done = subprocess.run(
        [sys.executable, "-c", COLLECT, name],
        cwd=REPOSITORY, capture_output=True, text=True, check=False, timeout=120,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout[-2000:] + done.stderr[-2000:]
    needs = json.loads(done.stdout.splitlines()[-1])
    listed = expected.read(REPOSITORY / "testsuites" / "expected", name)
    assert {test: listed[test] for test in needs if test in listed} == needs
