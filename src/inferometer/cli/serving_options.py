"""Options of what the closed form does not know of an engine."""

from dataclasses import dataclass
from typing import Annotated

from cyclopts import Parameter

from inferometer.cli.options import Many
from inferometer.errors import ScenarioError, UnitError
from inferometer.simulate.serving import Serving
from inferometer.units import Unit, parse


@Parameter(name="*")
@dataclass(frozen=True, slots=True, kw_only=True)
class ServingOptions:
    """How the engine serves beyond its settings.

    Attributes:
        host_kv: Host memory per accelerator for evicted blocks of the prefix cache, e.g. "64 GB".
        host_bandwidth: At which they come back, per accelerator, e.g. "50 GB/s".
        prefill_replicas: Of the replicas, those that compute prompts and hand them over.
        handover_latency: Seconds before the first byte of a prompt's KV is sent.
        static_batches: Whether a batch takes requests only until it decodes.
        batch_tenant: Tenant whose requests yield to all others'; repeat for more.
    """

    host_kv: str = ""
    host_bandwidth: str = ""
    prefill_replicas: int = 0
    handover_latency: float = 0.0
    static_batches: bool = False
    batch_tenant: Annotated[tuple[str, ...], Many] = ()


def serving_of(options: ServingOptions) -> Serving:
    """Return what the options state.

    Raises:
        ScenarioError: a quantity that is none, or a combination that cannot be.
    """
    return Serving(
        host_kv=_quantity("--host-kv", options.host_kv, "B"),
        host_bandwidth=_quantity("--host-bandwidth", options.host_bandwidth, "B/s"),
        prefill_replicas=options.prefill_replicas,
        handover_latency=options.handover_latency,
        static=options.static_batches,
        batch_tenants=options.batch_tenant,
    )


def _quantity(name: str, text: str, symbol: str) -> float:
    if not text:
        return 0.0
    try:
        return parse(text, Unit(symbol))
    except UnitError as error:
        raise ScenarioError(f"{name}: {error}") from error
