# SPDX-License-Identifier: GPL-2.0-only
"""Print the path of sparse: the host's own, or Debian's, unpacked into the cache.

Sparse knows what the compiler does not: address spaces (``__user``,
``__iomem``), numbers that stand for NULL, and symbols that should be static.
"""

from __future__ import annotations

import shutil
import sys
from pathlib import Path

from harness import packages
from harness.provision import native_architecture


def sparse() -> Path:
    """The sparse program; PackageError if this host's mirror cannot give it."""
    host = shutil.which("sparse")
    if host is not None:
        return Path(host)
    # The program alone: its dependencies are a compiler and a perl wrapper.
    resolution = packages.remembered(
        "sparse", packages.Apt("bookworm", native_architecture()), lambda apt: apt.alone(["sparse"])
    )
    return packages.tree(resolution, "sparse") / "usr/bin/sparse"


if __name__ == "__main__":
    try:
        print(sparse())
    except packages.PackageError as error:
        sys.exit(f"sparse: {error}")
