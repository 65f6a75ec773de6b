"""What the engine and the machine count around a run: tokens, processor time, energy."""

import time
from collections.abc import Sequence
from dataclasses import dataclass

from inferometer.errors import LedgerError
from inferometer.loop.drafting import Drafts, drafts_between, drafts_of
from inferometer.loop.processor import is_local, pid_behind, processor_seconds
from inferometer.meter.exposition import Sample, fetch, samples
from inferometer.meter.power import Counters, between, counters
from inferometer.meter.scrape import Counted, counted
from inferometer.units import Joules, Seconds, Watts


@dataclass(frozen=True, slots=True, kw_only=True)
class Reading:
    """Counters at one instant.

    Attributes:
        at: Monotonic seconds.
        engine: The engine's own counts; None if it shows none.
        processor: Processor time of the engine's process; None if unknown.
        energy: Energy counters of the engine's machine; none where that is not this one.
        drafts: The engine's counts of its drafts; None if it shows none.
    """

    at: Seconds
    engine: Counted | None
    processor: Seconds | None
    energy: Counters
    drafts: Drafts | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Spent:
    """What a run took, between two readings.

    Attributes:
        span: Wall time.
        processor: Processor time of the engine; None if unknown.
        prompt_tokens: Prompt tokens that the engine computed, by its own count; None if unknown.
        generated_tokens: Tokens that it generated, likewise.
        joules: Energy; None where it is neither counted nor can be modelled.
        energy_label: "nvml" or "rapl" (measured), "modelled" (processor time x declared watts), or
            "not measured".
        drafts: What the engine drafted; None if unknown.
    """

    span: Seconds
    processor: Seconds | None
    prompt_tokens: float | None
    generated_tokens: float | None
    joules: Joules | None
    energy_label: str
    drafts: Drafts | None = None


UNCOUNTED = Counters("declared")
"""Of another machine, whose counters are not ours."""

NOT_MEASURED = "not measured"
MODELLED = "modelled"


def read(engine_url: str) -> Reading:
    """Return what can be read of the engine at an address, and of this machine if it runs here.

    Who shows no engine's counts there may be a gateway: its processor time is not the engine's.
    """
    shown = _shown(engine_url)
    engine = _counted(shown)
    pid = None if engine is None else pid_behind(engine_url)
    return Reading(
        at=time.monotonic(),
        engine=engine,
        processor=None if pid is None else processor_seconds(pid),
        energy=counters() if is_local(engine_url) else UNCOUNTED,
        drafts=drafts_of(shown),
    )


def _shown(url: str) -> Sequence[Sample]:
    """Return the engine's page of metrics; nothing if it shows none."""
    try:
        return tuple(samples(fetch(f"{url.rstrip('/')}/metrics")))
    except LedgerError:
        return ()


def _counted(shown: Sequence[Sample]) -> Counted | None:
    try:
        by_model = counted(shown, "")
    except LedgerError:
        return None
    return Counted(
        prompt=sum(one.prompt for one in by_model.values()),
        cached=sum(one.cached for one in by_model.values()),
        generated=sum(one.generated for one in by_model.values()),
    )


def spent(first: Reading, last: Reading, watts: Watts | None) -> Spent:
    """Return what happened between two readings.

    Args:
        first: Before.
        last: After.
        watts: Declared draw of one busy core, for machines that count no energy; None for none.
    """
    processor = _difference(first.processor, last.processor)
    joules, label = _energy(first, last, processor, watts)
    return Spent(
        span=last.at - first.at,
        processor=processor,
        prompt_tokens=_grown(first, last, "prompt"),
        generated_tokens=_grown(first, last, "generated"),
        joules=joules,
        energy_label=label,
        drafts=drafts_between(first.drafts, last.drafts),
    )


def _energy(
    first: Reading, last: Reading, processor: Seconds | None, watts: Watts | None
) -> tuple[Joules | None, str]:
    measured = between(first.energy, last.energy)
    if measured is not None:
        return measured / 1e6, first.energy.label
    if processor is None or watts is None:
        return None, NOT_MEASURED
    return processor * watts, MODELLED


def _grown(first: Reading, last: Reading, name: str) -> float | None:
    """Return the growth of a counter; None after a restart, which begins it anew."""
    if first.engine is None or last.engine is None:
        return None
    return _difference(getattr(first.engine, name), getattr(last.engine, name))


def _difference(first: float | None, last: float | None) -> float | None:
    if first is None or last is None or last < first:
        return None
    return last - first
