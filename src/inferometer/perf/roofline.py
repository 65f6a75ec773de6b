"""Time of one engine step: the roofline of each kind of work, plus the engine's overheads."""

from dataclasses import dataclass

import numpy as np

from inferometer.candidates import Candidates, Floats
from inferometer.catalog.efficiency import Efficiencies
from inferometer.perf.network import Links, links
from inferometer.perf.rates import Rates, rates
from inferometer.perf.sharding import Shard, coverage, shard

SHARPNESS = 3.0
"""Exponent of the soft maximum of compute and memory time of matrix products: at the knee of the
roofline neither hides fully behind the other. Assumed; infinity gives the hard roofline."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Batch:
    """What one data-parallel rank processes in one step; arrays broadcast to [config].

    Attributes:
        sequences: Running sequences that each produce output.
        context: Tokens visible to one decoding token, per reach of the model [reach, config or 1].
        prefill: Prompt tokens in the step.
        prefill_context: Tokens visible to one prompt token, mean [reach, config or 1].
        queries: Tokens per running sequence: 1, or drafted + 1 when verifying.
    """

    sequences: Floats
    context: Floats
    prefill: Floats
    prefill_context: Floats
    queries: float = 1.0


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class StepTime:
    """Parts of one step, seconds per configuration; `total` is their sum.

    Attributes:
        linear: Projections and dense blocks, head included.
        experts: Routed experts.
        attention: Scores, sums and KV cache.
        network: Collectives.
        overhead: Engine and launches.
        compute: Time the arithmetic alone would take at attainable rates (for power and binding).
        memory: Time the memory traffic alone would take.
    """

    linear: Floats
    experts: Floats
    attention: Floats
    network: Floats
    overhead: Floats
    compute: Floats
    memory: Floats

    @property
    def total(self) -> Floats:
        """Duration of the step, s [config]."""
        return self.linear + self.experts + self.attention + self.network + self.overhead


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Machine:
    """Configurations compiled for evaluation: per-rank work, links and attainable rates.

    Attributes:
        candidates: The configurations.
        shard: Work per rank.
        links: Collectives.
        rates: Attainable rates.
        streaming: Whether tokens are streamed to clients while the batch runs, as servers do and
            offline batches do not.
    """

    candidates: Candidates
    shard: Shard
    links: Links
    rates: Rates
    streaming: bool = True


def compile_candidates(candidates: Candidates, efficiencies: Efficiencies) -> Machine:
    """Return `candidates` ready for `step_time`; done once per search."""
    cut = shard(candidates)
    return Machine(
        candidates=candidates,
        shard=cut,
        links=links(candidates, cut),
        rates=rates(candidates, efficiencies),
    )


def step_time(batch: Batch, machine: Machine) -> StepTime:
    """Return the time of one step on one rank, by part; O(configurations x reaches).

    Matrix products take the soft maximum of FLOP / rate and bytes / bandwidth (weights are read
    once per step; routed experts by their expected coverage); attention the hard maximum, which
    stays linear in the context, so that many steps can be summed in closed form.
    """
    decoding = batch.sequences * batch.queries
    tokens = decoding + batch.prefill
    linear = _linear(batch, tokens, machine)
    experts = _experts(tokens, machine)
    attention = _attention(batch, decoding, machine)
    parts = (
        soft_max(*linear),
        soft_max(*experts),
        np.maximum(*attention),
        _network(tokens, machine),
    )
    busy = parts[0] + parts[1] + parts[2] + parts[3]
    return StepTime(
        linear=parts[0],
        experts=parts[1],
        attention=parts[2],
        network=parts[3],
        overhead=_overhead(batch, machine) + _launches(batch, busy, machine),
        compute=linear[0] + experts[0] + attention[0],
        memory=linear[1] + experts[1] + attention[1],
    )


def soft_max(compute: Floats, memory: Floats) -> Floats:
    """Return (c^p + m^p)^(1/p) with p = `SHARPNESS`, elementwise."""
    top = np.maximum(compute, memory)
    ratio = np.minimum(compute, memory) / np.where(top > 0, top, 1.0)
    return top * (1 + ratio**SHARPNESS) ** (1 / SHARPNESS)


def _linear(batch: Batch, tokens: Floats, machine: Machine) -> tuple[Floats, Floats]:
    work, rate = machine.shard, machine.rates
    sampled = batch.sequences * batch.queries
    flop = tokens * work.linear_flop + sampled * work.head_flop
    moved = work.linear_bytes + work.head_bytes
    recurrent = tokens * work.state_flop / rate.attention_compute
    states = 2 * batch.sequences * work.state_bytes / rate.kv_bandwidth
    return flop / rate.linear_compute + recurrent, moved / rate.weight_bandwidth + states


def _experts(tokens: Floats, machine: Machine) -> tuple[Floats, Floats]:
    work, rate = machine.shard, machine.rates
    everywhere = tokens * machine.candidates.data
    spread = np.where(machine.candidates.expert, rate.imbalance, 1.0)
    alone = np.minimum(everywhere, 1.0) + np.maximum(everywhere - 1, 0.0) * rate.routing_spread
    touched = coverage(alone, work.experts, work.experts_active)
    read = work.expert_bytes * touched * _busiest(touched, machine)
    flop = tokens * work.expert_flop * spread
    return flop / rate.expert_compute, read / rate.expert_bandwidth


def _busiest(touched: Floats, machine: Machine) -> Floats:
    """Return experts that the busiest rank reads over the mean, at least 1 [config].

    Whole experts spread over r ranks: each of a rank's n experts is read with probability p, so
    that the greatest of r binomial counts exceeds the mean n p by about sqrt(2 ln r n p (1 - p)),
    the expected maximum of r normal variables, and never reaches beyond n.
    """
    tensor, data = machine.candidates.column("tensor"), machine.candidates.data
    ranks = np.where(machine.candidates.expert, tensor * data, 1.0)
    own = np.maximum(machine.shard.experts, 1.0) / ranks
    mean = np.maximum(own * touched, np.finfo(float).tiny)
    excess = np.sqrt(2 * np.log(ranks) * mean * np.maximum(1 - touched, 0.0))
    return np.minimum(mean + excess, np.maximum(own, mean)) / mean


def _attention(batch: Batch, decoding: Floats, machine: Machine) -> tuple[Floats, Floats]:
    work, rate = machine.shard, machine.rates
    decode = (work.context_flop * batch.context).sum(axis=0) * decoding
    prefill = (work.prefill_context_flop * batch.prefill_context).sum(axis=0) * batch.prefill
    read = (work.read_bytes * batch.context).sum(axis=0) * batch.sequences
    written = work.kv_bytes.sum(axis=0) * (decoding + batch.prefill)
    return (decode + prefill) / rate.attention_compute, (read + written) / rate.kv_bandwidth


def _network(tokens: Floats, machine: Machine) -> Floats:
    net, rate = machine.links, machine.rates
    latency = rate.reduction_latency + rate.reduction_rank_latency * np.log2(net.ranks)
    reduce = net.reductions * latency
    reduce = reduce + tokens * net.reduction_bytes / (rate.link * net.tensor_bandwidth)
    exchange = tokens * net.exchange_bytes / (rate.link * net.expert_bandwidth)
    exchange = exchange + net.exchanges * rate.exchange_latency
    hop = tokens * net.hop_bytes / (rate.link * net.pipeline_bandwidth)
    return reduce + exchange + hop + net.hops * rate.reduction_latency


def _overhead(batch: Batch, machine: Machine) -> Floats:
    """Return what a step takes beside arithmetic, reads and collectives.

    One process schedules all micro-batches of a pipeline, one after the other, so that each meets
    the host's work for all of them on its way through the stages.
    """
    rate, turns = machine.rates, machine.candidates.pipeline
    fixed = rate.step_overhead * turns + rate.layer_overhead * machine.shard.layers
    fixed = fixed + rate.expert_overhead * machine.shard.moe_layers
    each = rate.sequence_overhead + (rate.stream_overhead if machine.streaming else 0.0)
    return fixed + turns * each * batch.sequences + rate.prefill_overhead * batch.prefill


def _launches(batch: Batch, busy: Floats, machine: Machine) -> Floats:
    """Return what the accelerator waits for the host in a step that no captured graph covers."""
    launch = machine.rates.eager_overhead * machine.shard.layers
    return np.where(batch.prefill > 0, np.maximum(launch - busy, 0.0), 0.0)
