"""A trace made from a spec and a seed; the same seed gives the same bytes."""

import math
import zlib
from functools import partial

import numpy as np

from inferometer.catalog.tables import diurnal_profile
from inferometer.errors import WorkloadError
from inferometer.workload.agent_runs import (
    calls_of,
    chosen_hashes,
    graph_of,
    hashes,
    longest,
    mean_calls,
    prompts,
    timing,
)
from inferometer.workload.agent_spec import AgentsSpec
from inferometer.workload.arrivals import arrivals, unit_gaps
from inferometer.workload.sampling import draw, thoughts
from inferometer.workload.seed import checked
from inferometer.workload.spec import PrefixSpec, WorkloadSpec
from inferometer.workload.trace import Floats, Ints, Prefixes, Trace

MOST = 50_000_000
"""Requests beyond which a spec is taken for a slip."""


def generator(seed: int, subsystem: str) -> np.random.Generator:
    """Return the subsystem's own source of chance, which no other subsystem disturbs."""
    return np.random.default_rng([seed, zlib.crc32(subsystem.encode())])


def synthesise(spec: WorkloadSpec, *, seed: int = 0) -> Trace:
    """Return a trace as the spec wants it.

    Sessions and tasks begin before time 0, so that the rate is steady from the start; what falls
    outside the duration is cut off.

    Raises:
        WorkloadError: over `MOST` requests, none at all, or lengths that are no distribution.
        CatalogError: unknown profile.
    """
    span = spec.duration if spec.duration is not None else (spec.requests or 0) / spec.rate
    checked(seed)
    if span * spec.rate > MOST:
        raise WorkloadError(f"workload: {span * spec.rate:.3g} requests; {MOST:,} are the most")
    reach = span if spec.duration else _ample(spec, span)
    if spec.agents is not None:
        return _agents(spec, spec.agents, span, reach, seed)
    session, when = _turns(spec, reach, seed)
    own, outputs, thought = _said(spec, len(when), seed)
    inputs, shared = _prompts(spec, session, own, outputs - thought, seed)
    order = _chosen(spec, when, span)
    return Trace(
        arrival=when[order] - when[order[0]],
        input_tokens=inputs[order],
        output_tokens=outputs[order],
        session=session[order] if spec.sessions else None,
        tenant=_tenants(spec, session, seed)[order] if spec.tenants else None,
        prefixes=_prefixes(spec.prefix, session, inputs, shared, order) if spec.prefix else None,
        name=spec.name,
    )


def _agents(spec: WorkloadSpec, agents: AgentsSpec, span: float, reach: float, seed: int) -> Trace:
    """Return a trace of agents' calls, at the times of service that takes none."""
    chance, each = partial(generator, seed), mean_calls(agents, spec.effort)
    ample = span + 2 * math.sqrt(each) * (reach - span)  # their number varies as that of tasks does
    starts = _starts(spec, each, longest(agents, spec.effort), ample, seed)
    graph = graph_of(agents, spec.effort, len(starts), chance)
    task, times = np.array(graph.task, np.int64), timing(graph, starts, agents, chance)
    own, outputs, thought = _said(spec, len(task), seed)
    prefix = spec.prefix or PrefixSpec()
    shared = np.where(_with_prefix(prefix, task, seed), prefix.tokens, 0)
    inputs, cut = prompts(graph, agents, own, outputs - thought, shared, chance)
    order = _chosen(spec, times.when, span)
    block = prefix.block_size
    wanted = np.isin(task, task[order])
    every = hashes(graph, inputs, cut, shared, wanted, agents.reuse, block) if spec.prefix else []
    return Trace(
        arrival=times.when[order] - times.when[order[0]],
        input_tokens=inputs[order],
        output_tokens=outputs[order],
        session=task[order],
        tenant=_tenants(spec, task, seed)[order] if spec.tenants else None,
        prefixes=chosen_hashes(every, order, block) if every else None,
        calls=calls_of(graph, times, order),
        name=spec.name,
    )


def _said(spec: WorkloadSpec, size: int, seed: int) -> tuple[Ints, Ints, Ints]:
    """Return new prompt tokens, output tokens, and how many of these are thought [size]."""
    own, outputs = draw(spec.lengths, size, generator(seed, "lengths"))
    if spec.effort.output != 1:
        outputs = np.maximum(np.rint(outputs * spec.effort.output).astype(np.int64), 1)
    return own, outputs, thoughts(spec.lengths, outputs, generator(seed, "thoughts"))


def _chosen(spec: WorkloadSpec, when: Floats, span: float) -> Ints:
    """Return the requests that fall into the span, in order of time.

    Raises:
        WorkloadError: none, or fewer than wanted.
    """
    inside = np.flatnonzero((when >= 0) & (when < (span if spec.duration else math.inf)))
    order = inside[np.argsort(when[inside], kind="stable")][: spec.requests]
    if not len(order) or (spec.requests and len(order) < spec.requests):
        raise WorkloadError("workload: too few requests fall into the span; raise rate or duration")
    return order


def _ample(spec: WorkloadSpec, span: float) -> float:
    """Return a span into which more than the wanted requests fall; a day more for a quiet night."""
    spare = 10 * (1 + spec.cv) * math.sqrt(spec.requests or 0) + 100
    return span + spare / spec.rate + (86400.0 if spec.diurnal or spec.hourly else 0.0)


def _turns(spec: WorkloadSpec, span: float, seed: int) -> tuple[Ints, Floats]:
    """Return session and time of each request, sessions one after another."""
    turns = spec.sessions.turns if spec.sessions else 1.0
    think = spec.sessions.think if spec.sessions else 0.0
    starts = _starts(spec, turns, 10 * (turns - 1) * think, span, seed)  # e^-10 last longer
    chance = generator(seed, "sessions")
    count = chance.geometric(1 / turns, len(starts))
    session = np.repeat(np.arange(len(starts)), count)
    first = np.cumsum(count) - count
    turn = np.arange(len(session)) - first[session]
    pauses = np.where(turn > 0, chance.exponential(think, len(session)), 0.0)
    return session, starts[session] + _sum_within(pauses, session)


def _starts(spec: WorkloadSpec, each: float, warm: float, span: float, seed: int) -> Floats:
    """Return when sessions or tasks of `each` requests begin, from `warm` s before time 0 on.

    Raises:
        WorkloadError: over `MOST` of them.
    """
    rate = spec.rate / each
    expected = (span + warm) * rate
    if expected > MOST:
        raise WorkloadError(
            f"workload: {expected:.3g} sessions or tasks begin within {span + warm:.3g} s, so long "
            f"as they take; {MOST:,} are the most: think or tools for less time"
        )
    size = math.ceil(expected + (10 * spec.cv + 10) * math.sqrt(expected) + 100)
    gaps = unit_gaps(spec.arrivals, spec.cv, size, generator(seed, "arrivals"))
    hourly = diurnal_profile(spec.diurnal).hourly if spec.diurnal else spec.hourly
    starts = arrivals(gaps, rate, hourly, -warm, span)
    return starts[starts < span]


def _sum_within(values: np.ndarray, session: Ints) -> np.ndarray:
    """Return the running sum within each session, the value itself included."""
    total = np.cumsum(values)
    first = np.searchsorted(session, session)
    return total - (total[first] - values[first])


def _prompts(
    spec: WorkloadSpec, session: Ints, own: Ints, answers: Ints, seed: int
) -> tuple[Ints, np.ndarray]:
    """Return prompt lengths, with system prompt and all turns before, and who has the prompt."""
    prefix = spec.prefix or PrefixSpec()
    shared = _with_prefix(prefix, session, seed)
    said = _sum_within(own + answers, session) - answers
    return said + np.where(shared, prefix.tokens, 0), shared


def _with_prefix(prefix: PrefixSpec, session: Ints, seed: int) -> np.ndarray:
    """Return whether the session of each request begins with the shared prefix."""
    chance = generator(seed, "prefix")
    return chance.random(int(session.max(initial=-1)) + 1)[session] < prefix.share


def _prefixes(
    prefix: PrefixSpec, session: Ints, inputs: Ints, shared: np.ndarray, order: Ints
) -> Prefixes:
    """Return hashes of full blocks: the system prompt's are shared, the rest its session's."""
    common, blocks = prefix.tokens // prefix.block_size, inputs // prefix.block_size
    longest = np.zeros(int(session.max()) + 1, np.int64)
    np.maximum.at(longest, session, blocks)
    base = common + np.cumsum(longest) - longest
    count = blocks[order]
    offsets = np.concatenate(([0], np.cumsum(count)))
    owner = np.repeat(order, count)
    place = np.arange(offsets[-1]) - np.repeat(offsets[:-1], count)
    hashes = np.where(shared[owner] & (place < common), place, base[session[owner]] + place)
    return Prefixes(hashes=hashes, offsets=offsets, block_size=prefix.block_size)


def _tenants(spec: WorkloadSpec, session: Ints, seed: int) -> np.ndarray:
    names, shares = np.array(list(spec.tenants)), np.array(list(spec.tenants.values()))
    pick = generator(seed, "tenants").choice(
        len(names), int(session.max()) + 1, p=shares / shares.sum()
    )
    return names[pick][session]
