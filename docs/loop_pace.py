"""Show how the pace of this machine changes: the same decode steps and the same prompt, repeated.

Run it on a quiet machine: `python docs/loop_pace.py [SECONDS]` (200 by default). No forecast can be
better than what is the same differs by.
"""

import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from inferometer.loop.client import Endpoint
from inferometer.loop.drive import drive
from inferometer.loop.jobs import jobs_of
from inferometer.loop.launch import model_file
from inferometer.loop.machine import this_machine
from inferometer.loop.setting import Setting
from inferometer.loop.trial import Bed, engine
from inferometer.units import Seconds
from inferometer.workload.trace import Trace

SLOTS = 4


def same(count: int, prompt: int, output: int) -> Trace:
    """Return so many equal requests."""
    return Trace(
        arrival=np.zeros(count), input_tokens=np.full(count, prompt),
        output_tokens=np.full(count, output), name="pace",
    )  # fmt: skip


def paces(endpoint: Endpoint, span: Seconds) -> list[tuple[Seconds, Seconds]]:
    """Return a step of all slots (median) and a prompt of 256 tokens, as often as there is time."""
    found = list[tuple[Seconds, Seconds]]()
    end = time.monotonic() + span
    while time.monotonic() < end:
        seed = 2 * len(found)
        steps = drive(endpoint, jobs_of(same(SLOTS, 16, 32), seed), clients=SLOTS).good
        prompt = drive(endpoint, jobs_of(same(1, 256, 2), seed + 1), clients=1).good[0]
        found.append((float(np.median([g for shot in steps for g in shot.gaps])), prompt.ttft))
    return found


def line(name: str, values: Sequence[Seconds]) -> str:
    """Return mean, range and deviation in words."""
    mean = float(np.mean(values))
    return (
        f"{name}: {mean * 1e3:.1f} ms on average, {min(values) * 1e3:.1f} to "
        f"{max(values) * 1e3:.1f}, standard deviation {float(np.std(values)) / mean:.1%}, "
        f"{len(values)} times\n"
    )


def main() -> int:
    """Show both."""
    span = float(sys.argv[1]) if len(sys.argv) > 1 else 200.0
    with tempfile.TemporaryDirectory() as folder:
        bed = Bed(shipped=model_file(), machine=this_machine(), folder=Path(folder),
                  say=lambda text: None)  # fmt: skip
        with engine(bed, Setting(weights="q8_0", slots=SLOTS, context=512)) as endpoint:
            found = paces(endpoint, span)
    for name, values in zip(
        ("step of four", "prompt of 256"), zip(*found, strict=True), strict=True
    ):
        sys.stdout.write(line(name, values))
    return 0


if __name__ == "__main__":
    sys.exit(main())
