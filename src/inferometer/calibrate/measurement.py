"""Measured rows, as their sources state them: who was measured, under what load, what came out."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from inferometer.deployment import Deployment
from inferometer.units import Fraction, PerSecond, Seconds, Watts


@dataclass(frozen=True, slots=True, kw_only=True)
class Pass:
    """One forward pass, for loads of kind "step".

    Attributes:
        prefill: New prompt tokens.
        prompts: Requests that they belong to.
        prefill_past: Cached tokens before them, all requests together.
        sequences: Decoding sequences.
        context: Tokens visible to them, all sequences together.
    """

    prefill: float = 0.0
    prompts: float = 0.0
    prefill_past: float = 0.0
    sequences: float = 0.0
    context: float = 0.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Load:
    """What a load generator did.

    Attributes:
        kind: "closed" (so many clients), "open" (a rate, infinite where all requests of a run come
            at once), "static" (one batch), "prompt" (one batch of prompts alone), "offline" (all
            requests at once, as many as keep it busy), "bounded" (the highest rate that keeps
            `tpot_limit`) or "step".
        inputs: Mean prompt length, tokens.
        outputs: Mean output length, tokens.
        clients: Clients, or sequences of the static batch, over all replicas.
        held: Sequences that the source saw running at a time, over all replicas; 0 if not stated.
            They fitted, whatever the memory model says.
        rate: Requests per second, for "open".
        requests: Requests of the run; 0 if not stated.
        tpot_limit: Time per output token to keep, for "bounded".
        balanced: Whether the prefill workers are to be counted from what the decode pool asks.
        metered: Share of the time that a mean draw was taken over in which steps ran.
        burst: Share of the requests that start together when a closed loop starts.
        burst_median: That share as far as what the source gives as a median counts it.
        lockstep: 1 where all requests have one length, so that clients stay in step; else 0.
        one_pass: The pass, for "step".
    """

    kind: str
    inputs: float = 1.0
    outputs: float = 1.0
    clients: float = 1.0
    held: float = 0.0
    rate: PerSecond = 0.0
    requests: float = 0.0
    tpot_limit: Seconds = 0.0
    metered: Fraction = 1.0
    burst: Fraction = 0.0
    burst_median: Fraction = 0.0
    lockstep: Fraction = 0.0
    balanced: bool = False
    one_pass: Pass = field(default_factory=Pass)


@dataclass(frozen=True, slots=True, kw_only=True)
class Subject:
    """What was measured.

    Attributes:
        deployment: The deployment; of a disaggregated one, the decode pool.
        prefill: Prefill pool of a disaggregated deployment.
        power_cap: Power limit per accelerator, if one was set.
        compute_share: Share of the accelerator's cores that the process could use.
    """

    deployment: Deployment
    prefill: Deployment | None = None
    power_cap: Watts | None = None
    compute_share: Fraction = 1.0

    @property
    def accelerators(self) -> int:
        """Accelerators of both pools."""
        pools = [self.deployment, *([self.prefill] if self.prefill else [])]
        return sum(pool.accelerators for pool in pools)


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """One row of a file of measurements, before its names are resolved.

    Attributes:
        key: Name of the row in reports.
        source: Laboratory or publication.
        family: Model family.
        gpu: Accelerator as the source writes it.
        model: Model as the source writes it.
        cells: All columns.
        metrics: Measured metrics by column name, in the units of their columns.
        layout: "serving", "energy", "dvfs", "steps" or "steps_static".
        unusable: Measured metrics that mean something else or are no number (NaN), with the
            reason; not predicted.
    """

    key: str
    source: str
    family: str
    gpu: str
    model: str
    cells: Mapping[str, str]
    metrics: Mapping[str, float]
    layout: str
    unusable: Mapping[str, tuple[float, str]] = field(default_factory=dict)

    @property
    def cell(self) -> tuple[str, str, str]:
        """Source, family and accelerator: rows of one cell are averaged first."""
        return (self.source, self.family, self.gpu)


@dataclass(frozen=True, slots=True, kw_only=True)
class Observation:
    """A row whose subject and load are known.

    Attributes:
        row: The row.
        subject: What was measured.
        load: Under which load.
    """

    row: Row
    subject: Subject
    load: Load


@dataclass(frozen=True, slots=True, kw_only=True)
class Refusal:
    """A row that cannot be predicted.

    Attributes:
        row: The row.
        reason: Why not.
    """

    row: Row
    reason: str
