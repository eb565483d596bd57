# SPDX-License-Identifier: GPL-2.0-only
"""The same scenario on AMD's machine and on Intel's: every difference is explained."""

import json
from dataclasses import asdict

import pytest

from harness import plugin
from harness.guest.linux import Linux
from harness.targets import TARGETS, Target
from harness.verbs import Jailhouse
from testsuites.differential import ledger
from testsuites.differential.scenario import play

pytestmark = pytest.mark.needs("vmx")


def test_every_difference_is_explained(
    verbs: Jailhouse, target: Target, reference: Linux, folder: plugin.TestFolder
) -> None:
    intel = play(verbs, target.root_config)
    other = Jailhouse(reference)
    other.load_module()
    amd = play(other, TARGETS["amd-tcg"].root_config)
    for name, record in (("amd", amd), ("intel", intel)):
        (folder.path / f"{name}.json").write_text(json.dumps(asdict(record), indent=1))
    found = ledger.differences(amd, intel)
    wrong = ledger.unexplained(found, ledger.ledger())
    assert not wrong, "\n".join([f"{len(wrong)} of {len(found)} differences", *wrong])
