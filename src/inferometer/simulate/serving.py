"""How an engine serves beyond its settings: host memory, prefill pool, static batches, classes."""

from dataclasses import dataclass

import numpy as np

from inferometer.deployment import Deployment
from inferometer.errors import ScenarioError
from inferometer.units import Bytes, BytesPerSecond, Duration
from inferometer.workload.trace import Ints, Trace


@dataclass(frozen=True, slots=True, kw_only=True)
class Serving:
    """What the closed form does not know of an engine.

    Attributes:
        host_kv: Host memory per accelerator that takes evicted blocks of the prefix cache.
        host_bandwidth: At which they come back, per accelerator.
        prefill_replicas: Of the replicas, those that compute prompts and hand them over.
        handover_latency: Time before the first byte of a prompt's KV is sent.
        static: Whether a batch takes requests only until it decodes.
        batch_tenants: Tenants whose requests yield to all others'.
    """

    host_kv: Bytes = 0.0
    host_bandwidth: BytesPerSecond = 0.0
    prefill_replicas: int = 0
    handover_latency: Duration = 0.0
    static: bool = False
    batch_tenants: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        for name in ("host_kv", "host_bandwidth", "prefill_replicas", "handover_latency"):
            if not 0 <= getattr(self, name) < float("inf"):
                raise ScenarioError(f"{name} is {getattr(self, name)}; at least 0 is wanted")
        if self.host_kv > 0 and self.host_bandwidth == 0:
            raise ScenarioError("host_kv without host_bandwidth: give both, e.g. 64 GB and 50 GB/s")


NOTHING = Serving()
"""Nothing beyond the settings."""


def prefill_lanes(serving: Serving, deployment: Deployment) -> int:
    """Return how many lanes, the first ones, compute prompts for the others.

    Raises:
        ScenarioError: no replica is left to decode.
    """
    if serving.prefill_replicas and serving.prefill_replicas >= deployment.replicas:
        raise ScenarioError(
            f"prefill_replicas is {serving.prefill_replicas} of {deployment.replicas} replicas; "
            "leave at least one to decode"
        )
    return serving.prefill_replicas * deployment.parallelism.lanes


def priorities(serving: Serving, trace: Trace) -> Ints:
    """Return the class of every request: 0 interactive, 1 batch [request]."""
    if not serving.batch_tenants or trace.tenant is None:
        return np.zeros(len(trace), np.int64)
    return np.isin(trace.tenant, serving.batch_tenants).astype(np.int64)


def tenants_of(trace: Trace) -> set[str]:
    """Return the tenants that a trace names."""
    return set() if trace.tenant is None else set(np.unique(trace.tenant).tolist())


def check_tenants(serving: Serving, known: set[str]) -> None:
    """Refuse a batch tenant that none of the requests is of.

    Raises:
        ScenarioError: one that the trace does not name.
    """
    if serving.batch_tenants and not known:
        raise ScenarioError("batch tenants: the trace names no tenants")
    for name in serving.batch_tenants:
        if name not in known:
            listed = ", ".join(sorted(known)[:5])
            raise ScenarioError(f"batch tenant {name!r} is not in the trace; it has {listed}")
