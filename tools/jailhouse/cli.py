# SPDX-License-Identifier: GPL-2.0-only
# ruff: noqa: PLC0415 (see below: lazy imports)
"""Arguments of the ``jailhouse`` command (abi.md 6): who is called with what.

Parsed by hand, and every command imported when it runs, because argparse
alone costs more instructions than `jailhouse cell list` may (design.md 4).
"""

from __future__ import annotations

import sys

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

HELP = ("--help", "-h")
GROUPS = ("cell", "config", "hardware")
ALIASES = {"cell stat": "cell stats"}
NOT_IMPLEMENTED = ("config create", "config collect")


class UsageError(Exception):
    """The arguments make no sense; the text says which."""


def main(argv: list[str]) -> int:
    """Run one command and return its exit status: 0, 1, or what hardware check says."""
    try:
        status = _dispatch(argv[0] if argv else "jailhouse", argv[1:])
        sys.stdout.flush()
        return status
    except KeyboardInterrupt:
        return 130
    except BrokenPipeError:
        # Who read us has gone: keep the interpreter from complaining at exit.
        sys.stdout = None
        return 1


def _dispatch(program: str, arguments: list[str]) -> int:
    first = arguments[0] if arguments else ""
    if first == "--version":
        from jailhouse import VERSION

        print(f"Jailhouse management tool {VERSION}")
        return 0
    grouped = first in GROUPS
    words = 2 if grouped else 1
    name, rest = " ".join(arguments[:words]), arguments[words:]
    if not arguments or (arguments == [first] and grouped):
        return _usage(first, 1)
    if arguments[words - 1] in HELP:
        return _usage(first if grouped else "", 0)
    name = ALIASES.get(name, name)
    # A string to load may be "--help".
    if any(word in HELP for word in (rest[:1] if name == "cell load" else rest)):
        return _usage(name, 0)
    handler = _HANDLERS.get(name)
    return _run(name, handler, rest) if handler else _elsewhere(program, name, rest)


def _run(name: str, handler: Callable[[list[str]], int], rest: list[str]) -> int:
    try:
        return handler(rest)
    except UsageError as error:
        print(f"jailhouse {name}: {error}", file=sys.stderr)
        return _usage(name, 1)
    except OSError as error:
        if isinstance(error, BrokenPipeError):
            raise
        print(_describe(error), file=sys.stderr)
        return 1


def _usage(name: str, status: int) -> int:
    from jailhouse import usage

    print(usage.command(name) if name else usage.overview())
    return status


def _elsewhere(program: str, name: str, rest: list[str]) -> int:
    """A command that is none of ours: a helper program, or nothing."""
    from jailhouse import helpers

    if " " in name:
        helpers.run(program, name, rest)
    if name in NOT_IMPLEMENTED:
        print(f"jailhouse {name}: not implemented yet", file=sys.stderr)
        return 1
    print(f"jailhouse: unknown command: {name}", file=sys.stderr)
    return _usage(name.partition(" ")[0] if " " in name else "", 1)


def _describe(error: OSError) -> str:
    """Give "<operation>: <strerror>"; the file where the operation is not known."""
    if error.filename is None:
        return str(error)
    return f"{error.filename}: {error.strerror}"


def parse_number(text: str) -> int | None:
    """A non-negative integer in C syntax (0x.., 0.., decimal), else None."""
    if not text.isascii() or not text.isalnum():
        return None
    base = 10
    if text[:2] in ("0x", "0X"):
        base = 16
    elif text[0] == "0" and len(text) > 1:
        base = 8
    try:
        return int(text, base)
    except ValueError:
        return None


def take_selector(arguments: list[str]) -> int | str:
    """Remove { ID | [--name] NAME } from the front and return number or name."""
    if not arguments:
        raise UsageError("which cell?")
    word = arguments.pop(0)
    if word == "--name":
        if not arguments:
            raise UsageError("--name needs a name")
        return arguments.pop(0)
    if word.startswith("-"):
        raise UsageError(f"unknown option {word}")
    number = parse_number(word)
    return word if number is None else number


def take_images(arguments: list[str]) -> list[tuple[str, bool, int]]:
    """Parse the image list of `cell load`: (file name or string, is string, address)."""
    images: list[tuple[str, bool, int]] = []
    while arguments:
        word = arguments.pop(0)
        is_string = word in ("-s", "--string")
        if is_string:
            if not arguments:
                raise UsageError(f"{word} needs a string")
            word = arguments.pop(0)
        elif word.startswith("-"):
            raise UsageError(f"unknown or misplaced option {word}")
        address = 0
        if arguments and arguments[0] in ("-a", "--address"):
            option = arguments.pop(0)
            value = parse_number(arguments.pop(0)) if arguments else None
            if value is None or value >= 1 << 64:
                raise UsageError(f"{option} needs an address")
            address = value
        images.append((word, is_string, address))
    return images


def take_options(arguments: list[str], known: tuple[str, ...]) -> dict[str, str]:
    """Remove options that have a value from anywhere; what is left are the files."""
    found: dict[str, str] = {}
    rest = []
    while arguments:
        word = arguments.pop(0)
        if word not in known:
            rest.append(word)
        elif not arguments:
            raise UsageError(f"{word} needs a value")
        else:
            found[word] = arguments.pop(0)
    arguments += rest
    return found


def _only(arguments: list[str], *names: str) -> None:
    """Exactly the named positional arguments are there."""
    for word in arguments:
        if word.startswith("-") and word != "-":
            raise UsageError(f"unknown option {word}")
    if len(arguments) < len(names):
        raise UsageError(f"{names[len(arguments)]} is missing")
    if len(arguments) > len(names):
        raise UsageError(f"what is {arguments[len(names)]}?")


def _enable(arguments: list[str]) -> int:
    _only(arguments, "SYSCONFIG")
    from jailhouse import commands

    return commands.enable(arguments[0])


def _disable(arguments: list[str]) -> int:
    _only(arguments)
    from jailhouse import commands

    return commands.disable()


def _console(arguments: list[str]) -> int:
    follow = arguments in (["-f"], ["--follow"])
    if not follow:
        _only(arguments)
    from jailhouse import commands

    return commands.console(follow)


def _cell_create(arguments: list[str]) -> int:
    _only(arguments, "CELLCONFIG")
    from jailhouse import commands

    return commands.cell_create(arguments[0])


def _cell_list(arguments: list[str]) -> int:
    _only(arguments)
    from jailhouse import listing

    return listing.cell_list()


def _cell_load(arguments: list[str]) -> int:
    selector = take_selector(arguments)
    images = take_images(arguments)
    if not images:
        raise UsageError("nothing to load")
    from jailhouse import commands

    return commands.cell_load(selector, images)


def _cell_start(arguments: list[str]) -> int:
    selector = take_selector(arguments)
    _only(arguments)
    from jailhouse import commands

    return commands.cell_start(selector)


def _cell_shutdown(arguments: list[str]) -> int:
    selector = take_selector(arguments)
    _only(arguments)
    from jailhouse import commands

    return commands.cell_shutdown(selector)


def _cell_destroy(arguments: list[str]) -> int:
    selector = take_selector(arguments)
    _only(arguments)
    from jailhouse import commands

    return commands.cell_destroy(selector)


def _cell_linux(arguments: list[str]) -> int:
    options = take_options(arguments, ("-d", "-i", "-c", "-w", "-a", "-k"))
    _only(arguments, "CELLCONFIG", "KERNEL")
    architecture = options.get("-a", "")
    if architecture not in ("", "x86", "arm", "arm64"):
        raise UsageError("-a needs x86, arm or arm64")
    factor = parse_number(options.get("-k", "1"))
    if factor is None:
        raise UsageError("-k needs a number")
    from jailhouse import linux

    config, kernel = arguments
    request = linux.Request(
        config, kernel, options.get("-d", ""), options.get("-i", ""), options.get("-c"), factor
    )
    return linux.run(request, architecture, options.get("-w", ""))


def _cell_stats(arguments: list[str]) -> int:
    selector = take_selector(arguments)
    _only(arguments)
    from jailhouse import stats

    return stats.run(selector)


def _config_check(arguments: list[str]) -> int:
    verbose = any(word in ("-v", "--verbose") for word in arguments)
    files = [word for word in arguments if word not in ("-v", "--verbose")]
    _only(files[:1], "SYSCONFIG")
    _only(files[1:], *files[1:])
    from jailhouse.check import report

    return report.run(files[0], files[1:], verbose)


def _hardware_check(arguments: list[str]) -> int:
    _only(arguments, *("SYSCONFIG" for _ in arguments[:1]))
    from jailhouse import hardware

    return hardware.run(arguments[0] if arguments else None)


_HANDLERS = {
    "enable": _enable,
    "disable": _disable,
    "console": _console,
    "cell create": _cell_create,
    "cell list": _cell_list,
    "cell load": _cell_load,
    "cell start": _cell_start,
    "cell shutdown": _cell_shutdown,
    "cell destroy": _cell_destroy,
    "cell linux": _cell_linux,
    "cell stats": _cell_stats,
    "config check": _config_check,
    "hardware check": _hardware_check,
}
