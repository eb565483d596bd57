# SPDX-License-Identifier: GPL-2.0-only
"""`python -m harness demo`: the main job, shown step by step."""

from __future__ import annotations

from harness import artifacts, results
from harness.engines import Accelerator, Clock
from harness.errors import Verdict, verdict_of
from harness.guest.linux import Linux
from harness.progress import Progress, fail
from harness.scenario import Scenario
from harness.session import Lab, Variant, power_off, shut
from harness.targets import Target
from harness.verbs import Jailhouse

#: Ticks that the demo waits for.
TICKS = 20


def demo(target: Target, kernel: str, ticks: int = TICKS) -> int:
    """Build, boot, run the scenario, power off; exit code 0 if all of it worked."""
    progress = Progress()
    run = results.new_run("demo")
    progress(f"target {target.name}, kernel {kernel}; results in {run}")
    linux: Linux | None = None
    try:
        progress("building hypervisor, driver, inmates, configurations")
        built = artifacts.build(kernel, target.architecture)
        lab = Lab(target, lambda _: built, run, progress=progress)
        progress("booting Linux")
        linux = lab.linux(Variant(kernel=kernel))
        uname = linux.succeed("uname -sr").strip()
        progress(f"{uname} is up, {target.machine.cpus} CPUs")
        scenario = Scenario(Jailhouse(linux), target, progress)
        measures = scenario.run(ticks)
        power_off(linux)
        progress("machine powered off")
        print(f"\n{measures.jitter.summary()}")
        print(_remark(target))
    except Verdict as error:
        fail(f"\n{verdict_of(error)} failure: {error}\n\nresults: {run}")
        return 1
    except KeyboardInterrupt:
        fail("\ninterrupted: the machine is stopped")
        return 130
    finally:
        if linux is not None:
            shut(linux)
    return 0


def _remark(target: Target) -> str:
    if target.clock is Clock.ICOUNT:
        return "Time is counted in instructions here: this is the code's own jitter."
    if target.accelerator is Accelerator.BOCHS:
        return (
            "Bochs interprets 20 million instructions a guest second, whatever the host does: "
            "this jitter is\na number of instructions, 50 ns each, not a processor's time."
        )
    return (
        "The emulator runs on this host's clock: this jitter is the host's noise, not the "
        "hypervisor's.\nWith --clock icount the same instructions give the same figures."
    )
