"""Show where the wall time of a closed loop on the packaged engine goes, slots and cache varied.

Run it on a quiet machine: `python docs/loop_steps.py [WEIGHTS]` (three minutes on two cores).
Steps are told from the streams: a sequence gets a token in every step in which it decodes.
"""

import itertools
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from inferometer.cli.bench import Asked, cut_trace
from inferometer.loop.drive import drive
from inferometer.loop.jobs import Bounds, jobs_of
from inferometer.loop.launch import model_file
from inferometer.loop.machine import this_machine
from inferometer.loop.processor import PROC, pid_behind
from inferometer.loop.setting import Setting, context_for
from inferometer.loop.sweep import Step, steps
from inferometer.loop.trial import Bed, engine
from inferometer.units import Seconds

BOUNDS = Bounds(prompt=256, output=64)


def thread_seconds(pid: int) -> dict[str, float]:
    """Return the processor time of each thread of a process."""
    return {
        task.name: int((task / "schedstat").read_text().split()[0]) / 1e9
        for task in (PROC / str(pid) / "task").iterdir()
    }


def show(bed: Bed, setting: Setting) -> None:
    """Run the page's requests at a setting, and print what took the time."""
    trace, _ = cut_trace(
        Asked(requests=32, max_prompt=BOUNDS.prompt, max_output=BOUNDS.output), BOUNDS
    )
    jobs = jobs_of(trace, 0)
    with engine(bed, setting) as endpoint:
        drive(endpoint, jobs[:1], clients=1)
        pid = pid_behind(endpoint.url)
        if pid is None:
            raise SystemExit("the engine's process is not to be seen: run this where it runs")
        before, own = thread_seconds(pid), time.process_time()
        run = drive(endpoint, jobs, clients=setting.slots)
        own = time.process_time() - own
        after = thread_seconds(pid)
    spent = sorted((after[one] - before.get(one, 0.0) for one in after), reverse=True)
    wall, busiest = run.ended - run.began, " and ".join(f"{s:.1f}" for s in spent[:2])
    sys.stdout.write(
        f"{setting}: {wall:.1f} s; the engine's two busiest threads {busiest} s of processor, all "
        f"others {sum(spent[2:]):.2f} s; load client {own:.2f} s\n"
    )
    found = list(steps(run.shots))
    for n in range(1, setting.slots + 1):
        times = [step.span for step in found if step.plain and step.decoding == n]
        if times:
            sys.stdout.write(
                f"  {n} sequences decode: {len(times)} steps, median {np.median(times) * 1e3:.1f} "
                f"ms, {sum(times):.2f} s together\n"
            )
    mixed = [step for step in found if step.prompts]
    halves = mixed[: len(mixed) // 2], mixed[len(mixed) // 2 :]
    each = " and ".join(f"{1e3 * _per_prompt_token(half):.2f}" for half in halves)
    sys.stdout.write(
        f"  with prompts: {len(mixed)} steps, {sum(step.span for step in mixed):.2f} s together; "
        f"{each} ms a prompt token in the first and the second half of them\n"
    )


def _per_prompt_token(found: Sequence[Step]) -> Seconds:
    return sum(step.span for step in found) / sum(sum(step.prompts) for step in found)


def main() -> int:
    """Show both numbers of slots, with one cache for all of them and with one for each."""
    weights = sys.argv[1] if len(sys.argv) > 1 else "q8_0"
    context = context_for(BOUNDS.prompt + BOUNDS.output)
    with tempfile.TemporaryDirectory() as folder:
        bed = Bed(
            shipped=model_file(), machine=this_machine(), folder=Path(folder),
            say=lambda text: None,
        )  # fmt: skip
        for slots, unified in itertools.product((4, 8), (True, False)):
            show(bed, Setting(weights=weights, slots=slots, context=context, unified=unified))
    return 0


if __name__ == "__main__":
    sys.exit(main())
