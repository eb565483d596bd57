# SPDX-License-Identifier: GPL-2.0-only
"""``make setup``: fetch and make what demo and tests need, so that they need no network."""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Sequence

from harness import cache, image, provision
from harness.packages import PackageError, say
from harness.provision import DEFAULT_KERNEL, KERNEL_SUITES, ProvisionError

IMAGES = ["qemu-x86", "arm64"]


def prepare(kernels: Sequence[str], images: Sequence[str]) -> None:
    """For each image: emulator, kernels with their headers, and its Debian part."""
    for name in images:
        arch = image.load(name).arch
        engine = provision.engine(provision.ENGINE_OF[arch])
        say(f"{arch}: QEMU {engine.version_text}")
        for version in kernels:
            say(f"{arch}: kernel {version}: {provision.kernel(version, arch).release}")
            image.build(name, version)
    image.raw_disk()


def main(arguments: Sequence[str] | None = None) -> int:
    """Fetch kernels, emulator and images into the cache."""
    parser = argparse.ArgumentParser(prog="python -m harness.prepare", description=main.__doc__)
    parser.add_argument("--kernel", action="append", choices=list(KERNEL_SUITES), dest="kernels")
    parser.add_argument("--image", action="append", choices=IMAGES, dest="images")
    options = parser.parse_args(arguments)
    started = time.monotonic()
    try:
        prepare(options.kernels or [DEFAULT_KERNEL], options.images or IMAGES)
    except (PackageError, ProvisionError, image.SpecError) as error:
        print(f"setup failed: {error}", file=sys.stderr)
        return 1
    say(f"ready in {cache.cache_root()} after {time.monotonic() - started:.0f} s")
    return 0


if __name__ == "__main__":
    sys.exit(main())
