"""This machine as records of the catalogue: what its processor holds, reaches, draws and costs."""

import datetime as dt
import os
import time
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from inferometer.catalog import tables
from inferometer.catalog.hardware import Accelerator
from inferometer.catalog.prices import accelerator_prices
from inferometer.errors import ScenarioError
from inferometer.units import Bytes, BytesPerSecond, FlopPerSecond, UsdPerSecond, Watts

TEMPLATE = "cpu-x86-2core"
"""Record of the catalogue whose power and price per core count for cores nobody described."""

TEMPLATE_CORES = 2
TEMPLATE_CLOCK = 2.0e9
"""Cycles per second that the template's peak is stated for."""

KEY = "this-machine"
"""Key of the record of the machine that is measured."""

ENGINE = "llama.cpp-here"
"""Key of the record of its engine, so that what is fitted here says nothing of other machines."""

FLOP_PER_CYCLE = 32
"""Single-precision operations of one core and cycle with AVX2: two units, eight lanes, multiply and
add (Intel 64 optimisation manual). The wheel of the engine uses AVX2, whatever the core has."""

READ_BYTES = 256 << 20
"""Bytes that are read to measure the bandwidth of memory."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Machine:
    """What this machine is, as far as it tells.

    Attributes:
        name: Its processor, as the kernel names it.
        cores: Cores that this process may use.
        clock: Cycles per second.
        memory: Memory of the system.
        bandwidth: Rate at which memory is read.
        draw: Declared draw of all cores.
        cost: Declared rent.
        assumed: Which of clock and bandwidth are the template's, not this machine's own.
    """

    name: str
    cores: int
    clock: float
    memory: Bytes
    bandwidth: BytesPerSecond
    draw: Watts
    cost: UsdPerSecond
    assumed: frozenset[str] = frozenset()

    @property
    def peak(self) -> FlopPerSecond:
        """Peak rate of arithmetic of all cores."""
        return self.cores * self.clock * FLOP_PER_CYCLE


def template() -> Accelerator:
    """Return the record that this machine is described after."""
    return tables.accelerators()[TEMPLATE]


def watts_per_core() -> Watts:
    """Return the declared draw of one busy core: the catalogue's power limit over its cores."""
    return template().tdp / TEMPLATE_CORES


def cost_here(usd_per_hour: float | None = None) -> UsdPerSecond:
    """Return the rent of this machine: what is stated, else the catalogue's price per core.

    The catalogue's row may be old: a list price of one machine, not a market's.

    Raises:
        ScenarioError: a price that is not positive, or none stated and none known.
    """
    if usd_per_hour is not None:
        if not 0 < usd_per_hour < float("inf"):
            raise ScenarioError(f"usd_per_hour is {usd_per_hour}; more than 0 is wanted")
        return usd_per_hour / 3600
    rows = [row for row in accelerator_prices() if row.accelerator == TEMPLATE]
    if not rows:
        raise ScenarioError("this machine is unpriced: state --usd-per-hour")
    newest = max(rows, key=lambda row: row.valid_from)
    return newest.price / TEMPLATE_CORES * len(os.sched_getaffinity(0))


def this_machine(usd_per_hour: float | None = None) -> Machine:
    """Return what this machine is; takes a second to measure how fast it reads memory.

    A busy machine reads slower than it can: the catalogue's figure is the least that is believed.
    """
    facts = _facts(Path("/proc/cpuinfo"))
    cores = len(os.sched_getaffinity(0))
    clock, bandwidth, least = facts.get("cpu MHz"), _bandwidth(), template().memory_bandwidth
    unknown = {"clock": clock is None, "bandwidth": bandwidth < least}
    return Machine(
        name=facts.get("model name", "processor"),
        cores=cores,
        clock=TEMPLATE_CLOCK if clock is None else float(clock) * 1e6,
        memory=os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES"),
        bandwidth=max(bandwidth, least),
        draw=watts_per_core() * cores,
        cost=cost_here(usd_per_hour),
        assumed=frozenset(name for name, missing in unknown.items() if missing),
    )


def _facts(path: Path) -> dict[str, str]:
    try:
        lines = path.read_text(encoding="utf-8", errors="replace").splitlines()
    except OSError:
        return {}
    pairs = (line.partition(":") for line in lines if ":" in line)
    return {name.strip(): value.strip() for name, _, value in pairs}


def _bandwidth() -> BytesPerSecond:
    block = np.ones(READ_BYTES // 8)
    best = float("inf")
    for _ in range(5):
        began = time.perf_counter()
        block.sum()
        best = min(best, time.perf_counter() - began)
    return READ_BYTES / best


def records(machine: Machine, *, slots: int, day: dt.date) -> str:
    """Return the catalogue's records of a machine and its engine, as text of an overlay."""
    said = f"read from {machine.name} with {machine.cores} cores"
    idle = template().idle_power / template().tdp * machine.draw
    return RECORDS.format(
        key=KEY, engine=ENGINE, said=_quotable(said), day=day, slots=slots, template=TEMPLATE,
        name=_quotable(f"{machine.name}, {machine.cores} cores"),
        vendor=next((v for v in ("Intel", "AMD", "ARM") if v in machine.name), "unknown"),
        memory=machine.memory / 1e9, bandwidth=machine.bandwidth / 1e9, peak=machine.peak / 1e12,
        operations=FLOP_PER_CYCLE, draw=machine.draw, idle=idle, read=_known(machine),
        cycles=f"a clock of {TEMPLATE}" if "clock" in machine.assumed else "clock",
    )  # fmt: skip


def _known(machine: Machine) -> str:
    """Return how the bandwidth of memory is known, as fields of a value."""
    source, evidence = f"{READ_BYTES >> 20} MiB summed, the best of five times", "measured"
    if "bandwidth" in machine.assumed:
        source, evidence = f"{TEMPLATE}; read more slowly here, as on a busy machine", "assumed"
    return f'source = "{source}", evidence = "{evidence}"'


def _quotable(text: str) -> str:
    return text.replace("\\", "/").replace('"', "'")


RECORDS = """\
[accelerators.{key}]
name = "{name}"
vendor = "{vendor}"
architecture = "x86-avx2"
kind = "cpu"
source = "{said}"
as_of = {day}
evidence = "measured"
memory = "{memory:.3f} GB"
memory_bandwidth = {{ value = "{bandwidth:.3f} GB/s", {read} }}
link = "shared-memory"
link_bandwidth = {{ value = "{bandwidth:.3f} GB/s", {read} }}
link_domain = 1
network_bandwidth = {{ value = "1.25 GB/s", source = "{template}", evidence = "assumed" }}
tdp = {{ value = "{draw:.3f} W", source = "{template}, per core", evidence = "assumed" }}
idle_power = {{ value = "{idle:.3f} W", source = "{template}, per core", evidence = "assumed" }}

[accelerators.{key}.peak_bf16]
value = "{peak:.5f} TFLOP/s"
source = "cores x {cycles} x {operations} operations of AVX2"
evidence = "assumed"

[nodes.{key}]
accelerator = "{key}"
accelerators = 1
host_power = "0 W"
source = "the machine is its processor"
as_of = {day}
evidence = "assumed"

[engines."{engine}"]
lineage = "llama.cpp"
source = "llama.cpp server of the catalogue, with the slots that run here"
as_of = {day}
evidence = "assumed"
memory_rule = "of-total"
memory_fraction = 1.0
reserve = "1 GB"
max_num_seqs = {slots}
max_batched_tokens = 2048
block_size = 1
"""
"""The machine and its engine as an overlay of the catalogue."""
