"""The calls of an agent as a workload: prompts that grow, mostly cached, and so many per task."""

from dataclasses import dataclass, replace

import numpy as np

from inferometer.account.agent import Agent, call_distribution
from inferometer.errors import InfeasibleError
from inferometer.units import Fraction
from inferometer.workload.shape import Shape, shape_of_lengths

POINTS = 4096
"""Calls that stand for all."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class AgentCalls:
    """The calls of many tasks.

    Attributes:
        shape: The calls as a workload.
        per_task: Mean calls of a task.
        cut: Share of calls whose prompt is cut to the model's context.
    """

    shape: Shape
    per_task: float
    cut: Fraction


def agent_calls(agent: Agent, arrivals: Shape, context: int) -> AgentCalls:
    """Return the calls of `agent`, which arrive as the requests of `arrivals` do.

    A task is let run to its end: what a budget stops is not known without prices. A prompt beyond
    the model's context is cut to it, as agents do that drop or summarise what came first.

    Args:
        agent: The task.
        arrivals: When calls come; its lengths are not read.
        context: Longest prompt and output of the model, tokens.

    Raises:
        InfeasibleError: the output of one call fills the context.
    """
    room = context - agent.output
    if room < 1:
        raise InfeasibleError(
            f"agent.output {agent.output:g} tokens leave no room in a context of {context} tokens"
        )
    calls, share = call_distribution(agent.calls_p50, agent.calls_p99)
    made = np.cumsum(share[::-1])[::-1]  # share of tasks that make this call
    edges = np.cumsum(made) / made.sum()
    number = calls[np.searchsorted(edges, (np.arange(POINTS) + 0.5) / POINTS)]
    wanted = agent.first + agent.growth * (number - 1)
    prompts = np.minimum(wanted, room)
    seen = np.where(number > 1, np.maximum(prompts - agent.growth, 0.0), 0.0)
    lengths = shape_of_lengths(
        np.maximum(np.rint(prompts), 1).astype(np.int64),
        np.full(POINTS, max(round(agent.output), 1), np.int64),
        arrivals.rate,
        cached_fraction=agent.reuse * float(seen.sum() / prompts.sum()),
        name="calls of the agent",
    )
    names = ("requests", "span", "rate", "peak_rate", "series", "bin_width", "burstiness")
    shape = replace(lengths, **{name: getattr(arrivals, name) for name in names})
    return AgentCalls(shape=shape, per_task=float(made.sum()), cut=float((wanted > room).mean()))
