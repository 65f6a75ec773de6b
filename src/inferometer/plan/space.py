"""The search space: every deployment of a model that could be built from what is on offer.

Replicas are not enumerated here: `plan.replicas` solves for the smallest count that serves. Each
combination that cannot be built is counted under the first reason that rules it out, so that
excluded + candidates = enumerated.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import product

import numpy as np

from inferometer.candidates import Candidates, Flags, Floats, Ints
from inferometer.catalog.engines import Engine
from inferometer.catalog.hardware import Accelerator, Node
from inferometer.catalog.models import AttentionKind, Model
from inferometer.catalog.prices import AcceleratorPrice
from inferometer.deployment import Precision
from inferometer.errors import ScenarioError

MAX_STAGES = 8
"""Deepest pipeline tried: engines are hardly run deeper, and each stage only adds latency."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Supply:
    """One accelerator on offer.

    Attributes:
        accelerator: The accelerator.
        node: The server that holds it.
        price: What it costs; None if unpriced.
        available: How many there are.
    """

    accelerator: Accelerator
    node: Node
    price: AcceleratorPrice | None
    available: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Choices:
    """What the search may choose beside accelerators and layouts.

    Attributes:
        engines: Serving engines.
        precisions: Number formats, as `plan.precision` allows them.
        max_num_seqs: Limits on running sequences; empty takes each engine's own default.
        max_batched_tokens: Step budgets; empty takes each engine's own default.
        max_accelerators: Most accelerators of one kind in the whole deployment.
        prefix_caching: Whether equal prefixes are computed once.
    """

    engines: tuple[Engine, ...]
    precisions: tuple[Precision, ...]
    max_num_seqs: tuple[int, ...] = (32, 64, 128, 256, 512, 1024)
    max_batched_tokens: tuple[int, ...] = (512, 1024, 2048, 4096, 8192, 16384)
    max_accelerators: int = 1024
    prefix_caching: bool = True

    def __post_init__(self) -> None:
        for name in ("engines", "precisions"):
            if not getattr(self, name):
                raise ScenarioError(f"{name}: none to choose from; name at least one")
        for name in ("max_num_seqs", "max_batched_tokens"):
            if any(value < 1 for value in getattr(self, name)):
                raise ScenarioError(f"{name}: {getattr(self, name)} holds a value below 1")
        if self.max_accelerators < 1:
            raise ScenarioError(
                f"max_accelerators is {self.max_accelerators}; at least 1 is needed"
            )


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Space:
    """Configurations that can be built, with what each accelerator costs and how many there are.

    Attributes:
        candidates: One replica of each configuration.
        prices: Price per accelerator of `candidates.accelerators`, same order; None if unpriced.
        available: Accelerators of each kind, same order.
        enumerated: Combinations looked at, excluded ones included.
        excluded: Combinations ruled out, by reason.
    """

    candidates: Candidates
    prices: tuple[AcceleratorPrice | None, ...]
    available: Ints  # [accelerator]
    enumerated: int
    excluded: dict[str, int]

    @property
    def cost_per_replica(self) -> Floats:
        """Price of one replica [config], USD/s."""
        each = np.array([np.nan if p is None else float(p.price) for p in self.prices])
        count = self.candidates.accelerators_per_replica.astype(np.float64)
        return each[self.candidates.accelerator] * count

    @property
    def most_replicas(self) -> Ints:
        """Replicas that the supply allows [config]."""
        supply = self.available[self.candidates.accelerator]
        return supply // self.candidates.accelerators_per_replica

    @property
    def unpriced(self) -> tuple[str, ...]:
        """Keys of accelerators without a price."""
        pairs = zip(self.candidates.accelerators, self.prices, strict=True)
        return tuple(chip.key for chip, price in pairs if price is None)

    def take(self, rows: Ints) -> "Space":
        """Return the space of the chosen rows only, as if nothing else had been enumerated."""
        chosen = self.candidates.take(rows)
        return replace(self, candidates=chosen, enumerated=len(chosen), excluded={})


def build(model: Model, supplies: Sequence[Supply], choices: Choices) -> Space:
    """Return every configuration of `model` that `supplies` and `choices` allow.

    Layouts are ruled out first, each with all its settings; then settings of those that are left.
    O(accelerators x layouts x precisions x engines x batch limits).

    Raises:
        ScenarioError: no supply at all.
    """
    if not supplies:
        raise ScenarioError("no accelerators to choose from; name at least one")
    available = np.array([min(s.available, choices.max_accelerators) for s in supplies])
    layouts = np.concatenate(
        [_layouts(index, model, supply) for index, supply in enumerate(supplies)], axis=1
    )
    settings = _settings(choices)
    bare = _candidates(_product(layouts, settings[:, :1]), model, supplies, choices)
    unbuilt, built = _first_reasons(_layout_faults(bare, supplies, available), len(bare))
    whole = _candidates(_product(layouts[:, built], settings), model, supplies, choices)
    unset, kept = _first_reasons(_setting_faults(whole), len(whole))
    each = settings.shape[1]
    return Space(
        candidates=whole.take(np.flatnonzero(kept)),
        prices=tuple(supply.price for supply in supplies),
        available=available,
        enumerated=layouts.shape[1] * each,
        excluded={reason: count * each for reason, count in unbuilt.items()} | unset,
    )


def _tensor_ranks(supply: Supply) -> list[int]:
    """Return the ranks tried: powers of two to the link domain, divisors of the node, one beyond.

    The one beyond the link domain is enumerated to be counted as excluded, not lost in silence.
    """
    domain, size = supply.accelerator.link_domain, supply.node.accelerators
    powers = {2**power for power in range(int(domain).bit_length() + 1)}
    divisors = {rank for rank in range(1, size + 1) if size % rank == 0}
    return sorted(powers | divisors)


def _layouts(index: int, model: Model, supply: Supply) -> Ints:
    """Return the index, tensor, pipeline, data and expert of every layout [5, layout]."""
    moe = any(layer.feed_forward.experts for layer in model.layers)
    latent = any(layer.attention.kind is AttentionKind.LATENT for layer in model.layers)
    stages = [2**power for power in range(MAX_STAGES.bit_length())]
    data = [1, 2, 4, 8, 16, 32] if moe or latent else [1]  # else a replica does the same
    whole = [0, 1] if moe else [0]
    rows = list(product([index], _tensor_ranks(supply), stages, data, whole))
    return np.array(rows, dtype=np.int64).T


def _settings(choices: Choices) -> Ints:
    """Return precision, engine, sequence limit and step budget of every setting [4, setting]."""
    rows = [
        (precision, engine, sequences, tokens)
        for precision, (engine, limits) in product(
            range(len(choices.precisions)), enumerate(choices.engines)
        )
        for sequences in choices.max_num_seqs or (limits.max_num_seqs,)
        for tokens in choices.max_batched_tokens or (limits.max_batched_tokens,)
    ]
    return np.array(rows, dtype=np.int64).T


def _product(layouts: Ints, settings: Ints) -> Ints:
    """Return every layout with every setting [9, config]."""
    return np.concatenate([
        np.repeat(layouts, settings.shape[1], axis=1), np.tile(settings, layouts.shape[1])
    ])  # fmt: skip


def _candidates(
    columns: Ints, model: Model, supplies: Sequence[Supply], choices: Choices
) -> Candidates:
    chip, tensor, pipeline, data, expert, precision, engine, sequences, tokens = columns
    fractions = np.array([engine.memory_fraction for engine in choices.engines])
    return Candidates(
        model=model,
        accelerators=tuple(supply.accelerator for supply in supplies),
        nodes=tuple(supply.node for supply in supplies),
        precisions=choices.precisions,
        engines=choices.engines,
        accelerator=chip,
        precision=precision,
        engine=engine,
        tensor=tensor,
        pipeline=pipeline,
        data=data,
        expert=expert.astype(np.bool_),
        max_num_seqs=sequences,
        max_batched_tokens=tokens,
        memory_fraction=fractions[engine],
        replicas=np.ones_like(chip),
        prefix_caching=choices.prefix_caching,
    )


def _layout_faults(
    candidates: Candidates, supplies: Sequence[Supply], available: Ints
) -> dict[str, Flags]:
    """Return what rules layouts out, by reason, in the order in which it counts."""
    model, chip = candidates.model, candidates.accelerator
    domain = np.array([supply.accelerator.link_domain for supply in supplies])[chip]
    priced = np.array([supply.price is not None for supply in supplies])[chip]
    heads = {layer.attention.query_heads for layer in model.layers} - {0}
    indivisible = [count % candidates.tensor != 0 for count in heads]
    layers = sum(layer.count for layer in model.layers)
    experts = {layer.feed_forward.experts for layer in model.layers} - {0}
    ranks = candidates.tensor * candidates.data
    uneven = [count % ranks != 0 for count in experts]
    none = np.zeros(len(candidates), np.bool_)
    return {
        "unpriced accelerator": ~priced,
        "tensor ranks do not divide the heads": np.logical_or.reduce([none, *indivisible]),
        "tensor ranks exceed the link domain": candidates.tensor > domain,
        "pipeline stages exceed the layers": candidates.pipeline > layers,
        "experts do not spread evenly": candidates.expert & np.logical_or.reduce([none, *uneven]),
        "one replica exceeds the supply": candidates.accelerators_per_replica > available[chip],
    }


def _setting_faults(candidates: Candidates) -> dict[str, Flags]:
    """Return what rules settings out, by reason, in the order in which it counts."""
    budget, limit = candidates.max_batched_tokens, candidates.max_num_seqs
    return {
        "engine does not run on the accelerator": _unsupported_engine(candidates),
        "no kernels for the number format": _unsupported_format(candidates),
        "step budget below the sequence limit": budget < limit,
    }


def _unsupported_engine(candidates: Candidates) -> Flags:
    chips, engines = candidates.accelerators, candidates.engines
    table = np.array([
        [bool(e.vendors) and chip.vendor not in e.vendors for e in engines] for chip in chips
    ])  # fmt: skip
    return table[candidates.accelerator, candidates.engine]


def _unsupported_format(candidates: Candidates) -> Flags:
    table = np.array([
        [not _runs(precision, chip) for precision in candidates.precisions]
        for chip in candidates.accelerators
    ])  # fmt: skip
    return table[candidates.accelerator, candidates.precision]


def _runs(precision: Precision, chip: Accelerator) -> bool:
    formats = (precision.linear, precision.experts, precision.kv)
    return all(not f.architectures or chip.architecture in f.architectures for f in formats)


def _first_reasons(faults: dict[str, Flags], size: int) -> tuple[dict[str, int], Flags]:
    keep, counts = np.ones(size, np.bool_), dict[str, int]()
    for reason, at_fault in faults.items():
        counts[reason] = int((keep & at_fault).sum())
        keep &= ~at_fault
    return {reason: count for reason, count in counts.items() if count}, keep
