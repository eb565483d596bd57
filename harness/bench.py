# SPDX-License-Identifier: GPL-2.0-only
"""`python -m harness bench`: how long the steps take, exits per tick of the timer demo.

The last steps are what a test waits for before its first command: a machine from
the checkpoint (start of the emulator, handshake) to the answer of one command, at
the prompt and with the hypervisor enabled.
"""

from __future__ import annotations

import json
import statistics
import time

from harness import artifacts, results
from harness.checkpoints import Store
from harness.progress import Progress
from harness.scenario import Measures, Scenario
from harness.session import Lab, Variant, power_off, shut
from harness.targets import Target
from harness.verbs import Jailhouse

STEPS = (
    "start to prompt", "answer of the agent", "enable", "create, load, start", "shutdown",
    "destroy", "disable",
)  # fmt: skip
RESTORED = ("restored to first answer", "restored, enabled to answer")


def bench(target: Target, kernel: str, rounds: int) -> int:
    """Run the scenario some times and print the median of every step."""
    progress = Progress()
    run = results.new_run("bench")
    built = artifacts.build(kernel, target.architecture, progress)
    lab = Lab(target, lambda _: built, run, progress=progress)
    measures = []
    for number in range(rounds):
        progress(f"round {number + 1} of {rounds}")
        measures.append(_round(lab, target, kernel, progress))
    lab.store = Store()
    steps: tuple[str, ...] = STEPS
    if "checkpoints" in target.make_engine().capabilities:
        steps += RESTORED
        shut(lab.linux(Variant(kernel=kernel)))
        for number, found in enumerate(measures):
            progress(f"restore {number + 1} of {rounds}")
            found.seconds.update(_restored(lab, target, kernel))
    _print(measures, steps)
    record = {
        "commit": results.commit(),
        "target": target.name,
        "seconds": {step: [found.seconds[step] for found in measures] for step in steps},
        "exits_per_tick": [found.exits_per_tick for found in measures],
    }
    (run / "bench.json").write_text(json.dumps(record, indent=1) + "\n")
    print(f"\nevery value: {run / 'bench.json'}")
    return 0


def _round(lab: Lab, target: Target, kernel: str, progress: Progress) -> Measures:
    linux = lab.machine(Variant(kernel=kernel))
    try:
        linux.root_console.expect(r"# ", 120)
        prompt = time.monotonic() - linux.machine.started
        linux.wait_booted()
        linux.mark()
        answer = statistics.median(linux.serial.ping() for _ in range(20))
        measures = Scenario(Jailhouse(linux), target, progress).run(50)
        measures.seconds["start to prompt"] = prompt
        measures.seconds["answer of the agent"] = answer
        power_off(linux)
        return measures
    finally:
        shut(linux)


def _restored(lab: Lab, target: Target, kernel: str) -> dict[str, float]:
    """Seconds to the first command's answer, both ways."""
    seconds = {}
    for step in RESTORED:
        began = time.monotonic()
        linux = lab.linux(Variant(kernel=kernel))
        try:
            if step == RESTORED[1]:
                verbs = Jailhouse(linux)
                verbs.load_module()
                verbs.enable(target.root_config)
            linux.succeed("true")
            seconds[step] = time.monotonic() - began
        finally:
            shut(linux)
    return seconds


def _print(measures: list[Measures], steps: tuple[str, ...]) -> None:
    print(f"\n{'step':<28}{'median':>10}{'min':>10}{'max':>10}")
    for step in steps:
        values = [found.seconds[step] for found in measures]
        low, middle, high = min(values), statistics.median(values), max(values)
        print(f"{step:<28}{middle:>8.3f} s{low:>8.3f} s{high:>8.3f} s")
    print(f"\n{'exits per tick':<28}{'median':>10}")
    for name in measures[0].exits_per_tick:
        value = statistics.median(found.exits_per_tick[name] for found in measures)
        print(f"{name:<28}{value:>10.2f}")
    last = measures[-1]
    print(f"\npages after enable: {last.pools_enabled}")
    print(f"with the demo's cell: {last.pools_with_cell}")
    print(f"jitter of the last round: {last.jitter.summary()}")
