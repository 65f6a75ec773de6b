"""Observations compiled for evaluation: all models side by side, grouped by kind of load."""

import itertools
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from inferometer.calibrate.measurement import Observation
from inferometer.candidates import Floats, table
from inferometer.catalog.efficiency import Efficiencies
from inferometer.deployment import Deployment
from inferometer.perf.demand import Demand, fixed_lengths
from inferometer.perf.lanes import divide
from inferometer.perf.rates import Rates
from inferometer.perf.roofline import Machine, compile_candidates
from inferometer.perf.stack import stack


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Pool:
    """One pool of every observation of a group.

    Attributes:
        machine: The compiled deployments [config].
        demand: What requests ask.
        lanes: Lanes of all workers [config].
        limit: Most running sequences of a lane [config].
        accelerators: Accelerators of the pool [config].
    """

    machine: Machine
    demand: Demand
    lanes: Floats
    limit: Floats
    accelerators: Floats

    def at(self, rates: Rates) -> "Pool":
        """Return the pool with other rates."""
        return replace(self, machine=replace(self.machine, rates=rates))

    def unstreamed(self) -> "Pool":
        """Return the pool serving offline."""
        return replace(self, machine=replace(self.machine, streaming=False))


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Group:
    """Observations that are evaluated together.

    Attributes:
        kind: Kind of load; "pools" for disaggregated ones.
        observations: In the order of the arrays.
        places: Their indices among all observations.
        main: The deployment, or the decode pool.
        front: The prefill pool of disaggregated ones.
        loads: Columns of the loads [config].
    """

    kind: str
    observations: tuple[Observation, ...]
    places: NDArray[np.int64]
    main: Pool
    front: Pool | None
    loads: Mapping[str, Floats]


def compile_groups(
    observations: Sequence[Observation], efficiencies: Efficiencies
) -> tuple[Group, ...]:
    """Return `observations` by kind of load and speculation, compiled; O(observations)."""
    members: dict[tuple[str, str], list[int]] = {}
    for place, observation in enumerate(observations):
        drafting = str(observation.subject.deployment.speculation or "")
        members.setdefault((_kind(observation), drafting), []).append(place)
    groups = list[Group]()
    for (kind, _), places in sorted(members.items()):
        places.sort(key=lambda place: observations[place].subject.deployment.model.key)
        chosen = tuple(observations[place] for place in places)
        groups.append(_group(kind, chosen, np.array(places), efficiencies))
    return tuple(groups)


def _kind(observation: Observation) -> str:
    return "pools" if observation.subject.prefill is not None else observation.load.kind


def _group(
    kind: str,
    chosen: tuple[Observation, ...],
    places: NDArray[np.int64],
    efficiencies: Efficiencies,
) -> Group:
    names = ("inputs", "outputs", "clients", "held", "rate", "requests", "tpot_limit",
             "burst", "burst_median", "lockstep")  # fmt: skip
    loads = {name: np.array([getattr(o.load, name) for o in chosen]) for name in names}
    passes = ("prefill", "prompts", "prefill_past", "sequences", "context")
    loads |= {f"pass_{n}": np.array([getattr(o.load.one_pass, n) for o in chosen]) for n in passes}
    loads["accelerators"] = np.array([float(o.subject.accelerators) for o in chosen])
    loads["share"] = np.array([o.subject.compute_share for o in chosen])
    loads["cap"] = np.array([o.subject.power_cap or np.inf for o in chosen])
    loads["host"] = np.array([_host_power(o) for o in chosen])
    loads["metered"] = np.array([o.load.metered for o in chosen])
    loads["idle"] = np.array([_idle_power(o) for o in chosen])
    loads["balanced"] = np.array([float(o.load.balanced) for o in chosen])
    fronts = [o.subject.prefill for o in chosen if o.subject.prefill is not None]
    return Group(
        kind=kind,
        observations=chosen,
        places=places,
        main=_pool([o.subject.deployment for o in chosen], loads, efficiencies),
        front=_pool(fronts, loads, efficiencies) if kind == "pools" else None,
        loads=loads,
    )


def _idle_power(one: Observation) -> float:
    """Return what all accelerators of an observation draw between steps, W."""
    pools = [one.subject.deployment, *([one.subject.prefill] if one.subject.prefill else [])]
    return sum(pool.accelerators * pool.accelerator.idle_power for pool in pools)


def _host_power(one: Observation) -> float:
    """Return what the servers around the accelerators add where a row was measured at the wall."""
    if AT_THE_WALL not in one.row.cells.get("power_scope", "").lower():
        return 0.0
    node = one.subject.deployment.node
    return node.host_power / node.accelerators * one.subject.accelerators


AT_THE_WALL = "wall"
"""Word by which `power_scope` says that a meter stood between the whole system and the grid."""


def _pool(
    deployments: Sequence[Deployment], loads: Mapping[str, Floats], efficiencies: Efficiencies
) -> Pool:
    runs = _runs([deployment.model.key for deployment in deployments])
    machines, counts, limits = list[Machine](), list[Floats](), list[Floats]()
    for start, end in runs:
        machine = compile_candidates(table(deployments[start:end]), efficiencies)
        inputs, outputs = loads["inputs"][start:end], loads["outputs"][start:end]
        lanes = divide(machine, fixed_lengths(inputs, outputs, machine.shard.reaches))
        machines.append(machine)
        counts.append(lanes.count)
        limits.append(lanes.limit)
    stacked = stack(machines)
    lanes = np.concatenate(counts)
    return Pool(
        machine=stacked,
        demand=fixed_lengths(loads["inputs"], loads["outputs"], stacked.shard.reaches),
        lanes=lanes,
        limit=np.maximum(np.concatenate(limits), loads["held"] / lanes),
        accelerators=np.array([float(d.accelerators) for d in deployments]),
    )


def _runs(keys: Sequence[str]) -> list[tuple[int, int]]:
    """Return the ranges of equal neighbours."""
    edges = [0, *(i for i in range(1, len(keys)) if keys[i] != keys[i - 1]), len(keys)]
    return list(itertools.pairwise(edges))
