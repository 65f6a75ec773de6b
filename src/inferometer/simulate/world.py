"""The world of one run, made from a workload and what serves it."""

import dataclasses
from collections.abc import Sequence
from typing import Any

import numpy as np

from inferometer.candidates import one
from inferometer.catalog.efficiency import Efficiencies
from inferometer.deployment import Deployment
from inferometer.errors import InfeasibleError, ScenarioError, WorkloadError
from inferometer.perf.memory import memory
from inferometer.perf.roofline import Machine, compile_candidates
from inferometer.perf.sharding import buildable
from inferometer.perf.steady import step_yield
from inferometer.simulate.coefficients import StepCoefficients
from inferometer.simulate.edges import Edges, edges_of
from inferometer.simulate.groups import groups_of, members
from inferometer.simulate.limits import Limits
from inferometer.simulate.paging import paging
from inferometer.simulate.play import Play
from inferometer.simulate.prefix import ABSENT
from inferometer.simulate.serving import NOTHING, Serving, prefill_lanes, priorities
from inferometer.simulate.state import (
    COUNTERS,
    NEVER,
    WHOLE,
    Lane,
    Request,
    World,
    dtype,
    empty_lane,
    empty_lists,
)
from inferometer.simulate.tally import BUCKETS
from inferometer.workload.trace import Ints, Trace

SAMPLES = 200
"""Samples of the series where none is asked for."""


def machine_of(deployment: Deployment, efficiencies: Efficiencies) -> Machine:
    """Return one deployment compiled for its step time.

    Raises:
        InfeasibleError: the layout cannot be built, or the weights do not fit.
    """
    machine = compile_candidates(one(deployment), efficiencies)
    fits = buildable(machine.candidates)[0]
    if not (fits and memory(machine.candidates, machine.shard).kv[0] > 0):
        raise InfeasibleError(
            f"{deployment}: weights leave no memory for a KV cache, or the layout cannot be built; "
            "take more ranks, a larger accelerator or a smaller format"
        )
    return machine


def limits_of(
    deployment: Deployment,
    machine: Machine,
    play: Play,
    trace: Trace | None = None,
    serving: Serving = NOTHING,
) -> Limits:
    """Return what the engine's schedule obeys on one lane.

    Raises:
        ScenarioError: a step budget below the sequences, a model without KV.
    """
    settings, stages = deployment.settings, deployment.parallelism.pipeline
    sequences, product = max(1, settings.max_num_seqs // stages), step_yield(machine)
    if settings.max_batched_tokens < sequences * product.queries:
        raise ScenarioError(
            f"max_batched_tokens is {settings.max_batched_tokens}, below the "
            f"{sequences * product.queries:.0f} tokens of the sequences that may decode at once; "
            "raise it, or lower max_num_seqs"
        )
    paged = paging(deployment, machine, serving)
    return Limits(
        budget=settings.max_batched_tokens,
        sequences=sequences,
        blocks=paged.pages,
        block=settings.engine.block_size,
        full=paged.full,
        page=paged.full + int(paged.windows.sum()),
        hashed=trace.prefixes.block_size
        if trace and trace.prefixes
        else settings.engine.block_size,
        hosted=paged.hosted,
        overhead=paged.overhead,
        longest=play.longest or deployment.model.max_context or 2**31,
        chunked=int(settings.engine.chunked_prefill and not serving.static),
        static=int(serving.static),
        queries=int(product.queries),
        stride=round(product.tokens * WHOLE),
        prefillers=prefill_lanes(serving, deployment),
    )


def columns_of(
    trace: Trace, play: Play, edges: Edges, random: np.random.Generator, start: float
) -> dict[str, Any]:
    """Return what `Request` starts with, as columns or as one value for all [request].

    Args:
        trace: The requests.
        play: How they are played.
        edges: What waits for what.
        random: Where the requests' coins come from.
        start: When the first request of the run comes, in the time of the trace, s.
    """
    size = len(trace)
    columns: dict[str, Any] = {field.name: 0 for field in dataclasses.fields(Request)}
    columns |= {"lane": -1, "follower": -1, "session": -1}
    columns |= {"admitted": -1.0, "first_token": -1.0, "finished": -1.0, "last_token": -1.0}
    columns["prompt"] = np.maximum(trace.input_tokens, 1)
    columns["output"] = np.maximum(trace.output_tokens, 1)
    columns["draw"] = random.random(size)
    if trace.session is not None:
        columns["session"] = trace.session
    if trace.prepared is not None:
        columns["prepared"] = trace.prepared
    if trace.calls is not None and not play.timestamps:
        columns["earliest"] = trace.calls.earliest
    columns["pending"] = np.bincount(edges.after, minlength=size)[:size]
    opened = np.zeros(size) if play.clients > 0 else trace.arrival - start
    columns["asked"] = np.where(columns["pending"] > 0, NEVER, opened)
    columns["arrival"] = columns["asked"] + columns["prepared"]
    return columns


def coins(play: Play) -> np.random.Generator:
    """Return where the requests' coins come from, in order of the trace."""
    return np.random.default_rng([play.seed, 1])


def requests_of(columns: dict[str, Any], size: int, *, compiled: bool) -> Any:
    """Return all requests, as rows of an array or as a list of records."""
    rows = np.zeros(size, dtype(Request))
    for name, values in columns.items():
        rows[name] = values
    return rows if compiled else [Request(*row) for row in rows.tolist()]


def lanes_at_rest(count: int, *, compiled: bool) -> Any:
    """Return idle lanes, as rows of an array or as a list of records."""
    if not compiled:
        return [empty_lane() for _ in range(count)]
    one_lane = tuple(getattr(empty_lane(), field.name) for field in dataclasses.fields(Lane))
    return np.array([one_lane] * count, dtype(Lane))


def world_of(
    trace: Trace,
    play: Play,
    limits: Sequence[Limits],
    step: StepCoefficients,
    *,
    prefix_caching: bool,
    serving: Serving,
    compiled: bool,
) -> World:
    """Return the world in which `trace` is played, at its start.

    Args:
        trace: The workload.
        play: How it is played.
        limits: Engine limits of each lane [lane].
        step: Step time of the first lane.
        prefix_caching: Whether equal prefixes are computed once.
        serving: Which requests yield to others.
        compiled: Whether lanes and requests are arrays.

    Raises:
        ScenarioError: settings that no engine would accept.
    """
    size, count, reaches = len(trace), len(limits), len(step.reaches)
    sequences, block = (
        max(getattr(one, name) for one in limits) for name in ("sequences", "block")
    )
    edges = edges_of(trace, play)
    left = np.bincount(edges.after, minlength=size)[size:]  # requests of each task
    again = len(edges.after) > 0 or play.gateway.retries > 0 or limits[0].prefillers > 0
    hashes, starts = _hashes(trace, caching=prefix_caching)
    known = int(hashes.max(initial=-1)) + 1
    ends = np.tile(empty_lists(known + 2), (count, 1))
    columns = columns_of(trace, play, edges, coins(play), float(trace.arrival[0]))
    groups = groups_of(trace, serving)
    columns["priority"] = priorities(serving, trace)
    columns["group"] = members(groups, trace, columns["priority"])
    return World(
        lanes=lanes_at_rest(count, compiled=compiled),
        requests=requests_of(columns, size, compiled=compiled),
        heap=np.zeros((count, sequences), np.int64),
        keys=np.zeros((count, sequences), np.int64),
        residues=np.zeros((count, block), np.int64),
        ready=np.zeros((count, sequences), np.int64),
        growing=np.zeros((count, reaches, 3), np.int64),
        visible=np.zeros((count, reaches)),
        gaps=np.zeros((len(groups), BUCKETS), np.int64),
        members=np.zeros((count, len(groups)), np.int64),
        loads=np.zeros(count, np.int64),
        released=np.zeros(size if again else 1, np.int64),
        due=np.zeros(size if again else 1),
        counters=np.concatenate([np.zeros(COUNTERS, np.int64), left]),
        children=edges.after,
        offsets=np.searchsorted(edges.before, np.arange(size + len(left) + 1)),
        delays=edges.delay,
        triggers=edges.trigger,
        hashes=hashes,
        starts=starts,
        references=np.full((count, known), ABSENT, np.int32),
        sizes=np.zeros((count, known), np.int32),
        older=ends,
        newer=ends.copy(),
        series=np.zeros((10 * SAMPLES, 3)),
        interval=play.interval or max(trace.span, 1.0) / SAMPLES,
        mixed=step,
        step=step,
        limits=limits[0],
    )


def _hashes(trace: Trace, *, caching: bool) -> tuple[Ints, Ints]:
    """Return hashes numbered from 0, apart for each tenant, and where each request's begin.

    Raises:
        WorkloadError: more hashes than a prompt has blocks.
    """
    size, prefixes = len(trace), trace.prefixes
    if prefixes is None or not caching:
        return np.zeros(0, np.int64), np.zeros(size + 1, np.int64)
    count = np.diff(prefixes.offsets)
    over = count > -(-trace.input_tokens // prefixes.block_size)
    if over.any():
        row = int(over.argmax())
        raise WorkloadError(
            f"{trace.name or 'trace'}: request {row} has {count[row]} hashes, but its "
            f"{trace.input_tokens[row]} prompt tokens make fewer blocks of {prefixes.block_size}"
        )
    numbered = np.unique(prefixes.hashes, return_inverse=True)[1]
    if trace.tenant is not None:
        tenant = np.unique(trace.tenant, return_inverse=True)[1]
        salted = np.repeat(tenant, count) * (int(numbered.max(initial=0)) + 1) + numbered
        numbered = np.unique(salted, return_inverse=True)[1]
    return numbered.astype(np.int64), prefixes.offsets


def column(requests: Sequence[Request] | Any, name: str) -> Any:
    """Return one field of all requests [request]."""
    if isinstance(requests, np.ndarray):
        return requests[name]
    return np.array([getattr(request, name) for request in requests])
