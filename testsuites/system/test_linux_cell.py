# SPDX-License-Identifier: GPL-2.0-only
"""Linux in a cell: the distribution's kernel, on two CPUs, by `jailhouse cell linux`."""

import gzip
import re
from pathlib import Path

import pytest

from harness import image, provision
from harness.plugin.run import RUN
from harness.targets import Target
from harness.verbs import CONFIGS, Jailhouse
from testsuites.checks import cpus_but, online, survived

pytestmark = [
    pytest.mark.architectures("arm64", reason="other architectures have no loader yet"),
    pytest.mark.needs("cpus-4"),
]

CONFIG = str(CONFIGS / "linux-demo.cell")
#: Device trees by the GIC of the machine.
TREES = {"qemu-arm64-gicv3": "linux-demo", "qemu-arm64-gicv2": "linux-demo-gicv2"}
KERNEL, INITRD = "/tmp/Image.gz", "/tmp/initrd"
CELL = image.load("linux-cell")


@pytest.fixture
def files(request: pytest.FixtureRequest, jailhouse: Jailhouse, tmp_path: Path) -> None:
    """Kernel and initrd are in the root cell, the kernel packed: less to carry."""
    linux = jailhouse.linux
    kernel = provision.kernel(request.config.stash[RUN].kernel, CELL.arch)
    packed = gzip.compress(kernel.payload.read_bytes(), 1, mtime=0)
    linux.ssh.put(packed, KERNEL)
    linux.ssh.put(image.base_archive(CELL, kernel), INITRD)


def test_linux_in_a_cell(jailhouse: Jailhouse, target: Target, files: None) -> None:
    linux, uart = jailhouse.linux, jailhouse.uart
    before = jailhouse.pools()
    tree = str(CONFIGS / "dts" / f"{TREES[target.machine.name]}.dtb")
    cmdline = f"console=ttyAMA0,115200 {CELL.cmdline}"
    command = ["jailhouse", "cell", "linux", "-d", tree, "-i", INITRD, "-c", cmdline]
    mark = uart.end
    done = linux.run([*command, CONFIG, KERNEL], 60)
    assert (done.status, done.output) == (0, "")
    cell = jailhouse.cell("linux-demo")
    assert (cell.state, cell.cpus) == ("running", "2-3")
    uart.expect(rf"^{re.escape(CELL.prompt)}", 90, mark)
    assert f"Linux version {linux.release} " in uart.text(mark)

    def says(line: str, pattern: str) -> None:
        """What a line typed at the prompt answers."""
        mark = uart.end
        uart.send(line.encode() + b"\r")
        uart.expect(rf"{re.escape(line)}\n{pattern}\n{re.escape(CELL.prompt)}", 20, mark)

    says("nproc", "2")
    says("uname -r", re.escape(linux.release))
    says("sed s/^/line:/ /proc/cmdline", re.escape(f"line:{cmdline}"))
    # Both CPUs take interrupts of their own.
    says("taskset 1 sleep 0.1 && taskset 2 sleep 0.1 && echo both", "both")

    # Meanwhile and afterwards Linux in the root cell is well.
    assert online(linux) == cpus_but(linux, 2, 3)
    assert jailhouse.stats("linux-demo")["psci"] > 0
    linux.check_health()
    jailhouse.shutdown("linux-demo")
    assert jailhouse.state("linux-demo") == "shut down"
    jailhouse.destroy("linux-demo")
    assert online(linux) == cpus_but(linux)
    survived(jailhouse, before, again=False)
