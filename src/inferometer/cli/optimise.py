"""`inferometer optimise`: settings of a live engine, walked, measured, kept if they pay."""

import shlex
import sys
import tempfile
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

from cyclopts import Parameter

from inferometer.cli.bench import Asked, Format, cut_trace

if TYPE_CHECKING:
    from inferometer.loop.jobs import Fitting
    from inferometer.loop.machine import Machine
    from inferometer.loop.optimise import Findings

Many = Parameter(consume_multiple=True, negative=())


@Parameter(name="*")
@dataclass(frozen=True, slots=True, kw_only=True)
class Allowed:
    """What may change, and what must hold.

    Attributes:
        weights: Formats of the weights: as-shipped, f16, q8_0, q5_0, q4_0.
        kv: Formats of the KV cache: f16, q8_0, q4_0.
        slots: Sequences that run at a time, as many clients as slots being served.
        threads: Threads of arithmetic; 0 leaves them to the engine.
        batch: Token budgets of a step.
        prefix_cache: Whether prompts are kept for the next that begins alike.
        slo: Target such as "tpot p99 <= 250 ms"; repeat for more.
        bound: Most that perplexity may be over the reference's.
    """

    weights: Annotated[tuple[str, ...], Many] = ("as-shipped", "q8_0", "q4_0")
    kv: Annotated[tuple[str, ...], Many] = ("f16",)
    slots: Annotated[tuple[int, ...], Many] = (4, 8, 16)
    threads: Annotated[tuple[int, ...], Many] = (0,)
    batch: Annotated[tuple[int, ...], Many] = (2048,)
    prefix_cache: Annotated[tuple[bool, ...], Many] = (True,)
    slo: Annotated[tuple[str, ...], Parameter(consume_multiple=False, negative=())] = ()
    bound: float = 1.05


def optimise(
    *,
    allowed: Allowed | None = None,
    asked: Asked | None = None,
    model: Path | None = None,
    text: Path | None = None,
    positions: int = 192,
    measure: int = 3,
    rounds: int = 3,
    theory_check: bool = False,
    usd_per_hour: float | None = None,
    report: Path | None = None,
    save: Path | None = None,
    format: Format = "table",  # noqa: A002 - the option's name
) -> None:
    """Find what pays on a local llama.cpp server: predict, measure, keep what saves within bounds.

    Every combination of the allowed values is a candidate. Quality is judged first, then each is
    predicted from a short sweep, and the best predicted are measured beside the shipped setting in
    interleaved rounds. A saving is against the engine as shipped: its weights, four slots.

    Args:
        allowed: What may change, and what must hold.
        asked: What is sent in every run.
        model: GGUF file; the packaged one by default.
        text: Text that quality is judged on; Python's reference manual by default.
        positions: Places of the text that are scored.
        measure: Settings to measure beside the shipped one.
        rounds: Runs of each.
        theory_check: Whether to measure F16 at one slot too: for the theory, no saving.
        usd_per_hour: Rent of this machine; the catalogue's price per core by default.
        report: HTML file to write.
        save: TOML file for the kept setting, which `up` reads.
        format: A table for people, or JSON.
    """
    from inferometer.loop.jobs import Bounds
    from inferometer.loop.machine import this_machine
    from inferometer.loop.optimise import Task
    from inferometer.loop.optimise import optimise as walked
    from inferometer.loop.quality import STRETCH, text_of
    from inferometer.loop.setting import Setting
    from inferometer.loop.supervise import interruptible
    from inferometer.loop.sweep import Sizes
    from inferometer.loop.trial import Bed
    from inferometer.loop.variants import weights_file
    from inferometer.loop.walk import Axes, Bound
    from inferometer.workload.slo import parse_slo

    allowed, asked = allowed or Allowed(), asked or Asked()
    bounds = Bounds(prompt=asked.max_prompt, output=asked.max_output)
    trace, fitting = cut_trace(asked, bounds)
    axes = Axes(
        weights=allowed.weights, kv=allowed.kv, slots=allowed.slots, threads=allowed.threads,
        batch=allowed.batch, prefix_cache=allowed.prefix_cache,
    )  # fmt: skip
    most = max(asked.max_prompt + asked.max_output, 2 * STRETCH)
    context = -(-(most + SPARE) // 64) * 64
    task = Task(
        trace=trace, shipped=Setting(context=context), axes=axes, slo=parse_slo(allowed.slo),
        bound=Bound(ratio=allowed.bound), text=text_of(text), positions=positions,
        measured=measure, rounds=rounds, seed=asked.seed, theory=theory_check,
        sizes=Sizes(long=max(asked.max_prompt, 4 * Sizes().short)),
    )  # fmt: skip
    shipped = weights_file("as-shipped", model, _say)
    with interruptible(), tempfile.TemporaryDirectory(prefix="inferometer-") as folder:
        machine = this_machine(usd_per_hour)
        found = walked(task, Bed(shipped=shipped, machine=machine, folder=Path(folder), say=_say))
    _keep(found, save)
    _show(found, machine, fitting, report, format)


SPARE = 16
"""Tokens of context beyond prompt and output: what an engine adds at the start of a prompt."""


def _say(text: str) -> None:
    sys.stderr.write(text + "\n")
    sys.stderr.flush()


def _keep(found: "Findings", save: Path | None) -> None:
    from inferometer.errors import ScenarioError
    from inferometer.loop.setting import setting_text

    if save is None:
        return
    try:
        save.write_text(setting_text(found.best.setting), encoding="utf-8")
    except OSError as error:
        raise ScenarioError(f"--save {save}: cannot be written: {error.strerror}") from error


def _show(
    found: "Findings", machine: "Machine", fitting: "Fitting", report: Path | None, format: Format,  # noqa: A002
) -> None:  # fmt: skip
    from inferometer.cli.result import show_json, show_rows
    from inferometer.loop import story
    from inferometer.report.loop_page import LoopAnswer, write

    settings = story.settings_rows(found, machine.cost)
    runs, errors = story.run_rows(found, machine.cost), story.error_rows(found)
    theory = [line] if (line := story.theory_line(found, machine.cost)) else []
    notes = (story.difference(found), story.energy_line(found), *theory)
    assumptions = tuple(_assumptions(machine, fitting))
    if report is not None:
        command = shlex.join(("inferometer", *sys.argv[1:]))
        write(
            LoopAnswer(
                headline=story.headline(found), notes=notes, settings=settings, runs=runs,
                errors=errors, assumptions=assumptions, command=command,
            ),
            report,
        )  # fmt: skip
    if format == "json":
        show_json({
            "headline": story.headline(found), "saving": found.saved, "notes": notes,
            "kept": found.best.setting, "settings": settings, "runs": runs, "errors": errors,
            "assumptions": assumptions,
        })  # fmt: skip
        return
    tables: dict[str, list[dict[str, Any]]] = {
        "Settings": settings, "Runs": runs, "Errors of the forecasts": errors,
    }  # fmt: skip
    for title, rows in tables.items():
        show_rows(title, rows)
    for line in (*notes, *assumptions, story.headline(found)):
        sys.stdout.write(line + "\n")


def _assumptions(machine: "Machine", fitting: "Fitting") -> Iterable[str]:
    yield (
        f"{machine.name}, {machine.cores} cores at {machine.cost * 3600:.4g} $/h and "
        f"{machine.draw:.3g} W under load (declared: the catalogue's per core)"
    )
    yield (
        f"{fitting.requests} requests a run, {fitting.kept:.3g} of the trace; "
        f"{fitting.prompts_cut} prompts and {fitting.outputs_cut} outputs cut to what fits"
    )
    yield "a closed loop with as many clients as slots; rates over the stretch with all clients"
    yield "perplexity and divergence are lower bounds, from the engine's listed probabilities"
