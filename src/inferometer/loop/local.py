"""The engine on this machine as a deployment of the catalogue, and its overlay from a sweep."""

import datetime as dt
import tempfile
from collections.abc import Sequence
from pathlib import Path

from inferometer.catalog import tables
from inferometer.catalog.efficiency import efficiencies
from inferometer.catalog.models import model
from inferometer.deployment import Deployment, EngineSettings, Precision
from inferometer.errors import ScenarioError
from inferometer.loop.client import Endpoint
from inferometer.loop.fitting import Fit, fit, overlay_text, write_overlay
from inferometer.loop.machine import ENGINE, KEY, Machine, records, this_machine
from inferometer.loop.processor import is_local
from inferometer.loop.setting import Setting
from inferometer.loop.supervise import Say
from inferometer.loop.sweep import Sizes, Turn, spread, turn
from inferometer.loop.variants import format_of
from inferometer.workload.trace import Trace

KV_KEYS = {"f16": "fp16"}
"""Formats of the KV cache by the catalogue's names, where they differ."""


def kv_key(kv: str) -> str:
    """Return the catalogue's name of a format of the KV cache."""
    return KV_KEYS.get(kv, kv)


def deployment_here(file: Path, setting: Setting, overlay: Path) -> Deployment:
    """Return the engine with a setting, on the machine that the overlay describes."""
    engine = tables.engines(overlay)[ENGINE]
    linear = tables.number_format(format_of(file), overlay)
    return Deployment(
        model=model(str(file)),
        accelerator=tables.accelerators(overlay)[KEY],
        node=tables.nodes(overlay)[KEY],
        precision=Precision(
            linear=linear, experts=linear, kv=tables.number_format(kv_key(setting.kv), overlay)
        ),
        settings=EngineSettings(
            engine=engine,
            max_num_seqs=setting.slots,
            max_batched_tokens=setting.batch,
            memory_fraction=engine.memory_fraction,
            prefix_caching=setting.prefix_cache,
        ),
    )


def swept(
    endpoint: Endpoint, setting: Setting, like: Trace, *, sizes: Sizes, number: int, say: Say
) -> Turn:
    """Return one turn of a sweep of an engine on this machine.

    Args:
        endpoint: The engine.
        setting: Its setting; the sweep keeps all slots busy.
        like: Requests whose lengths are sent.
        sizes: How much is sent.
        number: Of the turn.
        say: Told what was seen.

    Raises:
        EngineError: the engine went away.
        ScenarioError: an engine that may run elsewhere or has one slot.
    """
    if not is_local(endpoint.url):
        raise ScenarioError(
            f"endpoint {endpoint.url!r:.80} may be another machine's, and this one is described: "
            "name an engine here as http://127.0.0.1:PORT"
        )
    if setting.slots < 2:
        raise ScenarioError(
            f"slots is {setting.slots}: the time of a sequence is told from that of a step by "
            "running more than one; start the engine with 2 slots or more"
        )
    return turn(endpoint, setting.slots, like, sizes=sizes, number=number, say=say)


def described(
    turns: Sequence[Turn], file: Path, setting: Setting, output: Path, machine: Machine
) -> Fit:
    """Write the overlay of this machine from a sweep; return the fit.

    Args:
        turns: The sweep.
        file: GGUF file that was served.
        setting: Setting of the engine.
        output: TOML file to write.
        machine: This machine.

    Raises:
        ScenarioError: a sweep that cannot be fitted, or a file that cannot be written.
    """
    day = dt.datetime.now(dt.UTC).date()
    text = records(machine, slots=setting.slots, day=day)
    with tempfile.TemporaryDirectory() as folder:
        bare = Path(folder) / "machine.toml"
        bare.write_text(text, encoding="utf-8")
        deployment = deployment_here(file, setting, bare)
        fitted = fit(turns, deployment, efficiencies())
    write_overlay(overlay_text(fitted, deployment, text, day), output)
    return fitted


def calibrated_here(
    endpoint: Endpoint,
    file: Path,
    setting: Setting,
    output: Path,
    say: Say,
    *,
    machine: Machine | None = None,
    like: Trace | None = None,
) -> Fit:
    """Sweep the engine at an endpoint and write the overlay of this machine; return the fit.

    Args:
        endpoint: The engine, on this machine.
        file: GGUF file that it serves.
        setting: Its setting.
        output: TOML file to write.
        say: Told what is under way.
        machine: This machine, if it was described before.
        like: Requests whose lengths are sent; of all lengths by default.

    Raises:
        EngineError: the engine went away.
        ScenarioError: as `swept` and `described`.
    """
    sizes = Sizes()
    turns = [
        swept(endpoint, setting, like or spread(), sizes=sizes, number=number, say=say)
        for number in range(sizes.turns)
    ]
    return described(turns, file, setting, output, machine or this_machine())
