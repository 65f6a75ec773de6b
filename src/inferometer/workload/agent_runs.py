"""Tasks of agents as graphs of calls: who waits for whom, with which prompt, by how many tools.

Times are those of service that takes no time; where a trace is played, calls wait for calls.
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from statistics import NormalDist

import numpy as np

from inferometer.workload.agent_spec import AgentsSpec, SubagentSpec
from inferometer.workload.effort import Effort
from inferometer.workload.marginal import Marginal
from inferometer.workload.sampling import lengths, lognormal
from inferometer.workload.trace import Calls, Flags, Floats, Ints, Prefixes

Chance = Callable[[str], np.random.Generator]
"""Returns a part's own source of chance, by name."""

STRATA = 2000
"""Equally likely tasks whose mean stands for the mean of all."""


@dataclass(slots=True, eq=False)
class Graph:
    """Calls in an order in which each comes after all that it waits for.

    Attributes:
        task: Task of each.
        parent: Call whose end it waits for first: its agent's last one, or, for the first of a
            sub-agent, the one that started it; -1 for a task's first.
        opens: Whether it is the first of an agent, whose context is empty but for the task.
        joins: Last calls of sub-agents, by the call that waits for them.
    """

    task: list[int] = field(default_factory=list[int])
    parent: list[int] = field(default_factory=list[int])
    opens: list[bool] = field(default_factory=list[bool])
    joins: dict[int, list[int]] = field(default_factory=dict[int, list[int]])

    def chain(self, task: int, parent: int, calls: int) -> int:
        """Add the calls of an agent, one after another; return the last."""
        for number in range(calls):
            self.task.append(task)
            self.parent.append(parent)
            self.opens.append(number == 0)
            parent = len(self.task) - 1
        return parent


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Timing:
    """When calls would come if service took no time.

    Attributes:
        when: The time of each [call] s.
        tool: Time of the tools before it [call] s; 0 for an agent's first.
    """

    when: Floats
    tool: Floats


def counts(p50: float, p99: float, size: int, random: np.random.Generator) -> Ints:
    """Return calls of so many agents, log-normal, rounded, 1 at least [size]."""
    return lengths(Marginal(p50=p50, p99=p99), random.standard_normal(size), "calls")


def mean_calls(spec: AgentsSpec, effort: Effort) -> float:
    """Return the mean calls of a task, those of its sub-agents included."""
    own = _mean(*_own(spec, effort))
    if spec.sub is None:
        return own
    each = _mean(spec.sub.calls_p50, spec.sub.calls_p99)
    return own + (own - 1) * spec.sub.share * spec.sub.width * each


def _mean(p50: float, p99: float) -> float:
    scores = [NormalDist().inv_cdf((place + 0.5) / STRATA) for place in range(STRATA)]
    return float(lengths(Marginal(p50=p50, p99=p99), np.array(scores), "calls").mean())


def longest(spec: AgentsSpec, effort: Effort) -> float:
    """Return a time that few tasks take longer for, if service takes none, s."""
    return 2 * _own(spec, effort)[1] * spec.tool_p50


def graph_of(spec: AgentsSpec, effort: Effort, tasks: int, chance: Chance) -> Graph:
    """Return the calls of so many tasks."""
    found, random = Graph(), chance("agents")
    for task, calls in enumerate(counts(*_own(spec, effort), tasks, random).tolist()):
        if spec.sub is None:
            found.chain(task, -1, calls)
            continue
        _with_subagents(found, task, calls, spec.sub, random)
    return found


def _own(spec: AgentsSpec, effort: Effort) -> tuple[float, float]:
    return effort.calls_of(spec.calls_p50), effort.calls_of(spec.calls_p99)


def _with_subagents(
    found: Graph, task: int, calls: int, sub: SubagentSpec, random: np.random.Generator
) -> None:
    before, waited = -1, list[int]()
    spawns = random.random(calls) < sub.share
    for number in range(calls):
        before = found.chain(task, before, 1)
        found.opens[before] = number == 0
        if waited:
            found.joins[before] = waited
            waited = list[int]()
        if spawns[number] and number < calls - 1:
            each = counts(sub.calls_p50, sub.calls_p99, sub.width, random)
            waited = [found.chain(task, before, count) for count in each.tolist()]


def timing(graph: Graph, starts: Floats, spec: AgentsSpec, chance: Chance) -> Timing:
    """Return when calls would come, tasks begun at `starts` [task] s."""
    opens = np.array(graph.opens)
    tool = np.zeros(len(opens))
    if spec.tool_p50:
        centre, width = lognormal(Marginal(p50=spec.tool_p50, p99=spec.tool_p99), "tool")
        tool = np.exp(centre + width * chance("tools").standard_normal(len(opens)))
        tool[opens] = 0.0
    when = list[float]()
    for call, (parent, pause) in enumerate(zip(graph.parent, tool.tolist(), strict=True)):
        after = float(starts[graph.task[call]]) if parent < 0 else when[parent] + pause
        when.append(max([after, *(when[last] for last in graph.joins.get(call, ()))]))
    return Timing(when=np.array(when), tool=tool)


def prompts(
    graph: Graph, spec: AgentsSpec, own: Ints, answers: Ints, shared: Ints, chance: Chance
) -> tuple[Ints, Flags]:
    """Return prompt lengths [call] tok, and which were cut to the context [call].

    Args:
        graph: The calls.
        spec: What they do.
        own: Task of each agent's first call, shared prefix left out [call] tok.
        answers: What each call says that is carried over, thoughts left out [call] tok.
        shared: Shared prefix of each call's task, 0 for none [call] tok.
        chance: Source of chance.
    """
    result = np.zeros(len(own), np.int64)
    if spec.result is not None:
        result = lengths(spec.result, chance("results").standard_normal(len(own)), "result")
    found, cut = list[int](), np.zeros(len(own), np.bool_)
    for call, parent in enumerate(graph.parent):
        if graph.opens[call]:
            tokens = int(shared[call] + own[call])
        else:
            told = sum(int(answers[last]) for last in graph.joins.get(call, ()))
            tokens = found[parent] + int(answers[parent] + result[call]) + told
        cut[call] = 0 < spec.context < tokens
        found.append(int(spec.context) if cut[call] else tokens)
    return np.array(found, np.int64), cut


def hashes(
    graph: Graph,
    inputs: Ints,
    fresh: Flags,
    shared: Ints,
    wanted: Flags,
    reuse: float,
    block: int,
) -> list[Ints]:
    """Return the hashes of every call's full blocks: those it repeats, then new ones.

    Args:
        graph: The calls.
        inputs: Their prompts [call] tok.
        fresh: Whether a call repeats the shared prefix only [call].
        shared: Shared prefix of each [call] tok.
        wanted: Whether its task is in the trace [call]; others get none.
        reuse: Share of a repeated prompt that keeps its hashes.
        block: Tokens of a block.
    """
    found, free = list[Ints](), int(shared.max(initial=0)) // block
    for call, parent in enumerate(graph.parent):
        blocks, common = int(inputs[call]) // block * int(wanted[call]), int(shared[call]) // block
        if graph.opens[call] or fresh[call]:
            known: Ints = np.arange(min(common, blocks))
        else:
            kept = max(int(reuse * len(found[parent])), min(common, len(found[parent])))
            known = found[parent][: min(kept, blocks)]
        more = blocks - len(known)
        found.append(np.concatenate([known, np.arange(free, free + more)]))
        free += more
    return found


def chosen_hashes(every: list[Ints], order: Ints, block: int) -> Prefixes:
    """Return the hashes of the calls of a trace, in its order."""
    mine = [every[call] for call in order.tolist()]
    offsets = np.concatenate(([0], np.cumsum([len(one) for one in mine])))
    return Prefixes(hashes=np.concatenate(mine), offsets=offsets, block_size=block)


def calls_of(graph: Graph, times: Timing, order: Ints) -> Calls:
    """Return who waits for whom in a trace of the calls `order`, its first at 0 s.

    A call that waits for one which is not in the trace comes at its own time at the earliest.
    """
    place = np.full(len(graph.task), -1)
    place[order] = np.arange(len(order))
    edges = [(last, call, 0.0) for call, lasts in graph.joins.items() for last in lasts]
    edges += [(b, a, float(times.tool[a])) for a, b in enumerate(graph.parent) if b >= 0]
    before, after = (np.array([edge[side] for edge in edges], np.int64) for side in (0, 1))
    delay = np.array([edge[2] for edge in edges])
    known = place[before] >= 0
    both = known & (place[after] >= 0)
    earliest = np.zeros(len(place))
    earliest[after[~known]] = (times.when - times.when[order[0]])[after[~known]]
    return Calls(
        before=place[before[both]],
        after=place[after[both]],
        delay=delay[both],
        dispatched=np.zeros(int(both.sum()), np.bool_),
        earliest=earliest[order],
        task=np.array(graph.task)[order],
    )
