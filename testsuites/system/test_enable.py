# SPDX-License-Identifier: GPL-2.0-only
"""Enable and disable: what they say, what they leave alone, what they refuse."""

import errno
import re
from collections.abc import Callable

import pytest

from harness.guest.linux import Linux
from harness.targets import Target
from harness.verbs import CONFIGS, Jailhouse, JailhouseError

CYCLES = 20
x86 = pytest.mark.architectures("x86", reason="about what only x86 has")


@pytest.fixture
def verbs(linux: Linux) -> Jailhouse:
    """The verbs on a Linux whose hypervisor is off and whose module is loaded."""
    jailhouse = Jailhouse(linux)
    jailhouse.load_module()
    return jailhouse


#: Early lines, what stands in the line of each CPU, and lines of units.
APIC = [r"^Using x(2)?APIC$"], r"\(APIC ID \d+\) OK"
DEVICES = r"^Adding PCI device 00:00\.0 to cell \"\S+\"$"
MACHINE_LINES = {
    "svm": (*APIC, ["AMD IOMMU", "IOAPIC", "PCI"], [DEVICES]),
    "vmx": (*APIC, ["VT-d", "IOAPIC", "Cache Allocation Technology", "PCI"], [DEVICES]),
    "el2": ([], "OK", ["irqchip"], []),
}


def start_up_log(extension: str, cpus: int) -> list[str]:
    """The lines of abi.md 11.1, in order, as patterns."""
    early, ready, units, devices = MACHINE_LINES[extension]
    return [
        r"^Initializing Jailhouse hypervisor \S.* on CPU \d+$",
        r"^Code location: 0x[0-9a-f]{16}$",
        *early,
        r"^Page pool usage after early setup: mem \d+/\d+, remap \d+/\d+$",
        r"^Initializing processors:$",
        *[rf"^ CPU \d+\.\.\. {ready}$"] * cpus,
        *[rf"^Initializing unit: {name}$" for name in units],
        *devices,
        r"^Page pool usage after late setup: mem \d+/\d+, remap \d+/\d+$",
        r"^Activating hypervisor$",
    ]


def assert_in_order(text: str, patterns: list[str]) -> None:
    position = 0
    for pattern in patterns:
        found = re.compile(pattern, re.MULTILINE).search(text, position)
        assert found, f"no line {pattern!r} after offset {position} of\n{text}"
        position = found.end()


def test_start_up_log(verbs: Jailhouse, target: Target) -> None:
    mark = verbs.uart.end
    verbs.enable(target.root_config)
    verbs.uart.expect(r"^Activating hypervisor$", 10, mark)
    assert_in_order(verbs.uart.text(mark), start_up_log(target.extension, target.machine.cpus))
    # The page keeps the tail of the same log.
    tail = verbs.console()[-500:]
    assert tail.splitlines()[-1] == "Activating hypervisor"
    assert tail.splitlines()[-3:] == verbs.uart.text(mark).splitlines()[-3:]


def test_shut_down_log(jailhouse: Jailhouse, target: Target) -> None:
    mark = jailhouse.uart.end
    jailhouse.disable()
    text = jailhouse.uart.text(mark)
    assert_in_order(text, [r"^Shutting down hypervisor$"])
    released = {int(cpu) for cpu in re.findall(r"^ Releasing CPU (\d+)$", text, re.MULTILINE)}
    assert released == set(range(target.machine.cpus))


def test_kernel_log(verbs: Jailhouse, target: Target) -> None:
    verbs.linux.succeed("dmesg -c >/dev/null")
    verbs.enable(target.root_config)
    verbs.disable()
    log = verbs.linux.succeed("dmesg")
    assert "The Jailhouse is opening." in log
    assert "The Jailhouse was closed." in log


#: abi.md 8: statistics of every architecture, and of one.
COUNTERS = {"total", "mmio", "management", "hypercall"}
ARCHITECTURE_COUNTERS = {
    "x86": {"pio", "xapic", "cr", "cpuid", "xsetbv", "exception", "msr_other", "msr_x2apic_icr"},
    "arm64": {"maintenance", "virt_irq", "virt_sgi", "psci", "smccc"},
}


def test_sysfs_tree(jailhouse: Jailhouse, target: Target) -> None:
    files = jailhouse.sysfs()
    assert files["enabled"] == "1"
    last = target.machine.cpus - 1
    assert files["cells/0/state"] == "running"
    assert files["cells/0/cpus_assigned_list"] == f"0-{last}"
    assert int(files["cells/0/cpus_assigned"], 16) == (1 << (last + 1)) - 1
    assert files["cells/0/cpus_failed_list"] == ""
    names = COUNTERS | ARCHITECTURE_COUNTERS[target.architecture]
    assert set(jailhouse.stats(0)) == names
    for cpu in range(target.machine.cpus):
        assert set(jailhouse.stats(0, cpu)) == names
    assert jailhouse.linux.succeed("stat -c %a /sys/devices/jailhouse/core").strip() == "400"


def test_sysfs_when_disabled(verbs: Jailhouse) -> None:
    files = verbs.sysfs()
    assert files["enabled"] == "0"
    for pool in ("mem_pool_size", "mem_pool_used", "remap_pool_size", "remap_pool_used"):
        assert files[pool] == "0"
    assert not [path for path in files if path.startswith("cells/")]


@x86
def test_cpuid_tells(jailhouse: Jailhouse) -> None:
    """abi.md 3.2: the signature answers in the root cell too."""
    assert jailhouse.enabled
    # The kernel's own cpuid driver asks the real CPU.
    jailhouse.linux.succeed("modprobe cpuid")
    leaf = jailhouse.linux.succeed(
        "dd if=/dev/cpu/1/cpuid bs=16 count=1 skip=67108864 2>/dev/null | hexdump -v -e '1/1 \"%02x\"'"
    ).strip()
    assert bytes.fromhex(leaf) == bytes.fromhex("01000040") + b"Jailhouse\0\0\0"


class TestRootKeepsWorking:
    """While enabled, Linux does what it did before."""

    def test_every_cpu_computes(self, jailhouse: Jailhouse, target: Target) -> None:
        script = "i=0; while [ $i -lt 2000 ]; do i=$((i+1)); done; echo $i"
        for cpu in range(target.machine.cpus):
            assert jailhouse.linux.succeed(["taskset", "-c", str(cpu), "sh", "-c", script]) == (
                "2000\n"
            )

    @pytest.mark.needs("network")
    def test_network(self, jailhouse: Jailhouse) -> None:
        blob = bytes(range(256)) * 4096
        jailhouse.linux.ssh.put(blob, "/tmp/blob")
        assert jailhouse.linux.ssh.get("/tmp/blob") == blob
        assert [jailhouse.linux.ssh.run("true").status for _ in range(20)] == [0] * 20

    @pytest.mark.needs("disk")
    def test_disk(self, jailhouse: Jailhouse) -> None:
        """Read it twice past the page cache, write it, read what was written."""
        linux = jailhouse.linux
        disk = f"/dev/{linux.machine.spec.disks[0].device}"
        first = linux.succeed(f"echo 3 > /proc/sys/vm/drop_caches; md5sum < {disk}")
        linux.succeed("dd if=/dev/urandom of=/tmp/d bs=64k count=8 2>/dev/null")
        linux.succeed(f"dd if=/tmp/d of={disk} bs=64k conv=fsync 2>/dev/null")
        linux.succeed("echo 3 > /proc/sys/vm/drop_caches")
        linux.succeed(f"head -c 524288 {disk} | cmp - /tmp/d")
        assert linux.succeed(f"md5sum < {disk}") != first

    def test_timers(self, jailhouse: Jailhouse, target: Target) -> None:
        """Every CPU's local timer ticks and sleeps end."""
        linux = jailhouse.linux
        row = TIMER[target.architecture]
        before = interrupts(linux, row)
        linux.succeed(f"for c in {each(linux)}; do taskset -c $c sleep 0.3 || exit 1; done")
        after = interrupts(linux, row)
        assert all(new > old for new, old in zip(after, before, strict=True))
        assert len(after) == target.machine.cpus

    def test_ipis(self, jailhouse: Jailhouse, target: Target) -> None:
        linux = jailhouse.linux
        rows = IPIS[target.architecture]
        before = sum(count for row in rows for count in interrupts(linux, row))
        linux.succeed(f"for i in 1 2 3 4 5 6 7 8; do for c in {each(linux)}; do taskset -c $c true; done; done")
        assert sum(count for row in rows for count in interrupts(linux, row)) > before

    def test_cpu_off_and_on(self, jailhouse: Jailhouse) -> None:
        """INIT and SIPI, or PSCI, of the root cell."""
        linux, cpu = jailhouse.linux, another(jailhouse.linux)
        for _ in range(3):
            set_online(linux, cpu, False)
            set_online(linux, cpu, True)
        assert linux.succeed(f"taskset -c {cpu} echo alive") == "alive\n"


def each(linux: Linux) -> str:
    """All CPUs, for a loop of the shell."""
    return " ".join(str(cpu) for cpu in range(linux.machine.spec.cpus))


def another(linux: Linux) -> int:
    """A CPU that Linux need not have."""
    return min(2, linux.machine.spec.cpus - 1)


def set_online(linux: Linux, cpu: int, on: bool) -> None:
    linux.succeed(f"echo {int(on)} > /sys/devices/system/cpu/cpu{cpu}/online", 30)


#: Rows of /proc/interrupts, by their first or last word.
TIMER = {"x86": "LOC", "arm64": "arch_timer"}
IPIS = {"x86": ("RES", "CAL"), "arm64": ("IPI0", "IPI1")}


def interrupts(linux: Linux, row: str) -> list[int]:
    """One row of /proc/interrupts, a number a CPU."""
    for line in linux.succeed("cat /proc/interrupts").splitlines():
        name, _, rest = line.strip().partition(":")
        if row == name or rest.split()[-1:] == [row]:
            return [int(word) for word in rest.split()[: linux.machine.spec.cpus]]
    raise AssertionError(f"no row {row} in /proc/interrupts")


def test_cycles(verbs: Jailhouse, target: Target) -> None:
    """20 cycles; each enable uses exactly as many pages as the first."""
    pools = set()
    for _ in range(CYCLES):
        verbs.enable(target.root_config)
        pools.add(verbs.pools())
        verbs.disable()
    assert len(pools) == 1
    verbs.linux.check_health()


def test_rmmod_and_again(verbs: Jailhouse, target: Target) -> None:
    verbs.enable(target.root_config)
    refused = verbs.linux.run("rmmod jailhouse")
    assert refused.status != 0
    assert verbs.enabled
    verbs.disable()
    verbs.unload_module()
    assert verbs.linux.run("test -e /dev/jailhouse").status != 0
    assert "Jailhouse hypervisor" not in verbs.linux.succeed("cat /proc/iomem")
    verbs.load_module()
    verbs.enable(target.root_config)
    verbs.disable()


#: Where the root cell's statistics lie while there is none.
KEPT = "/sys/module/jailhouse/statistics"
STATISTICS = "/sys/devices/jailhouse/cells/0/statistics"


def cpu_directories(linux: Linux, folder: str) -> list[str]:
    return linux.succeed(f"cd {folder} && ls -d cpu*").split()


def test_statistics_are_kept(verbs: Jailhouse, target: Target) -> None:
    """Without a hypervisor they say so; the next root cell has them, of its CPUs only."""
    linux, last = verbs.linux, target.machine.cpus - 1
    every = [f"cpu{cpu}" for cpu in range(last + 1)]
    smaller = cpus(-1)(root_config(verbs, target))
    verbs.enable(target.root_config)
    assert linux.run(f"test -e {KEPT}").status != 0
    verbs.disable()
    assert cpu_directories(linux, KEPT) == every
    for file in ("vmexits_total", f"cpu{last}/vmexits_total"):
        refused = linux.run(f"cat {KEPT}/{file} 2>&1")
        assert refused.status != 0
        assert "No such device" in refused.output
    linux.put(smaller, "/tmp/smaller.cell")
    set_online(linux, last, False)
    try:
        verbs.enable("/tmp/smaller.cell")
        assert cpu_directories(linux, STATISTICS) == every[:-1]
        assert int(linux.succeed(f"cat {STATISTICS}/vmexits_total")) > 0
        verbs.disable()
    finally:
        set_online(linux, last, True)
    verbs.enable(target.root_config)
    assert cpu_directories(linux, STATISTICS) == every
    by_cpu = [verbs.stats(0, cpu)["total"] for cpu in range(last + 1)]
    assert verbs.stats(0)["total"] >= sum(by_cpu) > 0
    verbs.disable()
    verbs.unload_module()
    verbs.load_module()
    assert linux.run(f"test -e {KEPT}").status != 0


def test_statistics_are_read_meanwhile(verbs: Jailhouse, target: Target) -> None:
    """Reading them works in every life of the hypervisor, and harms none that ends meanwhile."""
    linux = verbs.linux
    files = f"{STATISTICS}/v* {STATISTICS}/cpu*/v* {KEPT}/v* {KEPT}/cpu*/v*"
    reader = f"while :; do cat {files}; done >> /tmp/read 2>/dev/null & echo $!"
    readers = linux.succeed(f"({reader}); ({reader})").split()
    try:
        for _ in range(CYCLES // 4):
            verbs.enable(target.root_config)
            linux.succeed("until test -s /tmp/read; do sleep 0.01; done; : > /tmp/read")
            verbs.disable()
    finally:
        linux.succeed(f"kill {' '.join(readers)}")
    linux.check_health()


def test_enable_twice(jailhouse: Jailhouse, target: Target) -> None:
    before = jailhouse.pools()
    with pytest.raises(JailhouseError) as refused:
        jailhouse.enable(target.root_config)
    assert refused.value.errno == errno.EBUSY
    assert jailhouse.pools() == before


def test_disable_when_disabled(verbs: Jailhouse) -> None:
    with pytest.raises(JailhouseError) as refused:
        verbs.disable()
    assert refused.value.errno == errno.EINVAL


def root_config(verbs: Jailhouse, target: Target) -> bytearray:
    return bytearray(verbs.linux.get(str(CONFIGS / f"{target.root_config}.cell")))


def refused_enable(verbs: Jailhouse, config: bytes | str, number: int, message: str) -> None:
    """Enable `config` must fail with `number`, tell why, and leave Linux whole."""
    verbs.linux.succeed("dmesg -c >/dev/null")
    mark = verbs.uart.end
    path = config
    if not isinstance(config, str):
        path = "/tmp/bad.cell"
        verbs.linux.put(bytes(config), path)
    with pytest.raises(JailhouseError) as refused:
        verbs.enable(str(path))
    assert refused.value.errno == number, refused.value
    said = verbs.linux.succeed("dmesg") + verbs.uart.text(mark)
    assert re.search(message, said), f"nothing like {message!r} in\n{said}"
    assert not verbs.enabled


def poke(offset: int, data: bytes) -> Callable[[bytearray], bytes]:
    def change(config: bytearray) -> bytes:
        config[offset : offset + len(data)] = data
        return bytes(config)

    return change


def cpus(more: int) -> Callable[[bytearray], bytes]:
    """The root cell has so many CPUs more than the machine."""

    def change(config: bytearray) -> bytes:
        count = int.from_bytes(config[488:496], "little").bit_length() + more
        return poke(488, ((1 << count) - 1).to_bytes(8, "little"))(config)

    return change


def foreign_iommu(extension: str) -> Callable[[bytearray], bytes]:
    """The other vendor's unit."""
    kind = {"svm": b"\x02", "vmx": b"\x01"}[extension]
    return poke(88, kind + b"\x00\x00\x00\x00\x00\xd9\xfe")


def placed(x86: int, arm64: int) -> Callable[[bytearray], bytes]:
    """hypervisor_memory elsewhere; byte 5 of a configuration is its architecture (0: x86)."""
    return lambda config: poke(12, (arm64 if config[5] else x86).to_bytes(8, "little"))(config)


#: What is the same for every architecture; the rest follows.
EARLY_EVERYWHERE = {
    "signature": (poke(0, b"JHXXX"), errno.EINVAL, "Not a system configuration"),
    "revision": (poke(6, b"\x0d\x00"), errno.EINVAL, "Configuration revision mismatch"),
    "architecture": (poke(5, b"\x01"), errno.EINVAL, "Configuration architecture mismatch"),
    "no-cpu": (poke(488, bytes(8)), errno.EINVAL, "CPU"),
    "cpu-too-many": (cpus(+1), errno.EINVAL, "CPU"),
    "cpu-too-few": (cpus(-1), errno.EINVAL, "CPU"),
    "no-memory-for-core": (poke(28, b"\x00\x10\x00\x00\x00\x00\x00\x00"), errno.EINVAL, "memory"),
    "no-reservation": (
        placed(0x10000000, 0x50000000),
        errno.EINVAL,
        "request_mem_region failed for hypervisor memory",
    ),
    "no-memory": (placed(0x50000000, 0x10000000), errno.EINVAL, "there is no memory at"),
    # The ioctl has no length: the tool lets the memory end where the file ends.
    "empty": (lambda config: b"", errno.EFAULT, "(?i)configuration"),
    "truncated": (lambda config: bytes(config[:300]), errno.EFAULT, "(?i)configuration"),
}
EARLY_X86 = {
    "foreign-iommu": (bytes, errno.EINVAL, "IOMMU"),
    "x2apic-mode": (poke(314, b"\x02"), errno.EIO, "APIC"),
}


@pytest.mark.bug("A1")
@pytest.mark.parametrize(
    "case", [*EARLY_EVERYWHERE, *[pytest.param(name, marks=x86) for name in EARLY_X86]]
)
def test_a1_early_failure_then_good_enable(verbs: Jailhouse, target: Target, case: str) -> None:
    change, number, message = (EARLY_EVERYWHERE | EARLY_X86)[case]
    if case == "foreign-iommu":
        change = foreign_iommu(target.extension)
    refused_enable(verbs, change(root_config(verbs, target)), number, message)
    verbs.enable(target.root_config)
    verbs.disable()


def test_a13_page_pool_too_small(verbs: Jailhouse, target: Target) -> None:
    """A13: whatever the size, only success, ENOMEM or EINVAL; monotone; the next enable works."""
    good = root_config(verbs, target)
    outcomes = []
    whole = int.from_bytes(good[28:36], "little") // 4096
    for pages in (40, 80, 100, 120, 140, 160, 200, 300, 500, whole):
        config = bytearray(good)
        config[28:36] = (pages * 4096).to_bytes(8, "little")
        verbs.linux.put(bytes(config), "/tmp/small.cell")
        refusal = 0
        try:
            verbs.enable("/tmp/small.cell")
        except JailhouseError as error:
            refusal = error.errno
        else:
            verbs.disable()
        assert refusal in (0, errno.ENOMEM, errno.EINVAL)
        outcomes.append(refusal == 0)
    assert outcomes == sorted(outcomes), "not monotone"
    assert outcomes[-1]
    assert not outcomes[0]


def test_a2_cpu_offline(verbs: Jailhouse, target: Target) -> None:
    verbs.linux.succeed("echo 0 > /sys/devices/system/cpu/cpu1/online")
    try:
        refused_enable(
            verbs, str(CONFIGS / f"{target.root_config}.cell"), errno.EINVAL, "CPU"
        )
    finally:
        verbs.linux.succeed("echo 1 > /sys/devices/system/cpu/cpu1/online")
    verbs.enable(target.root_config)
    verbs.disable()


@pytest.mark.needs("svm")
@x86
def test_no_svm(fresh_linux: Callable[..., Linux], target: Target) -> None:
    linux = fresh_linux(cpu=f"{target.machine.cpu},-svm")
    verbs = Jailhouse(linux)
    verbs.load_module()
    refused_enable(
        verbs, str(CONFIGS / f"{target.root_config}.cell"), errno.ENODEV,
        "Missing or unsupported HVM technology",
    )  # fmt: skip


@pytest.mark.needs("svm")
@x86
def test_a1_no_nested_paging(fresh_linux: Callable[..., Linux], target: Target) -> None:
    linux = fresh_linux(cpu=f"{target.machine.cpu},-npt")
    verbs = Jailhouse(linux)
    verbs.load_module()
    refused_enable(
        verbs, str(CONFIGS / f"{target.root_config}.cell"), errno.EIO, "(?i)nested paging"
    )
    # Linux goes on; a second try answers the same instead of hanging.
    refused_enable(
        verbs, str(CONFIGS / f"{target.root_config}.cell"), errno.EIO, "(?i)nested paging"
    )


def test_a39_no_reservation_at_boot(fresh_linux: Callable[..., Linux], target: Target) -> None:
    linux = fresh_linux(reserved=False)
    verbs = Jailhouse(linux)
    verbs.load_module()
    refused_enable(
        verbs, str(CONFIGS / f"{target.root_config}.cell"), errno.EINVAL, "mem(map)?="
    )
    told = linux.run(f"jailhouse enable {CONFIGS}/{target.root_config}.cell")
    assert told.status == 1
    assert "JAILHOUSE_ENABLE: Invalid argument" in told.output
    assert "System RAM" in told.output, "the tool names the line of /proc/iomem that collides"


def test_a3_disable_with_cpu_offline(jailhouse: Jailhouse) -> None:
    linux, cpu = jailhouse.linux, another(jailhouse.linux)
    set_online(linux, cpu, False)
    with pytest.raises(JailhouseError) as refused:
        jailhouse.disable()
    assert refused.value.errno == errno.EBUSY
    assert jailhouse.enabled
    set_online(linux, cpu, True)
    jailhouse.disable()
    for _ in range(5):
        set_online(linux, cpu, False)
        set_online(linux, cpu, True)


def test_a4_reboot_while_enabled(fresh_linux: Callable[..., Linux], target: Target) -> None:
    """The reboot notifier disables; the machine really resets (-no-reboot ends the emulator)."""
    linux = fresh_linux()
    verbs = Jailhouse(linux)
    verbs.load_module()
    verbs.enable(target.root_config)
    linux.serial.run("(sleep 0.3; reboot -f) >/dev/null 2>&1 &", 5)
    linux.machine.wait_end(30)
    assert " Releasing CPU 0" in verbs.uart.text()


@pytest.mark.needs("random-addresses")
@x86
def test_a37_five_level_paging_is_refused_by_name(
    fresh_linux: Callable[..., Linux], target: Target
) -> None:
    # Only the boot loader stub of the bzImage switches to five levels.
    linux = fresh_linux(cpu="max", without=("nokaslr",))
    verbs = Jailhouse(linux)
    verbs.load_module()
    refused_enable(
        verbs, str(CONFIGS / f"{target.root_config}.cell"), errno.EIO, "LA57"
    )
