# SPDX-License-Identifier: GPL-2.0-only
"""Builds guests, runs them in machines, and says whose fault a failure is.

The nouns are modules: `machine` (hardware as data), `engines` (what executes
it), `targets` (named combinations), `emulator` (a running machine), `streams`
(its serial ports), `guest` (the Linux inside), `verbs` (Jailhouse on a guest),
`session` (the stages machine, linux, jailhouse), `results` and `plugin`
(pytest).
"""

import sys
from pathlib import Path

# The target's own Python modules, which read and write configurations for everybody.
_TOOLS = str(Path(__file__).resolve().parent.parent / "tools")
if _TOOLS not in sys.path:
    sys.path.append(_TOOLS)
