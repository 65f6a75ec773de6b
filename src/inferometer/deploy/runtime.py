"""Facts of running each engine: images, port, probes, metric names; how containers get devices."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cache
from importlib import resources

from inferometer.catalog.load import read_toml
from inferometer.catalog.source import Source

DATA = resources.files("inferometer.deploy") / "data"


@dataclass(frozen=True, slots=True, kw_only=True)
class Runtime:
    """How one engine is run and what it says about itself; "" where it says nothing.

    Attributes:
        key: Engine of the catalogue.
        images: Container image by vendor of the accelerator; empty where none is known.
        port: Port that it listens on.
        health: Path that answers 200 once it serves.
        metrics: Path of its Prometheus page.
        label: Label of its metrics that holds the served name of the model.
        running: Gauge of requests in the batch.
        waiting: Gauge of requests queued.
        kv_usage: Gauge of the share of the KV cache in use.
        input_tokens: Counter of prompt tokens.
        output_tokens: Counter of generated tokens.
        cache_queries: Counter of prompt tokens looked up in the prefix cache.
        cache_hits: Counter of those found.
        preemptions: Counter of preemptions.
        ttft: Histogram of the time to the first token, seconds.
        tpot: Histogram of the mean time per token of each request, seconds.
        itl: Histogram of the gap between tokens, seconds.
        e2e: Histogram of whole requests, seconds.
        sources: Provenance by field name; "" holds the record's own.
    """

    key: str
    images: Mapping[str, str] = field(default_factory=dict)
    port: int
    health: str
    metrics: str
    label: str = ""
    running: str = ""
    waiting: str = ""
    kv_usage: str = ""
    input_tokens: str = ""
    output_tokens: str = ""
    cache_queries: str = ""
    cache_hits: str = ""
    preemptions: str = ""
    ttft: str = ""
    tpot: str = ""
    itl: str = ""
    e2e: str = ""
    sources: Mapping[str, Source] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Vendor:
    """How containers get at the accelerators of one maker.

    Attributes:
        key: Maker, as the catalogue writes it.
        resource: Extended resource of its Kubernetes device plugin.
        driver: Device driver of a Compose reservation; "" where devices are passed by path.
        devices: Paths passed instead.
        sources: Provenance by field name; "" holds the record's own.
    """

    key: str
    resource: str
    driver: str = ""
    devices: tuple[str, ...] = ()
    sources: Mapping[str, Source] = field(default_factory=dict)


@cache
def runtimes() -> Mapping[str, Runtime]:
    """Return how every engine is run that can be deployed, by the engine's key."""
    return read_toml(DATA / "runtimes.toml", Runtime)


@cache
def vendors() -> Mapping[str, Vendor]:
    """Return how containers get at accelerators, by maker."""
    return read_toml(DATA / "vendors.toml", Vendor)
