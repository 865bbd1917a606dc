"""Share of a training step in which one CUDA device is idle.

Each loop runs twice. The first run is only timed; the second runs under torch's profiler, which slows the CPU but not
the kernels. Idle time is the time of a step in the first run minus the device's work in the second.
"""

import json
import tempfile
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import torch
from gpu_clock import Table, Watch, forget_peak, run, samples, wait
from gpu_training import LOOPS, RECIPES, Work
from own_loop import Way

# Categories of the profiler's trace that are work of the device.
WORK_OF_THE_DEVICE = {"cuda": ("kernel", "gpu_memcpy", "gpu_memset"), "cpu": ("cpu_op",)}
# Steps before the profiler starts, and steps while it runs.
WARM_UP, WATCHED = 8, 16


class Profiled(Watch):
    """A clock that profiles the device from step WARM_UP, for WATCHED steps."""

    def __init__(self, device: torch.device) -> None:
        super().__init__(device, 4)
        activity = torch.profiler.ProfilerActivity
        self.profiler = torch.profiler.profile(
            activities=[activity.CUDA if device.type == "cuda" else activity.CPU], acc_events=True
        )

    def __call__(self, *_: object) -> None:
        """Count a step."""
        super().__call__()
        if self.n_steps in (WARM_UP, WARM_UP + WATCHED):
            wait(self.device)
            (self.profiler.start if self.n_steps == WARM_UP else self.profiler.stop)()

    def events(self) -> list[dict[str, Any]]:
        """The profiler's trace."""
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder) / "trace.json"
            self.profiler.export_chrome_trace(str(path))
            found: list[dict[str, Any]] = json.loads(path.read_text(encoding="utf-8"))["traceEvents"]
            return found


def busy_ms(events: Iterable[dict[str, Any]], categories: Iterable[str]) -> float:
    """Milliseconds in which at least one event of these categories runs; overlapping events count once."""
    wanted = set(categories)
    spans = sorted((each["ts"], each["ts"] + each["dur"]) for each in events if each.get("cat") in wanted)
    total, reached = 0.0, float("-inf")
    for start, end in spans:
        total += max(0.0, end - max(start, reached))
        reached = max(reached, end)
    return total / 1000


def idle(device: torch.device) -> None:
    """Measure full fine-tuning in bfloat16.

    Raises:
        RuntimeError: the profiler saw no work of the device.
    """
    sizes = (("resnet50", 224, 128), ("resnet18", 96, 64)) if device.type == "cuda" else (("resnet18", 32, 8),)
    print("\n| network, px, batch | loop | ms a step | device at work, ms | idle |\n|---|---|---:|---:|---:|")
    for name, side_px, batch in sizes:
        work = Work(name, samples(side_px, batch * (WARM_UP + WATCHED + 1), device))
        plain = Way(batch, torch.bfloat16)
        ways = {each: (loop, plain) for each, loop in LOOPS.items()}
        ways["graft, augmented (photographs)"] = (LOOPS["graft"], plain._replace(recipe=RECIPES["photographs"]))
        for loop_name, (loop, way) in ways.items():
            forget_peak(device)
            timed, profiled = work.watch(), Profiled(device)
            loop(work, way, timed)
            loop(work, way, profiled)
            step = 1000 * timed.seconds_a_step()
            busy = busy_ms(profiled.events(), WORK_OF_THE_DEVICE[device.type]) / WATCHED
            if busy == 0:
                raise RuntimeError(f"idle, {loop_name}: want work of the device in the profiler's trace, got none.")
            shown = f"{step:.2f} | {busy:.2f} | {max(0.0, 1 - busy / step):.1%}"
            print(f"| {name}, {side_px}, {batch} | {loop_name} | {shown} |", flush=True)


TABLES: dict[str, Table] = {"idle": idle}

if __name__ == "__main__":
    run(TABLES, __doc__)
