# SPDX-License-Identifier: GPL-2.0-only
"""Hang reports: what a machine does while somebody waits for it in vain.

::

    registers, memory     one stopped machine: CPUs, physical memory, page tables
    program, inlined      our ELF files: names, lines, frames
    layout                members of structures, from DWARF and BTF
    kallsyms, orc         Linux' own tables of symbols and frames
    kernel, kernel_*      Linux: symbols, slide, back traces, tasks, modules
    image_arm64           what the bare image of an arm64 kernel tells
    hypervisor            our hypervisor: CPUs, cells, exit counters, back traces
    states                what all that means, in one line
    report                looking, and writing it down
    attach, hooks         a report for each expired wait, beside its test
"""
