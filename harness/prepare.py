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
from harness.targets import TARGETS, Target


def prepare(kernels: Sequence[str], targets: Sequence[Target]) -> None:
    """The targets' emulators, kernels with their headers, and the Debian part of images."""
    for target in targets:
        if target.judgement().possible:
            say(f"{target.name}: {target.make_engine().title}")
    for name in dict.fromkeys(target.image for target in targets):
        arch = image.load(name).arch
        for version in kernels:
            say(f"kernel {version}: {provision.kernel(version, arch).release}")
            image.build(name, version)
    image.raw_disk()


def main(arguments: Sequence[str] | None = None) -> int:
    """Fetch kernels, emulator and images into the cache."""
    parser = argparse.ArgumentParser(prog="python -m harness.prepare", description=main.__doc__)
    parser.add_argument("--kernel", action="append", choices=list(KERNEL_SUITES), dest="kernels")
    parser.add_argument(
        "--target", action="append", choices=list(TARGETS), dest="targets", help="default: all"
    )
    options = parser.parse_args(arguments)
    started = time.monotonic()
    try:
        targets = [TARGETS[name] for name in options.targets or TARGETS]
        prepare(options.kernels or [DEFAULT_KERNEL], targets)
    except (PackageError, ProvisionError, image.SpecError) as error:
        print(f"setup failed: {error}", file=sys.stderr)
        return 1
    say(f"ready in {cache.cache_root()} after {time.monotonic() - started:.0f} s")
    return 0


if __name__ == "__main__":
    sys.exit(main())
