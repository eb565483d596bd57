# SPDX-License-Identifier: GPL-2.0-only
"""Which inlined calls an address is in (DWARF 5, 3.3.8)."""

from __future__ import annotations

from typing import Any


def calls_at(dwarf: Any, address: int) -> list[tuple[str, int, int]]:
    """Inlined functions at an address, outermost first: name, file and line of the call.

    The file is a number of the unit's line program.
    """
    offset = dwarf.get_aranges().cu_offset_at_addr(address)
    if offset is None:
        return []
    unit = dwarf.get_CU_at(offset)
    die = next(
        (
            child
            for child in unit.get_top_DIE().iter_children()
            if child.tag == "DW_TAG_subprogram" and _covers(dwarf, unit, child, address)
        ),
        None,
    )
    found = []
    while die is not None:
        die = next((c for c in die.iter_children() if _covers(dwarf, unit, c, address)), None)
        if die is not None and die.tag == "DW_TAG_inlined_subroutine":
            found.append((_origin(die), _value(die, "DW_AT_call_file"),
                          _value(die, "DW_AT_call_line")))  # fmt: skip
    return found


def _value(die: Any, name: str) -> int:
    attribute = die.attributes.get(name)
    return int(attribute.value) if attribute is not None else 0


def _origin(die: Any) -> str:
    """The name of the function that was inlined."""
    while "DW_AT_abstract_origin" in die.attributes:
        die = die.get_DIE_from_attribute("DW_AT_abstract_origin")
    name = die.attributes.get("DW_AT_name")
    return name.value.decode() if name is not None else "?"


def _covers(dwarf: Any, unit: Any, die: Any, address: int) -> bool:
    low, high = die.attributes.get("DW_AT_low_pc"), die.attributes.get("DW_AT_high_pc")
    if low is not None and high is not None:
        size = high.value - (low.value if high.form == "DW_FORM_addr" else 0)
        return bool(low.value <= address < low.value + size)
    if "DW_AT_ranges" not in die.attributes:
        return False
    base = _value(unit.get_top_DIE(), "DW_AT_low_pc")
    lists = dwarf.range_lists()
    for entry in lists.get_range_list_at_offset(die.attributes["DW_AT_ranges"].value, unit):
        if hasattr(entry, "base_address"):
            base = entry.base_address
            continue
        start = 0 if entry.is_absolute else base
        if start + entry.begin_offset <= address < start + entry.end_offset:
            return True
    return False
