"""Accelerators of the Erdil model, and the protocols of their collectives."""

import functools
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum

from inferometer.catalog.load import read_toml, shipped
from inferometer.catalog.names import resolve
from inferometer.catalog.source import Source
from inferometer.errors import CatalogError
from inferometer.units import Bytes, BytesPerSecond, FlopPerSecond, Fraction, Seconds, UsdPerSecond


class Collectives(StrEnum):
    """How collectives are costed."""

    NCCL = "nccl"
    RING = "ring"


@dataclass(frozen=True, slots=True, kw_only=True)
class Protocol:
    """One NCCL protocol.

    Attributes:
        key: Name.
        intra_latency: Per hop within a node.
        inter_latency: Per doubling of nodes.
        base_latency: Paid once.
        bandwidth_factor: Share of the link's bandwidth reached.
        sources: Provenance by field name.
    """

    key: str
    intra_latency: Seconds
    inter_latency: Seconds
    base_latency: Seconds
    bandwidth_factor: Fraction
    sources: Mapping[str, Source] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Chip:
    """An accelerator as the model sees it.

    Attributes:
        key: Name in the table.
        aliases: Other spellings.
        peak_16: Dense peak with 16-bit weights.
        peak_8: Dense peak with 8-bit weights.
        peak_4: Dense peak with 4-bit weights; 0 where the source states none.
        memory_bandwidth: HBM bandwidth at peak.
        memory: HBM size.
        intra_bandwidth: All-reduce bandwidth within a node.
        inter_bandwidth: All-reduce bandwidth between nodes.
        node_size: Accelerators per node.
        price: Rent of one accelerator.
        kernel_latency: Launch of one kernel.
        collectives: How collectives are costed.
        arithmetic_cap: Share of the peak FLOP/s that is reached; MFU stays against the peak.
        memory_cap: Share of the peak HBM bandwidth that is reached.
        latency_factor: Scales all latencies of collectives, for sweeps.
        sources: Provenance by field name; "" holds the record's own.
    """

    key: str
    aliases: tuple[str, ...] = ()
    peak_16: FlopPerSecond
    peak_8: FlopPerSecond
    peak_4: FlopPerSecond = 0.0
    memory_bandwidth: BytesPerSecond
    memory: Bytes
    intra_bandwidth: BytesPerSecond
    inter_bandwidth: BytesPerSecond
    node_size: int
    price: UsdPerSecond
    kernel_latency: Seconds
    collectives: Collectives
    arithmetic_cap: Fraction = 1.0
    memory_cap: Fraction = 1.0
    latency_factor: Fraction = 1.0
    sources: Mapping[str, Source] = field(default_factory=dict)

    def peak(self, weight_bytes: float) -> float:
        """Return the uncapped FLOP/s with weights of that size.

        Raises:
            CatalogError: the chip states no rate for it.
        """
        peak = {2.0: self.peak_16, 1.0: self.peak_8, 0.5: self.peak_4}.get(weight_bytes, 0.0)
        if not peak:
            bits = 8 * weight_bytes
            raise CatalogError(f"{self.key} states no rate for {bits:g}-bit weights; use another")
        return peak


@functools.cache
def chips() -> Mapping[str, Chip]:
    """Return the shipped accelerators by key."""
    return read_toml(shipped("theory/chips.toml"), Chip)


@functools.cache
def protocols() -> Mapping[str, Protocol]:
    """Return the NCCL protocols by key."""
    return read_toml(shipped("theory/protocols.toml"), Protocol)


def chip(name: str) -> Chip:
    """Return the accelerator of that name, in any spelling.

    Raises:
        CatalogError: there is none; the message lists the nearest names.
    """
    return resolve(chips(), name, kind="accelerator of the theory")
