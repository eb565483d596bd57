# SPDX-License-Identifier: GPL-2.0-only
"""Malformed configurations (cellgen.py), offered to `config check`, to the driver
and, past the driver, to the hypervisor: each refuses with its errno, and no
page is lost.

All variants of a kind travel to the guest at once and are tried by one script
there. The cell's CPU is offline in Linux meanwhile: the driver then has nothing
to unplug for each try. `config check` is the same program here and there: it
judges them here, where that takes a fiftieth of the time.
"""

import contextlib
import io
import json
import os
import tempfile
import zlib
from collections.abc import Iterator
from pathlib import Path

import pytest

from harness.guest.linux import Linux
from harness.targets import Target
from harness.verbs import CONFIGS, Jailhouse, Pools
from jailhouse.cellfile import CellConfig
from jailhouse.check import report
from testsuites import cellgen
from testsuites.cellgen import Variant
from testsuites.checks import Hvcall, root_config, survived

SCRIPTS = Path(cellgen.__file__).parent / "guest"
CELL = "test-one"


@pytest.fixture
def idle_cpu(jailhouse: Jailhouse) -> Iterator[None]:
    """The cell's CPU is nobody's but the root cell's, and offline."""
    (cpu,) = CellConfig.from_bytes(config(jailhouse, CELL)).cpus
    jailhouse.linux.succeed(f"echo 0 > /sys/devices/system/cpu/cpu{cpu}/online")
    yield
    bring_back(jailhouse.linux)


def bring_back(linux: Linux) -> None:
    """Every CPU online that is not: one that is already does not mind."""
    linux.succeed("for cpu in /sys/devices/system/cpu/cpu*/online; do echo 1 > $cpu; done", 30)


def config(jailhouse: Jailhouse, name: str) -> bytes:
    return jailhouse.linux.get(str(CONFIGS / f"{name}.cell"))


def names(numbers: object) -> str:
    if not isinstance(numbers, frozenset | set):
        return str(numbers)
    return " or ".join(sorted(os.strerror(number) for number in numbers))


def check_status(system: bytes, *cells: bytes) -> int:
    """The exit status of `config check`."""
    with tempfile.TemporaryDirectory(prefix="jailhouse-") as folder:
        paths = []
        for number, content in enumerate((system, *cells)):
            path = Path(folder) / f"{number}.cell"
            path.write_bytes(content)
            paths.append(str(path))
        with contextlib.redirect_stdout(io.StringIO()), contextlib.redirect_stderr(io.StringIO()):
            return report.run(paths[0], paths[1:])


def offered(
    jailhouse: Jailhouse,
    kind: str,
    variants: list[Variant],
    system: bytes,
    others: tuple[bytes, ...] = (),
) -> list[str]:
    """What somebody did not refuse as it should, as lines."""
    linux = jailhouse.linux
    Hvcall(linux).prepare()
    linux.put(SCRIPTS / "variants.py", "/tmp/variants.py")
    pools = (jailhouse.pools().mem_used, jailhouse.pools().remap_used)
    request = {
        "kind": kind,
        "variants": [[v.name, v.data.hex(), bool(v.hypervisor)] for v in variants],
    }
    sent = zlib.compress(json.dumps(request).encode())
    done = linux.run(["python3", "/tmp/variants.py"], 240, sent).check()
    wrong = []
    for variant, answer in zip(variants, json.loads(done.stdout), strict=True):
        name, driver, hypervisor, *used = answer
        assert name == variant.name
        files = (variant.data,) if kind == "system" else (system, variant.data, *others)
        checked = check_status(*files)
        if checked != (1 if variant.check else 0):
            wrong.append(f"{name}: config check ended with {checked}")
        if variant.driver and driver not in variant.driver:
            wrong.append(f"{name}: driver {driver}, not {names(variant.driver)}")
        if variant.hypervisor and -hypervisor not in variant.hypervisor:
            wrong.append(f"{name}: hypervisor {hypervisor}, not {names(variant.hypervisor)}")
        if tuple(used) != pools:
            wrong.append(f"{name}: pools {used}, not {pools}")
    return wrong


def judge(
    jailhouse: Jailhouse,
    kind: str,
    variants: list[Variant],
    system: bytes,
    others: tuple[bytes, ...] = (),
) -> None:
    assert variants
    wrong = offered(jailhouse, kind, variants, system, others)
    assert not wrong, "\n".join([f"{len(wrong)} complaints", *wrong])


def survives(jailhouse: Jailhouse, before: Pools) -> None:
    assert [cell.id for cell in jailhouse.cells()] == [0]
    survived(jailhouse, before)
    # And a good one is accepted as ever.
    jailhouse.create(CELL)
    jailhouse.destroy(CELL)
    assert jailhouse.pools() == before


GROUPS = {
    "truncated": ("truncated",),
    "identity": ("signature", "revision", "architecture", "system file"),
    "counts": ("cpu_set_size", "num_"),
    "cpus": ("CPU", "foreign", "own", "empty"),
    "overlaps": ("hypervisor overlap", "guest-physical overlap"),
}


def group_of(variant: Variant) -> str:
    for group, starts in GROUPS.items():
        if variant.name.startswith(starts):
            return group
    return "contents"


@pytest.mark.usefixtures("idle_cpu")
@pytest.mark.parametrize("group", [*GROUPS, "contents"])
def test_cell(jailhouse: Jailhouse, group: str) -> None:
    before = jailhouse.pools()
    system = root_config(jailhouse.linux)
    variants = cellgen.cell_variants(config(jailhouse, CELL), system)
    judge(jailhouse, "cell", [v for v in variants if group_of(v) == group], system)
    bring_back(jailhouse.linux)
    survives(jailhouse, before)


@pytest.mark.needs("cpus-3")
@pytest.mark.usefixtures("idle_cpu")
def test_overlaps_between_cells(jailhouse: Jailhouse) -> None:
    """The hypervisor refuses what belongs to another cell already; so does `config check`."""
    system = root_config(jailhouse.linux)
    other = config(jailhouse, "test-other")
    jailhouse.create("test-other")
    judge(
        jailhouse, "cell", cellgen.between_cells(config(jailhouse, CELL), other), system, (other,)
    )


@pytest.mark.parametrize("group", ["truncated", "identity", "counts", "contents"])
def test_system(verbs: Jailhouse, target: Target, group: str) -> None:
    """On `enable`; the next enable works."""
    system = root_config(verbs.linux)
    variants = []
    for variant in cellgen.system_variants(system):
        found = group_of(variant)
        if (found if found in ("truncated", "identity", "counts") else "contents") == group:
            variants.append(variant)
    judge(verbs, "system", variants, system)
    verbs.enable(target.root_config)
    verbs.linux.check_health()


def test_same_name(jailhouse: Jailhouse, hvcall: Hvcall) -> None:
    """EEXIST from the driver, and from the hypervisor when asked directly: name, then id."""
    data = bytearray(config(jailhouse, CELL))
    jailhouse.create(CELL)
    before = jailhouse.pools()
    number = jailhouse.cell(CELL).id
    other = bytearray(config(jailhouse, "test-other"))
    data[40:44] = (9).to_bytes(4, "little")
    same_name = hvcall.batch([("create", -1, data.hex(), 0)])[0]
    other[40:44] = number.to_bytes(4, "little")
    same_id = hvcall.batch([("create", -1, other.hex(), 0)])[0]
    assert (same_name.check().result, same_id.check().result) == (-17, -17)
    assert jailhouse.pools() == before


def test_more_than_sixteen_pages(jailhouse: Jailhouse, hvcall: Hvcall) -> None:
    """E2BIG, also when only the offset in the first page makes it too much."""
    before = jailhouse.pools()
    data = bytearray(config(jailhouse, CELL))
    data[40:44] = (9).to_bytes(4, "little")
    # Capability records; what lies behind the configuration is not looked at.
    fitting = (16 * 4096 - len(data)) // 8
    calls = []
    for count, offset in ((fitting + 1, 0), (fitting - 4, 4000)):
        data[72:76] = count.to_bytes(4, "little")
        calls.append(("create", -1, bytes(data).hex(), offset))
    answers = hvcall.batch(calls)
    assert [answer.check().result for answer in answers] == [-7, -7]
    assert jailhouse.pools() == before


#: In the hypervisor (its first and last page), its devices, nowhere.
PLACES = {
    "x86": (0x3A000000, 0x3A5FF000, 0xFEE00000, 0x50000000),
    "arm64": (0x7FC00000, 0x7FFFF000, 0x08000000, 0x10000000),
}


def test_addresses_that_root_does_not_own(
    jailhouse: Jailhouse, target: Target, hvcall: Hvcall
) -> None:
    """The configuration itself lies where root has nothing, or in the hypervisor."""
    before = jailhouse.pools()
    places = (*PLACES[target.architecture], 0x7FFFFFFFFFFFF000, 0xFFFFFFFFFFFFF000)
    answers = hvcall.batch([("create-at", -1, place) for place in places])
    # Root reads zeroes where the hypervisor lies, and number 0 is its own.
    assert {answer.check().result for answer in answers} == {-17, -22}
    assert jailhouse.pools() == before
