# SPDX-License-Identifier: GPL-2.0-only
"""`jailhouse cell list`: a module of its own, because it has to stay cheap."""

from __future__ import annotations

import errno
import sys

from jailhouse import sysfs

WIDTHS = (8, 24, 18, 24, 24)
HEADER = ("ID", "Name", "State", "Assigned CPUs", "Failed CPUs")


def row(columns: tuple[str, ...]) -> str:
    return "".join([text.ljust(WIDTHS[i]) for i, text in enumerate(columns)])


def cell_list() -> int:
    try:
        cells = sysfs.cells()
    except OSError as error:
        if error.errno == errno.ENOENT:
            return 0
        print(f"scandir: {error.strerror}", file=sys.stderr)
        return 1
    if cells:
        lines = [row(HEADER)]
        lines += [row((str(c.id), c.name, c.state, c.cpus, c.cpus_failed)) for c in cells]
        print("\n".join(lines))
    return 0
