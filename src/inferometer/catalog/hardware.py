"""Accelerators and the nodes they sit in, as published by their makers."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

from inferometer.catalog.source import Source
from inferometer.errors import CatalogError
from inferometer.units import Bytes, BytesPerSecond, FlopPerSecond, Watts


@dataclass(frozen=True, slots=True, kw_only=True)
class Accelerator:
    """One accelerator as it is sold: a GPU, a TPU chip, or the CPU of a node.

    Peaks are dense rates, never the sparse ones that data sheets print first. A missing peak means
    that the silicon has no such rate: weights of that format then multiply in 16 bit.

    Attributes:
        key: Name in the catalogue, e.g. "h100-sxm".
        name: Name for people.
        aliases: Other spellings that resolve to this record.
        vendor: Maker.
        architecture: Silicon generation, e.g. "hopper"; efficiencies are shared within one.
        kind: "gpu", "tpu" or "cpu".
        memory: Capacity that software can see.
        memory_bandwidth: Peak bandwidth of that memory.
        peak_bf16: Dense rate with 16-bit inputs.
        peak_fp8: Dense rate with 8-bit float inputs.
        peak_int8: Dense rate with 8-bit integer inputs.
        peak_fp4: Dense rate with 4-bit float inputs.
        link: Name of the scale-up link, e.g. "nvlink4" or "pcie4".
        link_bandwidth: Scale-up bandwidth of one accelerator, one direction.
        link_domain: Accelerators that reach one another over the scale-up link.
        network_bandwidth: Scale-out bandwidth per accelerator, one direction, between nodes.
        tdp: Board power limit as shipped.
        idle_power: Board power with a model loaded and nothing to do.
        sources: Provenance by field name; "" holds the record's own.
    """

    key: str
    name: str
    aliases: tuple[str, ...] = ()
    vendor: str
    architecture: str
    kind: str = "gpu"
    memory: Bytes
    memory_bandwidth: BytesPerSecond
    peak_bf16: FlopPerSecond
    peak_fp8: FlopPerSecond | None = None
    peak_int8: FlopPerSecond | None = None
    peak_fp4: FlopPerSecond | None = None
    link: str
    link_bandwidth: BytesPerSecond
    link_domain: int
    network_bandwidth: BytesPerSecond
    tdp: Watts
    idle_power: Watts
    sources: Mapping[str, Source] = field(default_factory=dict)

    def __post_init__(self) -> None:
        faults = [message for holds, message in self._laws() if not holds]
        if faults:
            raise CatalogError("; ".join(faults))

    def _laws(self) -> Iterator[tuple[bool, str]]:
        """Yield what every accelerator obeys, and what it says about the figures if not."""
        for name in ("memory", "memory_bandwidth", "peak_bf16", "link_bandwidth", "tdp"):
            yield getattr(self, name) > 0, f"{name} is not positive"
        yield self.link_domain >= 1, "link_domain is below 1"
        yield self.idle_power < self.tdp, "idle_power is not below tdp"
        yield (
            self.memory / self.memory_bandwidth > 1e-3,
            "memory_bandwidth would read the whole memory in under a millisecond",
        )
        for name, widest in (("peak_fp8", 2.1), ("peak_int8", 4.1), ("peak_fp4", 6.1)):
            ratio = (getattr(self, name) or self.peak_bf16) / self.peak_bf16
            yield ratio >= 1, f"{name} is below peak_bf16"
            yield ratio <= widest, f"{name} is {ratio:.3g} x peak_bf16: a sparse rate?"


@dataclass(frozen=True, slots=True, kw_only=True)
class Node:
    """A server: so many accelerators around one host.

    Attributes:
        key: Name in the catalogue; nodes are named after their accelerator where one kind is usual.
        accelerator: Key of the accelerator.
        accelerators: Accelerators per node, the unit in which nodes are bought.
        host_power: Power of all that is not an accelerator (CPU, memory, fans, NICs) under load.
        all_in_power: Power per accelerator with its share of everything, where published.
        sources: Provenance by field name; "" holds the record's own.
    """

    key: str
    accelerator: str
    accelerators: int
    host_power: Watts
    all_in_power: Watts | None = None
    sources: Mapping[str, Source] = field(default_factory=dict)
