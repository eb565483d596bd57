# SPDX-License-Identifier: GPL-2.0-only
"""Which kernel modules an image needs, in the order they load in.

The .debs carry no modules.dep (depmod runs at installation), but each module
names the modules it depends on in its ``.modinfo`` section.
"""

from __future__ import annotations

import lzma
from collections.abc import Iterable
from pathlib import Path

from harness.provision import KernelTree, ProvisionError


def module_name(path: Path | str) -> str:
    """Name of the module in a file: no suffixes, underscores for dashes."""
    return Path(path).name.split(".ko", 1)[0].replace("-", "_")


def read_module(path: Path) -> bytes:
    """A module's ELF content, uncompressed."""
    data = path.read_bytes()
    return lzma.decompress(data) if path.suffix == ".xz" else data


def depends(module: bytes) -> list[str]:
    """Modules that must be loaded before this one."""
    marker = b"\0depends="
    start = module.find(marker)
    if start < 0:
        return []
    end = module.index(b"\0", start + len(marker))
    return [name for name in module[start + len(marker) : end].decode().split(",") if name]


class ModuleSet:
    """The modules of one kernel by name."""

    def __init__(self, kernel: KernelTree) -> None:
        self.kernel = kernel
        self._paths = {
            module_name(path): path for path in sorted(kernel.modules.glob("kernel/**/*.ko*"))
        }
        builtin = (kernel.modules / "modules.builtin").read_text().splitlines()
        self._builtin = {module_name(line) for line in builtin}
        self._contents: dict[str, bytes] = {}

    def content(self, name: str) -> bytes:
        """ELF content of a module."""
        if name not in self._contents:
            try:
                self._contents[name] = read_module(self._paths[name])
            except KeyError:
                raise ProvisionError(f"{self.kernel.release} has no module {name}") from None
        return self._contents[name]

    def path(self, name: str) -> str:
        """Where the module belongs, under /lib/modules/<release>, uncompressed."""
        relative = self._paths[name].relative_to(self.kernel.modules)
        return str(relative).removesuffix(".xz")

    def needs(self, name: str) -> list[str]:
        """Direct dependencies that are not built in."""
        return [other for other in depends(self.content(name)) if other not in self._builtin]

    def ordered(self, names: Iterable[str]) -> list[str]:
        """The modules with all they depend on, dependencies first."""
        order: list[str] = []

        def visit(name: str) -> None:
            name = name.replace("-", "_")
            if name in order or name in self._builtin:
                return
            for other in self.needs(name):
                visit(other)
            order.append(name)

        for name in names:
            visit(name)
        return order

    def closure(self, name: str) -> list[str]:
        """What must be loaded before this module, in modules.dep's order."""
        return list(reversed(self.ordered([name])[:-1]))
