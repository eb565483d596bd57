# SPDX-License-Identifier: GPL-2.0-only
"""Help texts, apart from everything that runs on the hot path."""

from __future__ import annotations

_SELECTOR = "{ ID | [--name] NAME }"

# command: (arguments, summary, details)
COMMANDS: dict[str, tuple[str, str, str]] = {
    "enable": (
        "SYSCONFIG",
        "start the hypervisor with a system configuration",
        "SYSCONFIG is a compiled system configuration (.cell). The memory it names for\n"
        "the hypervisor must be reserved, for example with memmap= on the kernel's\n"
        "command line.",
    ),
    "disable": (
        "",
        "destroy all cells and stop the hypervisor",
        "Refused with EPERM while a locked cell denies it; nothing has changed then.",
    ),
    "console": (
        "[-f | --follow]",
        "print the hypervisor's log",
        "-f, --follow   wait for new output instead of stopping at the end",
    ),
    "cell create": (
        "CELLCONFIG",
        "create a cell from a cell configuration",
        "The CPUs, devices and memory listed in CELLCONFIG are taken from the root cell.",
    ),
    "cell list": (
        "",
        "list all cells",
        "One row a cell, sorted by number; nothing while the hypervisor is disabled.",
    ),
    "cell load": (
        f'{_SELECTOR} {{ IMAGE | {{ -s | --string }} "STRING" }}\n'
        "             [-a | --address ADDRESS] ...",
        "load images into a cell",
        "Images and strings are loaded in the order given. A string is loaded with its\n"
        "terminating NUL.\n"
        "  -a, --address ADDRESS   guest-physical address of the image or string before\n"
        "                          it (default 0)",
    ),
    "cell start": (
        _SELECTOR,
        "start a cell",
        "All CPUs of the cell start at the reset address of its configuration.",
    ),
    "cell shutdown": (_SELECTOR, "stop a cell and make it loadable", "The cell may refuse."),
    "cell destroy": (
        _SELECTOR,
        "stop a cell and give its resources back",
        "The cell may refuse. Memory that only the cell could write is cleared.",
    ),
    "cell linux": (
        '[-d DTB] [-i INITRD] [-c "CMDLINE"] [-w PARAMS] [-a ARCH] [-k FACTOR]\n'
        "             CELLCONFIG KERNEL",
        "create, load and start a cell with Linux (ARM64)",
        "KERNEL is an Image, plain or .gz. A cell that exists already is loaded anew. Not\n"
        "implemented yet for other architectures.\n"
        "  -d DTB       device tree of the cell; memory, command line and initrd are filled in\n"
        "  -i INITRD    initial RAM disk\n"
        "  -c CMDLINE   command line of the kernel, instead of the tree's\n"
        "  -w PARAMS    only write the filled in device tree to PARAMS, and print the commands\n"
        "               that boot it\n"
        "  -a ARCH      x86, arm or arm64 instead of this machine's\n"
        "  -k FACTOR    room between kernel and initrd in sizes of the kernel (default 1)",
    ),
    "cell stats": (
        _SELECTOR,
        "show exit statistics of a cell, live",
        "Keys: q quits, c shows the cell's CPUs one after the other, a shows all of them\n"
        "together. `cell stat` is the same command.",
    ),
    "config create": (
        "[-g] [-r ROOT] [-t TEMPLATE_DIR] [-c CONSOLE] [--mem-inmates 76M]\n"
        "             [--mem-hv 6M] FILE",
        "generate a system configuration (not implemented yet)",
        "This command is not implemented yet.",
    ),
    "config collect": (
        "FILE.TAR",
        "collect what `config create` needs (not implemented yet)",
        "This command is not implemented yet.",
    ),
    "config check": (
        "[-v | --verbose] SYSCONFIG [CELLCONFIG...]",
        "check configurations, alone and together",
        "Exit status 1 if there is an error in any of them; warnings alone give 0.\n"
        "-v, --verbose   also name the checks that found nothing",
    ),
    "hardware check": (
        "[SYSCONFIG]",
        "check whether this machine can run Jailhouse",
        "With SYSCONFIG, what that configuration needs is no longer optional.\n"
        "Exit status: 0 all there, 2 something is missing, 1 a test could not be made.",
    ),
}


def overview() -> str:
    lines = ["Usage: jailhouse { COMMAND | --help | --version }", "", "Available commands:"]
    lines += [f"   {name} {arguments}".rstrip() for name, (arguments, _, _) in COMMANDS.items()]
    lines += ["", "jailhouse COMMAND --help explains a command."]
    return "\n".join(lines)


def group(name: str) -> str:
    """Help of a group of commands ("cell", "config", "hardware")."""
    commands = {key: value for key, value in COMMANDS.items() if key.split()[0] == name}
    lines = [f"Usage: jailhouse {name} COMMAND", "", "Available commands:"]
    lines += [f"   {key:<16} {value[1]}" for key, value in commands.items()]
    return "\n".join(lines)


def command(name: str) -> str:
    if name not in COMMANDS:
        return group(name) if any(key.split()[0] == name for key in COMMANDS) else overview()
    arguments, summary, details = COMMANDS[name]
    usage = f"Usage: jailhouse {name} {arguments}".rstrip()
    return f"{usage}\n\n{summary[0].upper()}{summary[1:]}.\n\n{details}"
