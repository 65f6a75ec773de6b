"""The world of one run, made from a workload and a deployment."""

import dataclasses
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from inferometer.candidates import one
from inferometer.catalog.efficiency import Efficiencies
from inferometer.deployment import Deployment
from inferometer.errors import InfeasibleError, ScenarioError, WorkloadError
from inferometer.perf.memory import memory
from inferometer.perf.roofline import Machine, compile_candidates
from inferometer.perf.sharding import buildable
from inferometer.simulate.coefficients import coefficients
from inferometer.simulate.prefix import ABSENT
from inferometer.simulate.router import ROUTERS
from inferometer.simulate.state import NEVER, Lane, Limits, Request, World, dtype, empty_lane
from inferometer.simulate.tally import BUCKETS
from inferometer.units import Duration
from inferometer.workload.trace import Ints, Trace


@dataclass(frozen=True, slots=True, kw_only=True)
class Play:
    """How a workload is played to a fleet.

    Attributes:
        router: Name of a router of `router.ROUTERS`.
        seed: Of everything that is random: the routers' coins.
        clients: Closed loop of so many clients, each sending its next request when one ends; 0
            plays the arrivals of the trace.
        think: Closed sessions: time between the end of a session's request and its next; None
            plays the arrivals of the trace.
        horizon: When the clock stops, s after the first arrival.
        interval: Time between two samples of the series; 0 takes a 200th of the trace.
        longest: Prompt and output tokens of one request, at most; 0 takes the model's context.
    """

    router: str = "least-loaded"
    seed: int = 0
    clients: int = 0
    think: Duration | None = None
    horizon: Duration = NEVER
    interval: Duration = 0.0
    longest: int = 0

    def __post_init__(self) -> None:
        if self.router not in ROUTERS:
            raise ScenarioError(f"router {self.router!r} is unknown; known: {', '.join(ROUTERS)}")
        for name in ("clients", "interval", "horizon", "longest"):
            if not getattr(self, name) >= 0:
                raise ScenarioError(f"{name} is {getattr(self, name)}; at least 0 is wanted")
        if self.think is not None and not 0 <= self.think < NEVER:
            raise ScenarioError(f"think time is {self.think}; a time of at least 0 s is wanted")


SAMPLES = 200
"""Samples of the series where none is asked for."""


def machine_of(deployment: Deployment, efficiencies: Efficiencies) -> Machine:
    """Return one deployment compiled for its step time.

    Raises:
        ScenarioError: it speculates, which the loop does not play.
        InfeasibleError: the layout cannot be built, or the weights do not fit.
    """
    if deployment.speculation is not None:
        raise ScenarioError("speculation: simulate plays none yet; use predict")
    machine = compile_candidates(one(deployment), efficiencies)
    fits = buildable(machine.candidates)[0]
    if not (fits and memory(machine.candidates, machine.shard).kv[0] > 0):
        raise InfeasibleError(
            f"{deployment}: weights leave no memory for a KV cache, or the layout cannot be built; "
            "take more ranks, a larger accelerator or a smaller format"
        )
    return machine


def limits_of(deployment: Deployment, machine: Machine, play: Play) -> Limits:
    """Return what the engine's schedule obeys on one lane.

    Raises:
        ScenarioError: a step budget below the sequences, a model without KV.
    """
    settings, stages = deployment.settings, deployment.parallelism.pipeline
    sequences = max(1, settings.max_num_seqs // stages)
    if settings.max_batched_tokens < sequences:
        raise ScenarioError(
            f"max_batched_tokens is {settings.max_batched_tokens}, below the {sequences} sequences "
            "that may decode at once; raise it, or lower max_num_seqs"
        )
    block_bytes = _block_bytes(deployment, machine)
    kv = float(memory(machine.candidates, machine.shard).kv[0]) / stages
    state = float(np.max(machine.shard.state_bytes)) / stages
    return Limits(
        budget=settings.max_batched_tokens,
        sequences=sequences,
        blocks=int(kv // block_bytes),
        block=settings.engine.block_size,
        hashed=settings.engine.block_size,
        overhead=int(np.ceil(state / block_bytes)),
        longest=play.longest or deployment.model.max_context or 2**31,
        chunked=int(settings.engine.chunked_prefill),
        router=list(ROUTERS).index(play.router),
        clients=play.clients,
    )


def _block_bytes(deployment: Deployment, machine: Machine) -> float:
    per_token = float(machine.shard.kv_bytes.sum()) / deployment.parallelism.pipeline
    if per_token <= 0:
        raise ScenarioError(f"{deployment.model.key}: no layer keeps a KV cache; use predict")
    return per_token * deployment.settings.engine.block_size


def lanes_of(deployment: Deployment) -> int:
    """Return the lanes of all replicas: data-parallel ranks times pipeline micro-batches."""
    layout = deployment.parallelism
    return deployment.replicas * layout.data * layout.pipeline


def columns_of(trace: Trace, play: Play) -> dict[str, Any]:
    """Return what `Request` starts with, as columns or as one value for all [request]."""
    size = len(trace)
    columns: dict[str, Any] = {field.name: 0 for field in dataclasses.fields(Request)}
    columns |= {"lane": -1, "follower": -1, "session": -1}
    columns |= {"admitted": -1.0, "first_token": -1.0, "finished": -1.0, "last_token": -1.0}
    columns["arrival"] = trace.arrival - trace.arrival[0]
    columns["prompt"] = np.maximum(trace.input_tokens, 1)
    columns["output"] = np.maximum(trace.output_tokens, 1)
    columns["draw"] = np.random.default_rng([play.seed, 1]).random(size)
    if trace.session is not None:
        columns["session"] = trace.session
    if play.clients > 0:
        columns["arrival"] = 0.0
    return columns


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
    trace: Trace, deployment: Deployment, machine: Machine, play: Play, *, compiled: bool
) -> World:
    """Return the world in which `trace` is played to `deployment`, at its start.

    Raises:
        ScenarioError: settings that no engine would accept.
    """
    limits = limits_of(deployment, machine, play)
    step = coefficients(machine, limits.budget)
    size, count, reaches = len(trace), lanes_of(deployment), len(step.reaches)
    interval = play.interval or max(trace.span, 1.0) / SAMPLES
    after = followers(trace, play)
    children = after[after >= 0]
    hashes, starts = _hashes(trace, caching=deployment.settings.prefix_caching)
    if trace.prefixes is not None:
        limits = limits._replace(hashed=trace.prefixes.block_size)
    known = int(hashes.max(initial=-1)) + 1
    ends = np.full((count, known + 1), known, np.int32)
    columns = columns_of(trace, play)
    columns["pending"] = np.bincount(children, minlength=size)
    columns["delay"] = play.think or 0.0
    columns["arrival"] = np.where(columns["pending"] > 0, NEVER, columns["arrival"])
    return World(
        lanes=lanes_at_rest(count, compiled=compiled),
        requests=requests_of(columns, size, compiled=compiled),
        heap=np.zeros((count, limits.sequences), np.int64),
        keys=np.zeros((count, limits.sequences), np.int64),
        residues=np.zeros((count, limits.block), np.int64),
        ready=np.zeros((count, limits.sequences), np.int64),
        growing=np.zeros((count, reaches, 3), np.int64),
        visible=np.zeros((count, reaches)),
        gaps=np.zeros(BUCKETS, np.int64),
        loads=np.zeros(count, np.int64),
        released=np.zeros(size if len(children) else 1, np.int64),
        due=np.zeros(size if len(children) else 1),
        counters=np.zeros(3, np.int64),
        children=children,
        offsets=np.concatenate([[0], np.cumsum(after >= 0)]),
        hashes=hashes,
        starts=starts,
        references=np.full((count, known), ABSENT, np.int32),
        sizes=np.zeros((count, known), np.int32),
        older=ends,
        newer=ends.copy(),
        matches=np.zeros(count, np.int64),
        series=np.zeros((10 * SAMPLES, 3)),
        interval=interval,
        step=step,
        limits=limits,
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


def followers(trace: Trace, play: Play) -> Ints:
    """Return the request that waits for each one's end, -1 for none [request].

    Of a closed loop the request `clients` places later, of closed sessions the session's next.

    Raises:
        ScenarioError: closed sessions of a trace that names none, or both kinds of loop.
    """
    size = len(trace)
    after = np.full(size, -1)
    if play.clients > 0:
        after[: max(size - play.clients, 0)] = np.arange(play.clients, size)
    if play.think is None:
        return after
    if trace.session is None or play.clients > 0:
        raise ScenarioError("think time: a trace with sessions is wanted, and no closed loop")
    order = np.argsort(trace.session, kind="stable")
    same = np.diff(trace.session[order]) == 0
    after[order[:-1][same]] = order[1:][same]
    return after


def opening(requests: Any) -> Ints:
    """Return the requests without predecessors, by arrival."""
    if isinstance(requests, np.ndarray):
        free, arrival = requests["pending"] == 0, requests["arrival"]
    else:
        free = np.array([request.pending == 0 for request in requests])
        arrival = np.array([request.arrival for request in requests])
    chosen = np.flatnonzero(free)
    return chosen[np.argsort(arrival[chosen], kind="stable")]


def column(requests: Sequence[Request] | Any, name: str) -> Any:
    """Return one field of all requests [request]."""
    if isinstance(requests, np.ndarray):
        return requests[name]
    return np.array([getattr(request, name) for request in requests])
