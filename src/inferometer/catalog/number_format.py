"""Number formats of weights, activations and KV cache: bytes per element, rate of arithmetic."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from inferometer.catalog.source import Source


@dataclass(frozen=True, slots=True, kw_only=True)
class NumberFormat:
    """How one number is stored, and which peak it computes at.

    Attributes:
        key: Name, e.g. "bf16", "fp8", "nvfp4", "mxfp4", "int4", "q4_k_m".
        aliases: Other spellings.
        bytes_per_element: Storage with scales and zero points, e.g. 0.5625 for nvfp4.
        compute: Peak used when weights are in this format: "bf16", "fp8", "int8" or "fp4".
            Weight-only formats compute in bf16.
        architectures: Silicon generations that an engine has kernels for; empty for all.
        quality: Cited effect on quality against bf16, or "" where none is known.
        sources: Provenance by field name; "" holds the record's own.
    """

    key: str
    aliases: tuple[str, ...] = ()
    bytes_per_element: float
    compute: str
    architectures: tuple[str, ...] = ()
    quality: str = ""
    sources: Mapping[str, Source] = field(default_factory=dict)
