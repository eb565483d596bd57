# SPDX-License-Identifier: GPL-2.0-only
"""An emulator's death is an erratum only with the symptom and version of an entry."""

import pytest

from harness import errata

WORDS = (
    "qemu-system-x86_64: system/physmem.c:2671: iotlb_to_section: "
    "Assertion `section_index < d->map.sections_nb' failed."
)


def test_known_symptom() -> None:
    found = errata.known((10, 0, 13), WORDS)
    assert found is not None
    assert found.name == "tcg-iotlb-section"


@pytest.mark.parametrize(
    ("version", "words"),
    [((7, 2, 0), WORDS), ((11, 0, 0), WORDS), ((10, 0, 13), "Segmentation fault"), ((10, 0, 13), "")],
)
def test_anything_else_is_a_failure(version: tuple[int, int, int], words: str) -> None:
    assert errata.known(version, words) is None


def test_names_are_unique() -> None:
    names = [entry.name for entry in errata.LEDGER]
    assert len(names) == len(set(names))
