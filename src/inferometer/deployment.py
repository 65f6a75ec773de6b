"""A deployment: one model on so many accelerators, fully resolved, ready to be evaluated.

A `Deployment` holds catalogue records, not names: nothing downstream looks anything up.
"""

from dataclasses import dataclass, field
from itertools import pairwise

from inferometer.catalog.engines import Engine
from inferometer.catalog.hardware import Accelerator, Node
from inferometer.catalog.models import Model
from inferometer.catalog.number_format import NumberFormat
from inferometer.errors import ScenarioError
from inferometer.units import Fraction, Watts


@dataclass(frozen=True, slots=True, kw_only=True)
class Parallelism:
    """How one replica is laid out over accelerators.

    Attributes:
        tensor: Ranks that share every matrix (TP).
        pipeline: Stages that share the layers (PP).
        data: Copies of the attention part inside one replica (attention data parallelism); the
            experts are spread over all `tensor x data` ranks when `expert` is set.
        expert: Whether routed experts are placed whole (EP) rather than cut by TP.
    """

    tensor: int = 1
    pipeline: int = 1
    data: int = 1
    expert: bool = False

    def __post_init__(self) -> None:
        for name in ("tensor", "pipeline", "data"):
            if getattr(self, name) < 1:
                raise ScenarioError(f"parallelism.{name} is {getattr(self, name)}; at least 1")

    @property
    def accelerators(self) -> int:
        """Accelerators of one replica."""
        return self.tensor * self.pipeline * self.data

    @property
    def lanes(self) -> int:
        """Batches that one replica runs: data-parallel ranks times pipeline micro-batches."""
        return self.data * self.pipeline

    def __str__(self) -> str:
        parts = [f"TP{self.tensor}"]
        parts += [f"PP{self.pipeline}"] if self.pipeline > 1 else []
        parts += [f"DP{self.data}"] if self.data > 1 else []
        parts += ["EP"] if self.expert else []
        return " ".join(parts)


@dataclass(frozen=True, slots=True, kw_only=True)
class Precision:
    """Number formats of one deployment.

    Attributes:
        linear: Dense linear layers.
        experts: Routed experts.
        kv: KV cache.
    """

    linear: NumberFormat
    experts: NumberFormat
    kv: NumberFormat

    def __str__(self) -> str:
        weights = self.linear.key
        if self.experts.key != self.linear.key:
            weights += f"/{self.experts.key}"
        return weights if self.kv.key == "bf16" else f"{weights}+kv-{self.kv.key}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Speculation:
    """Speculative decoding.

    Attributes:
        draft_tokens: Tokens proposed per step.
        acceptance: Probability that a proposed token is accepted, given its predecessors were;
            None where `by_position` says it.
        draft_cost: Time to propose one token over a decode step of the target: 0 for n-gram
            look-up, about the ratio of weights for a draft model or head.
        by_position: Share of drafts whose token at each position was accepted, in place of
            `acceptance`, one each: what vLLM reports as `per_position_acceptance_rates`.
    """

    draft_tokens: int
    acceptance: Fraction | None = None
    draft_cost: Fraction = 0.0
    by_position: tuple[Fraction, ...] = ()

    def __post_init__(self) -> None:
        if self.draft_tokens < 1:
            raise ScenarioError(f"speculation.draft_tokens is {self.draft_tokens}; at least 1")
        if (self.acceptance is None) == (not self.by_position):
            raise ScenarioError(
                "speculation: give acceptance or by_position, one of them: how many of the draft "
                "tokens are accepted"
            )
        if not 0 <= (self.acceptance or 0.0) <= 1:
            raise ScenarioError(f"speculation.acceptance is {self.acceptance}; 0 to 1 is wanted")
        if not 0 <= self.draft_cost <= 1:
            raise ScenarioError(f"speculation.draft_cost is {self.draft_cost}; 0 to 1 is wanted")
        if self.by_position:
            self._check_positions()

    def _check_positions(self) -> None:
        rates = self.by_position
        if len(rates) != self.draft_tokens:
            raise ScenarioError(
                f"speculation.by_position: {len(rates)} rates for {self.draft_tokens} draft "
                "tokens; give one each"
            )
        falling = all(a >= b for a, b in pairwise(rates))
        if not (falling and rates[-1] >= 0 and rates[0] <= 1):
            raise ScenarioError(
                "speculation.by_position: rates from 0 to 1 that do not rise are wanted: a token "
                "counts only if those before it were accepted"
            )

    @property
    def accepted(self) -> float:
        """Drafted tokens accepted in a step, mean: a + a^2 + ..., or the sum of `by_position`.

        Leviathan et al. 2023, Eq. 1, less the token that verification adds.
        """
        if self.acceptance is None:
            return sum(self.by_position)
        return sum(self.acceptance**place for place in range(1, self.draft_tokens + 1))


@dataclass(frozen=True, slots=True, kw_only=True)
class EngineSettings:
    """Settings of the serving engine.

    Attributes:
        engine: The engine.
        max_num_seqs: Limit on running sequences per data-parallel rank.
        max_batched_tokens: Token budget of one step.
        memory_fraction: Fraction in the engine's memory rule.
        prefix_caching: Whether equal prefixes are computed once.
    """

    engine: Engine
    max_num_seqs: int
    max_batched_tokens: int
    memory_fraction: Fraction
    prefix_caching: bool = True


@dataclass(frozen=True, slots=True, kw_only=True)
class Deployment:
    """One model served by identical replicas.

    Attributes:
        model: The model.
        accelerator: The accelerator.
        node: The server that holds it.
        parallelism: Layout of one replica.
        precision: Number formats.
        settings: Engine settings.
        replicas: Identical replicas behind a load balancer.
        speculation: Speculative decoding, if any.
        power_cap: Power limit per accelerator, if set below the shipped one.
    """

    model: Model
    accelerator: Accelerator
    node: Node
    parallelism: Parallelism = field(default_factory=Parallelism)
    precision: Precision
    settings: EngineSettings
    replicas: int = 1
    speculation: Speculation | None = None
    power_cap: Watts | None = None

    @property
    def accelerators(self) -> int:
        """Accelerators of all replicas."""
        return self.parallelism.accelerators * self.replicas

    def __str__(self) -> str:
        layout = f"{self.replicas} x {self.parallelism.accelerators} {self.accelerator.key}"
        return f"{layout} ({self.parallelism}, {self.precision}, {self.settings.engine.key})"
