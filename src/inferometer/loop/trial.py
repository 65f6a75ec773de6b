"""Running the engine with a setting for as long as something is asked of it."""

import subprocess
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

from inferometer.errors import EngineError
from inferometer.loop.bench import Load, bench
from inferometer.loop.client import Endpoint
from inferometer.loop.drafting import Drafting, drafting
from inferometer.loop.jobs import Job
from inferometer.loop.local import described, swept
from inferometer.loop.machine import Machine
from inferometer.loop.quality import Position, positions
from inferometer.loop.service import Service, tail
from inferometer.loop.setting import Setting
from inferometer.loop.stack import ALIAS, StackSpec, up
from inferometer.loop.summary import Summary
from inferometer.loop.supervise import Say
from inferometer.loop.sweep import Sizes, Turn
from inferometer.loop.variants import weights_file
from inferometer.workload.trace import Trace


@dataclass(frozen=True, slots=True, kw_only=True)
class Bed:
    """Where trials run.

    Attributes:
        shipped: GGUF file as shipped.
        machine: This machine.
        folder: For logs and overlays.
        say: Told what is under way.
    """

    shipped: Path
    machine: Machine
    folder: Path
    say: Say

    def file(self, setting: Setting) -> Path:
        """Return the weights of a setting."""
        return weights_file(setting.weights, self.shipped, self.say)


@contextmanager
def engine(bed: Bed, setting: Setting) -> Iterator[Endpoint]:
    """Run the engine alone with a setting.

    Raises:
        EngineError: it does not start, or it died while it was used.
    """
    spec = StackSpec(setting=setting, model=str(bed.file(setting)), port=None)
    with up(spec, say=_quiet, folder=bed.folder) as stack:
        try:
            yield Endpoint(url=stack.engines[0], model=ALIAS)
        except EngineError as error:
            raise EngineError(f"{setting}: {error}{_end(stack.services[0])}") from error
        if not stack.services[0].running:
            raise EngineError(f"{setting}: the engine died under load{_end(stack.services[0])}")


MOMENT = 1.0
"""Seconds that a process may take from closed sockets to its end."""


def _quiet(text: str) -> None:
    del text


def _end(service: Service) -> str:
    """Return how the engine's process ended, if it did: its sockets close a moment before."""
    process = service.process
    if process is None:
        return ""
    try:
        process.wait(MOMENT)
    except subprocess.TimeoutExpired:
        return ""
    return f"; its process ended with {process.returncode}\n{tail(service)}".rstrip()


def qualities(bed: Bed, setting: Setting, text: str, count: int) -> Sequence[Position]:
    """Return what a setting expects of a text; slots and drafts do not matter to it."""
    with engine(bed, replace(setting, slots=1, draft=0)) as endpoint:
        return positions(endpoint.url, text, count)


def probed(bed: Bed, setting: Setting, like: Trace, sizes: Sizes, number: int) -> Turn:
    """Return one turn of a sweep of a fresh engine."""
    with engine(bed, setting) as endpoint:
        return swept(endpoint, setting, like, sizes=sizes, number=number, say=bed.say)


def overlay(bed: Bed, setting: Setting, turns: Sequence[Turn]) -> Path:
    """Return the overlay that the sweep of a setting gives."""
    path = Path(tempfile.mkdtemp(dir=bed.folder)) / "here.toml"
    described(turns, bed.file(setting), setting, path, bed.machine)
    return path


def drafted(bed: Bed, setting: Setting, jobs: Sequence[Job]) -> Drafting | None:
    """Return what drafts do to requests like `jobs`; None if the engine finds nothing to draft.

    Raises:
        EngineError: requests fail, or the engine does not count its drafts.
    """
    with engine(bed, setting) as endpoint:
        found = bench(endpoint, jobs, Load(clients=setting.slots))
    counted, good = found.spent.drafts, found.run.good
    if counted is None or not good:
        raise EngineError(f"{setting}: the engine shows no counts of its drafts")
    tokens = sum(shot.output_tokens - 1 for shot in good)
    bed.say(
        f"drafts of {setting}: {counted.proposed:.0f} tokens proposed, {sum(counted.accepted):.0f} "
        f"accepted, {tokens} generated"
    )
    return drafting(counted, longest=setting.draft, tokens=max(tokens, 1))


def measured(bed: Bed, setting: Setting, jobs: Sequence[Job]) -> Summary:
    """Return a fresh run of `jobs` with as many clients as the setting has slots."""
    watts = bed.machine.draw / bed.machine.cores
    with engine(bed, setting) as endpoint:
        found = bench(endpoint, jobs, Load(clients=setting.slots, watts=watts))
    if found.summary.failed:
        first = next(shot.error for shot in found.run.shots if shot.error)
        raise EngineError(f"{setting}: {found.summary.failed} requests failed: {first}")
    return found.summary
