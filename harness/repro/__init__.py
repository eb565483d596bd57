# SPDX-License-Identifier: GPL-2.0-only
"""A bug report as data: run it, judge it, bundle it so that somebody else can run it again.

::

    spec      reads a report; whatever is not allowed is refused, with its line's name
    carry     carries its steps out on a Linux
    judge     reproduced, different symptom, not reproduced
    bundle    the report, what was tested, and what happened, in one archive
    command   `python -m harness repro FILE`
"""

import sys

from harness.results import REPOSITORY

# The `jailhouse` package, one reader of .cell files for all, lives with the tools.
sys.path.append(str(REPOSITORY / "tools"))
