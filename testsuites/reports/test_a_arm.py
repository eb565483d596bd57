# SPDX-License-Identifier: GPL-2.0-only
"""Reports about ARM. See docs/bugs.md for those tested elsewhere."""

import re
import time
from collections.abc import Callable

import pytest

from harness.deadlines import scaled
from harness.guest.linux import Linux
from harness.targets import Target
from harness.verbs import CONFIGS, Jailhouse
from jailhouse.cellfile import CellConfig, MemFlag, Memory, SystemConfig
from testsuites.checks import Bench, Hvcall, online, root_config, survived
from testsuites.system.test_enable import interrupts

pytestmark = pytest.mark.architectures("arm64", reason="about GIC, PSCI and caches of ARM")

Repeats = Callable[[int, int], int]

#: Offset of the debug console's address in a system configuration (abi.md 1.13)
CONSOLE_ADDRESS = 44


@pytest.mark.bug("A7")
def test_a7_ipis_survive_cycles(verbs: Jailhouse, target: Target, repeats: Repeats) -> None:
    """The IPI by which Linux enters the hypervisor stayed active, pending ones were lost: IPIs
    fly between all CPUs through all cycles, each cycle is short, and every CPU still gets them."""
    linux = verbs.linux
    linux.succeed(
        "rm -f /tmp/stop-load; for n in 1 2; do (while [ ! -e /tmp/stop-load ]; do "
        "for c in 0 1 2 3; do taskset -c $c true; done; done) >/dev/null 2>&1 & done"
    )
    try:
        for _ in range(repeats(8, 50)):
            began = time.monotonic()
            verbs.enable(target.root_config)
            verbs.disable()
            assert time.monotonic() - began < scaled(5)
        before = interrupts(linux, "IPI0")
        linux.succeed("sleep 1; for n in 1 2 3 4 5; do for c in 0 1 2 3; do taskset -c $c true; done; done")
        after = interrupts(linux, "IPI0")
    finally:
        linux.succeed("touch /tmp/stop-load; sleep 0.3")
    assert all(new > old for new, old in zip(after, before, strict=True)), (before, after)
    assert "rcu: INFO" not in linux.succeed("dmesg")
    linux.check_health()


@pytest.mark.bug("A10")
def test_a10_a_cell_that_masks_everything_is_destroyed(jailhouse: Jailhouse) -> None:
    """It switches off, silences and gives the lowest priority to all its interrupts, then spins
    with interrupts off: management gets through all the same, and the next cell works."""
    before = jailhouse.pools()
    bench = Bench.create(jailhouse, "test-timeout")
    bench.run("violate", "what=mask")
    bench.says("^GO$")
    time.sleep(0.2)
    began = time.monotonic()
    bench.destroy()
    assert time.monotonic() - began < scaled(2)
    again = Bench.create(jailhouse, "test-one")
    again.run("machine")
    again.done()
    again.destroy()
    survived(jailhouse, before)


@pytest.mark.bug("A19")
def test_a19_firmware_calls_are_told_but_not_for_ever(bench: Bench) -> None:
    """SiP calls got "not supported" silently, and Linux' clock drivers span for a minute: ours
    tells each, sixteen a second at most. Calls of trusted systems end the cell, by name."""
    bench.run("violate", "what=smc-storm value=0xc2000000")
    bench.hypervisor_says(r'^CPU 2: SiP call 0xc2000000 answered with "not supported"$')
    assert "survived 0xffffffffffffffff" in bench.done()
    told = len(re.findall("SiP call", bench.hypervisor_text()))
    assert 16 <= told <= 64, "a storm of a thousand calls"
    assert "FATAL: forbidden access (SMC 0xb2000000)" in bench.outcome("smc value=0xb2000000")


@pytest.mark.bug("A41")
@pytest.mark.parametrize("address", [0x09000000, 0x0A000000], ids=["in use by Linux", "no UART"])
def test_a41_console_that_is_busy_or_none(verbs: Jailhouse, address: int) -> None:
    """A dead UART hung the hypervisor; ours waits a bounded time, and the log page has it all."""
    data = bytearray(root_config(verbs.linux))
    data[CONSOLE_ADDRESS : CONSOLE_ADDRESS + 8] = address.to_bytes(8, "little")
    verbs.linux.put(bytes(data), "/tmp/console.cell")
    verbs.enable("/tmp/console.cell", timeout=20)
    assert "Activating hypervisor" in verbs.console()
    bench = Bench.create(verbs, "test-one")
    bench.load("violate", "what=write")
    verbs.start(bench.number)
    verbs.linux.succeed(
        "for i in $(seq 50); do grep -q 'Parking CPU 2' /sys/devices/jailhouse/console && exit; "
        "sleep 0.1; done; exit 1"
    )
    bench.destroy()
    verbs.disable()


def cell(jailhouse: Jailhouse, name: str) -> CellConfig:
    return CellConfig.from_bytes(jailhouse.linux.get(str(CONFIGS / f"{name}.cell")))


@pytest.mark.bug("A42")
@pytest.mark.parametrize("interrupt", [48, 63, 64, 95, 96, 127, 128, 159, 287])
def test_a42_interrupts_at_the_borders_of_words(jailhouse: Jailhouse, interrupt: int) -> None:
    """SPI n is bit n - pin_base, from any multiple of 32: the cell has exactly that one, and can
    have it pending, routed and delivered."""
    config = cell(jailhouse, "test-gic")
    chip = config.irqchips[0]
    chip.pin_base = interrupt // 32 * 32
    chip.pin_bitmap = [1 << interrupt % 32, 0, 0, 0]
    jailhouse.linux.put(config.to_bytes(), "/tmp/border.cell")
    before = jailhouse.pools()
    bench = Bench.create(jailhouse, "test-gic", "/tmp/border.cell")
    bench.run("gic-matrix", f"own={interrupt} second={interrupt} short")
    assert "FAILED" not in bench.done(30)
    bench.destroy()
    assert jailhouse.pools() == before


@pytest.mark.bug("A43")
def test_a43_many_cpus(fresh_linux: Callable[..., Linux], target: Target) -> None:
    """Routes to CPU 8 and up were wrong: as many CPUs as a GICv2 has, or more; cells with the last
    ones and with CPU 0, which get an interrupt each; Linux keeps its own in between."""
    cpus = 8 if target.machine.name.endswith("gicv2") else 10
    linux = fresh_linux(cpus=cpus)
    verbs = Jailhouse(linux)
    verbs.load_module()
    system = SystemConfig.from_bytes(root_config(linux))
    system.root_cell.set_cpus(list(range(cpus)))
    linux.put(system.to_bytes(), "/tmp/many.cell")
    verbs.enable("/tmp/many.cell")
    before = verbs.pools()
    for owned in ([cpus - 1], [cpus - 2], [0]):
        config = cell(verbs, "test-gic")
        config.set_cpus(owned)
        linux.put(config.to_bytes(), "/tmp/few.cell")
        bench = Bench.create(verbs, "test-gic", "/tmp/few.cell")
        bench.run("gic-matrix", "own=70 second=70 short")
        assert "FAILED" not in bench.done(30)
        assert linux.ssh_run("echo over").output == "over\n"
        bench.destroy()
        assert verbs.pools() == before
    assert online(linux) == f"0-{cpus - 1}"
    verbs.disable()
    linux.check_health()


@pytest.mark.bug("A46")
def test_a46_cache_maintenance_by_set_and_way(jailhouse: Jailhouse) -> None:
    """A guest that invalidates by set and way could drop other's data: with HCR_EL2.SWIO it cleans
    as well, and traps nothing. Under create and destroy of another cell."""
    before = jailhouse.pools()
    bench = Bench.create(jailhouse, "test-timeout")
    bench.run("violate", "what=setway-loop")
    bench.says("^GO$")
    for _ in range(4):
        jailhouse.create("test-other")
        jailhouse.destroy("test-other")
    assert jailhouse.stats(bench.number)["mmio"] == 0
    bench.destroy()
    survived(jailhouse, before)


@pytest.mark.bug("U13")
def test_u13_a_write_to_read_only_memory_names_its_page(jailhouse: Jailhouse) -> None:
    """HPFAR_EL2 is not for permission faults: after an access to the distributor the address of
    a store to a read-only page was the distributor's, and it went there."""
    config = cell(jailhouse, "test-one")
    config.mem_regions.append(Memory(0x70800000, 0x800000, 0x200000, MemFlag.READ))
    jailhouse.linux.put(config.to_bytes(), "/tmp/read-only.cell")
    before = jailhouse.pools()
    bench = Bench.create(jailhouse, "test-one", "/tmp/read-only.cell")
    assert bench.outcome("read addr=0x801008").startswith("survived")
    outcome = bench.outcome("write-after-gic addr=0x801008 value=1")
    assert "Unhandled data write at 0x801008(4)" in outcome, outcome
    bench.destroy()
    survived(jailhouse, before)


@pytest.mark.bug("A56")
def test_a56_a_parked_cpu_comes_back_every_time(
    jailhouse: Jailhouse, hvcall: Hvcall, repeats: Repeats, linux: Linux
) -> None:
    """A CPU that is parked when it is parked again switched itself off too late, and Linux waited
    for it in vain ("CPU2: failed to come online"): load parks, destroy parks, Linux starts."""
    for _ in range(repeats(15, 500)):
        jailhouse.create("test-one")
        jailhouse.load("test-one", "protocol")
        jailhouse.destroy("test-one")
    assert online(linux) == "0-3"
    assert "failed to come online" not in linux.succeed("dmesg")
