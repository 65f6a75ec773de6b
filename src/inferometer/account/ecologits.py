"""An independent estimate: the footprint of one answer by EcoLogits' published regressions.

Not our model: it knows neither engine nor accelerator nor load. It is here because reports use it,
and so that ours can be compared with it.
"""

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Annotated

from inferometer.catalog.source import Source
from inferometer.units import (
    Bytes,
    Duration,
    Grams,
    GramsPerJoule,
    Joules,
    JoulesPerToken,
    Seconds,
    Unit,
    Watts,
)

SecondsPerToken = Annotated[float, Unit("s/tok", "ms_per_tok", "ms/tok")]


@dataclass(frozen=True, slots=True, kw_only=True)
class EcoLogits:
    """Coefficients of the method, per billion active parameters where they multiply the size.

    Attributes:
        key: Name in the catalogue.
        name: Name for people.
        energy_alpha: Energy per token, accelerator and billion active parameters, at batch 0.
        energy_beta: Exponent per sequence in the batch.
        energy_gamma: Energy per token and accelerator, whatever the model.
        latency_alpha: Time per token and billion active parameters.
        latency_beta: Time per token and sequence in the batch.
        latency_gamma: Time per token, whatever the model.
        memory_overhead: Memory needed over the size of the weights.
        accelerator_memory: Memory of the accelerator assumed.
        node_accelerators: Accelerators per server.
        host_power: Power of a server without its accelerators.
        embodied_accelerator: Manufacture of one accelerator.
        embodied_host: Manufacture of a server without accelerators.
        life: Life of the hardware.
        sources: Provenance by field name; "" holds the record's own.
    """

    key: str
    name: str
    energy_alpha: JoulesPerToken
    energy_beta: float
    energy_gamma: JoulesPerToken
    latency_alpha: SecondsPerToken
    latency_beta: SecondsPerToken
    latency_gamma: SecondsPerToken
    memory_overhead: float
    accelerator_memory: Bytes
    node_accelerators: int
    host_power: Watts
    embodied_accelerator: Grams
    embodied_host: Grams
    life: Duration
    sources: Mapping[str, Source] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Footprint:
    """Footprint of one answer.

    Attributes:
        accelerators: Accelerators that the method assigns to the model.
        latency: Time of the answer.
        accelerator_energy: Energy of the accelerators.
        host_energy: The answer's share of its servers' energy.
        energy: Both, at the facility's meter.
        use: Emissions of that energy.
        embodied: The answer's share of the hardware's manufacture.
    """

    accelerators: int
    latency: Seconds
    accelerator_energy: Joules
    host_energy: Joules
    energy: Joules
    use: Grams
    embodied: Grams


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """One answer to be estimated.

    Attributes:
        parameters: Parameters of the model, in billions.
        active: Parameters active per token, in billions.
        bits: Bits per weight.
        output_tokens: Tokens generated.
        batch: Sequences served together.
    """

    parameters: float
    active: float
    bits: float
    output_tokens: float
    batch: float


def footprint(answer: Answer, method: EcoLogits, *, pue: float, carbon: GramsPerJoule) -> Footprint:
    """Return the footprint of `answer` by `method` in a facility of `pue` on a grid of `carbon`."""
    needed = method.memory_overhead * answer.parameters * 1e9 * answer.bits / 8
    accelerators = 2 ** math.ceil(math.log2(max(needed / method.accelerator_memory, 1.0)))
    per_token = method.energy_gamma + method.energy_alpha * answer.active * math.exp(
        method.energy_beta * answer.batch
    )
    latency = answer.output_tokens * (
        method.latency_alpha * answer.active
        + method.latency_beta * answer.batch
        + method.latency_gamma
    )
    own = per_token * answer.output_tokens * accelerators
    servers = accelerators / method.node_accelerators
    host = latency * method.host_power * servers / answer.batch
    made = method.embodied_accelerator * accelerators + method.embodied_host * servers
    energy = pue * (own + host)
    return Footprint(
        accelerators=accelerators,
        latency=latency,
        accelerator_energy=own,
        host_energy=host,
        energy=energy,
        use=energy * carbon,
        embodied=made * latency / method.life / answer.batch,
    )
