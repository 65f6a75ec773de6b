"""Serving engines: defaults and the rule by which each one divides accelerator memory."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from inferometer.catalog.source import Source
from inferometer.units import Bytes


@dataclass(frozen=True, slots=True, kw_only=True)
class Engine:
    """One serving engine as it is shipped.

    Attributes:
        key: "vllm", "sglang", "trtllm", "llama.cpp", or an older release of one.
        aliases: Other spellings.
        lineage: Key of the engine that this is an older release of; "" for current ones.
        memory_rule: "of-total" (vLLM, SGLang: KV = total x fraction - the rest) or "of-free"
            (TensorRT-LLM: KV = (total - the rest) x fraction).
        memory_fraction: The fraction in that rule as shipped.
        reserve: Memory per accelerator for runtime context, graphs and communication buffers.
        max_num_seqs: Default limit on running sequences.
        max_batched_tokens: Default token budget of one step.
        block_size: Tokens per KV block.
        chunked_prefill: Whether prefill is chunked by default.
        prefill_first: Whether waiting prompts go before running decodes, which then wait, instead
            of sharing a step with them.
        hybrid_allocator: Whether window layers keep only their window in the KV cache.
        vendors: Makers of the accelerators it runs on; empty for all.
        sources: Provenance by field name; "" holds the record's own.
    """

    key: str
    aliases: tuple[str, ...] = ()
    lineage: str = ""
    memory_rule: str
    memory_fraction: float
    reserve: Bytes
    max_num_seqs: int
    max_batched_tokens: int
    block_size: int
    chunked_prefill: bool = True
    prefill_first: bool = False
    hybrid_allocator: bool = True
    vendors: tuple[str, ...] = ()
    sources: Mapping[str, Source] = field(default_factory=dict)
