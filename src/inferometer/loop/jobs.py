"""From a trace to the requests that a small machine can be sent: thinned, stretched, shortened.

Requests of one length would run in step with each other, which real ones do not: where more than
`TAIL` of the lengths are beyond the bound, all are scaled down and only the tail is cut.
"""

import math
from dataclasses import dataclass, replace

import numpy as np

from inferometer.errors import ScenarioError
from inferometer.loop.words import prompt_words
from inferometer.units import Seconds
from inferometer.workload.synthesis import generator
from inferometer.workload.trace import Prefixes, Trace

TAIL = 0.1
"""Share of the lengths that may be cut without scaling the others. Our own choice."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Job:
    """One request to send.

    Attributes:
        at: When it is due, from the start of the run.
        prompt: Its prompt.
        input_tokens: Wanted length of the prompt.
        output_tokens: Tokens to generate, exactly.
        session: Conversation it belongs to; -1 for none.
        tenant: Who sends it; "" where the trace names none.
    """

    at: Seconds
    prompt: str
    input_tokens: int
    output_tokens: int
    session: int = -1
    tenant: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Fitting:
    """How a trace was made to fit.

    Attributes:
        kept: Share of the requests considered that are kept.
        stretch: Factor by which time between them was stretched, beyond what thinning does.
        prompts_scaled: Factor on the lengths of prompts.
        outputs_scaled: Factor on those of outputs.
        prompts_cut: Prompts cut to the longest one allowed.
        outputs_cut: Outputs cut likewise.
        requests: Requests that are left.
    """

    kept: float
    stretch: float
    prompts_scaled: float
    outputs_scaled: float
    prompts_cut: int
    outputs_cut: int
    requests: int

    def __str__(self) -> str:
        return (
            f"{self.requests} requests, {self.kept:.3g} of the trace; time between them stretched "
            f"{self.stretch:.3g} x; prompts scaled {self.prompts_scaled:.3g} x and outputs "
            f"{self.outputs_scaled:.3g} x; then {self.prompts_cut} prompts and {self.outputs_cut} "
            "outputs cut"
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Bounds:
    """What requests may ask.

    Attributes:
        prompt: Longest prompt, tokens.
        output: Longest output, tokens.
    """

    prompt: int
    output: int

    def __post_init__(self) -> None:
        if self.prompt < 1 or self.output < 2:
            raise ScenarioError(
                f"longest prompt {self.prompt} and output {self.output}: at least 1 and 2 tokens "
                "are wanted, the gap between two tokens being what is measured"
            )


def fitted(
    trace: Trace, bounds: Bounds, *, requests: int, rate: float, seed: int, first: int = 0
) -> tuple[Trace, Fitting]:
    """Return `requests` of a trace, shortened to `bounds`, arriving at `rate` on average.

    Thinning keeps whole sessions where there are any, chosen by the seed; times keep their
    proportions.

    Args:
        trace: The requests.
        bounds: Longest prompt and output.
        requests: How many to keep at most; 0 for all.
        rate: Mean arrivals per second afterwards; 0 keeps the times of the trace.
        seed: Of the choice.
        first: Take them from so many at the start of the trace; 0 for all of it.
    """
    considered = first or len(trace)
    rows = _chosen(trace, considered, requests, seed)
    less_in = _scale(trace.input_tokens[:considered], bounds.prompt)
    less_out = _scale(trace.output_tokens[:considered], bounds.output)
    inputs = np.rint(trace.input_tokens[rows] * less_in).astype(np.int64)
    outputs = np.rint(trace.output_tokens[rows] * less_out).astype(np.int64)
    arrival = trace.arrival[rows] - trace.arrival[rows[0]]
    span = float(arrival[-1])
    wanted = (len(rows) - 1) / rate if rate > 0 else span
    stretch = wanted / span if span > 0 and wanted > 0 else 1.0
    if span == 0 and wanted > 0:
        arrival = np.arange(len(rows)) * (wanted / max(len(rows) - 1, 1))
    cut = replace(
        trace,
        arrival=arrival * stretch,
        input_tokens=np.clip(inputs, 1, bounds.prompt),
        output_tokens=np.clip(outputs, 2, bounds.output),
        session=None if trace.session is None else trace.session[rows],
        tenant=None if trace.tenant is None else trace.tenant[rows],
        prefixes=None if trace.prefixes is None else _prefixes_of(trace, rows, less_in),
        calls=None,
        prepared=None,
    )
    return cut, Fitting(
        kept=len(rows) / considered,
        stretch=stretch,
        prompts_scaled=less_in,
        outputs_scaled=less_out,
        prompts_cut=int((inputs > bounds.prompt).sum()),
        outputs_cut=int((outputs > bounds.output).sum()),
        requests=len(rows),
    )


def _scale(lengths: np.ndarray, longest: int) -> float:
    """Return the factor, 1 at most, that leaves no more than `TAIL` of the lengths too long."""
    return min(longest / max(float(np.quantile(lengths, 1 - TAIL)), 1.0), 1.0)


def _chosen(trace: Trace, considered: int, requests: int, seed: int) -> np.ndarray:
    """Return the rows that are kept of the first `considered`, in order."""
    if not requests or requests >= considered:
        return np.arange(considered)
    chance = generator(seed, "thinning")
    if trace.session is None:
        return np.sort(chance.choice(considered, requests, replace=False))
    sessions = trace.session[:considered]
    order = chance.permutation(np.unique(sessions))
    sizes = np.array([int((sessions == one).sum()) for one in order])
    kept = order[: max(int(np.searchsorted(sizes.cumsum(), requests, side="right")), 1)]
    return np.flatnonzero(np.isin(sessions, kept))


def _prefixes_of(trace: Trace, rows: np.ndarray, scale: float) -> Prefixes:
    """Return what the rows share; blocks shrink with the prompts, so that the shares stay."""
    found = trace.prefixes
    if found is None:
        raise TypeError("asked of a trace without prefixes")
    parts = [found.hashes[found.offsets[row] : found.offsets[row + 1]] for row in rows]
    offsets = np.concatenate(([0], np.cumsum([len(part) for part in parts])))
    size = max(math.ceil(found.block_size * scale), 1)
    return replace(found, hashes=np.concatenate(parts), offsets=offsets, block_size=size)


def jobs_of(trace: Trace, seed: int) -> list[Job]:
    """Return the requests of a trace with their prompts; O(tokens)."""
    return [
        Job(
            at=float(trace.arrival[row]),
            prompt=prompt_words(trace, row, int(trace.input_tokens[row]), seed),
            input_tokens=int(trace.input_tokens[row]),
            output_tokens=int(trace.output_tokens[row]),
            session=-1 if trace.session is None else int(trace.session[row]),
            tenant="" if trace.tenant is None else str(trace.tenant[row]),
        )
        for row in range(len(trace))
    ]
