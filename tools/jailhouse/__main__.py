# SPDX-License-Identifier: GPL-2.0-only
"""``python3 -m jailhouse``: the same as the ``jailhouse`` command."""

import sys

from jailhouse.cli import main

if __name__ == "__main__":
    sys.exit(main(["jailhouse", *sys.argv[1:]]))
