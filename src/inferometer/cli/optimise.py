"""`inferometer optimise`: settings of a live engine, walked, measured, kept if they pay."""

import shlex
import sys
import tempfile
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

from cyclopts import Parameter

from inferometer.cli.bench import Asked, cut_trace
from inferometer.cli.options import Format, Many
from inferometer.cli.progress import say

if TYPE_CHECKING:
    from inferometer.loop.jobs import Fitting
    from inferometer.loop.machine import Machine
    from inferometer.loop.optimise import Findings
    from inferometer.report.loop_page import LoopAnswer

Listed = Parameter(consume_multiple=True, negative=())
"""Several values behind one option."""


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
        prefix_cache: Whether prompts are kept for the next that begins alike: on, off.
        draft: Tokens proposed at a time where a sequence repeats itself; 0 for no drafts.
        cache: KV caches: "unified" is one for all slots, "split" one for each.
        slo: Target such as "tpot p99 <= 250 ms"; repeat for more.
        bound: Most that perplexity may be over the reference's.
    """

    weights: Annotated[tuple[str, ...], Listed] = ("as-shipped", "q8_0", "q4_0")
    kv: Annotated[tuple[str, ...], Listed] = ("f16",)
    slots: Annotated[tuple[int, ...], Listed] = (4, 8, 16)
    threads: Annotated[tuple[int, ...], Listed] = (0,)
    batch: Annotated[tuple[int, ...], Listed] = (2048,)
    prefix_cache: Annotated[tuple[Literal["on", "off"], ...], Listed] = ("on",)
    draft: Annotated[tuple[int, ...], Listed] = (0,)
    cache: Annotated[tuple[Literal["unified", "split"], ...], Listed] = ("unified",)
    slo: Annotated[tuple[str, ...], Many] = ()
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
    from inferometer.loop.setting import Setting, context_for
    from inferometer.loop.supervise import interruptible
    from inferometer.loop.trial import Bed
    from inferometer.loop.variants import weights_file
    from inferometer.loop.walk import Axes, Bound
    from inferometer.report.loop_page import write
    from inferometer.report.page import check_page
    from inferometer.workload.slo import parse_slo

    check_page(report)
    allowed, asked = allowed or Allowed(), asked or Asked()
    trace, fitting = cut_trace(asked, Bounds(prompt=asked.max_prompt, output=asked.max_output))
    axes = Axes(
        weights=allowed.weights, kv=allowed.kv, slots=allowed.slots, threads=allowed.threads,
        batch=allowed.batch, draft=allowed.draft,
        prefix_cache=tuple(one == "on" for one in allowed.prefix_cache),
        unified=tuple(one == "unified" for one in allowed.cache),
    )  # fmt: skip
    context = context_for(max(asked.max_prompt + asked.max_output, 2 * STRETCH))
    task = Task(
        trace=trace, shipped=Setting(context=context), axes=axes, slo=parse_slo(allowed.slo),
        bound=Bound(ratio=allowed.bound), text=text_of(text), positions=positions,
        measured=measure, rounds=rounds, seed=asked.seed, theory=theory_check,
    )  # fmt: skip
    shipped = weights_file("as-shipped", model, say)
    with interruptible(), tempfile.TemporaryDirectory(prefix="inferometer-") as folder:
        machine = this_machine(usd_per_hour)
        found = walked(task, Bed(shipped=shipped, machine=machine, folder=Path(folder), say=say))
    answer = _answer(found, machine, fitting)
    _show(found, answer, format)
    if report is not None:
        write(answer, report)
    _keep(found, save)


def _keep(found: "Findings", save: Path | None) -> None:
    from inferometer.errors import ScenarioError
    from inferometer.loop.setting import setting_text

    if save is None:
        return
    try:
        save.write_text(setting_text(found.best.setting), encoding="utf-8")
    except OSError as error:
        raise ScenarioError(f"--save {save}: cannot be written: {error.strerror}") from error


def _answer(found: "Findings", machine: "Machine", fitting: "Fitting") -> "LoopAnswer":
    from inferometer.loop import story
    from inferometer.report.loop_page import LoopAnswer

    theory = [line] if (line := story.theory_line(found, machine.cost)) else []
    return LoopAnswer(
        headline=story.headline(found),
        notes=(story.difference(found), story.energy_line(found), *theory),
        settings=story.settings_rows(found, machine.cost),
        runs=story.run_rows(found, machine.cost),
        errors=story.error_rows(found),
        assumptions=tuple(_assumptions(machine, fitting)),
        command=shlex.join(("inferometer", *sys.argv[1:])),
    )


def _show(found: "Findings", answer: "LoopAnswer", format: Format) -> None:  # noqa: A002
    from inferometer.cli.result import show_json, show_rows

    if format == "json":
        show_json({
            "headline": answer.headline, "saving": found.saved, "notes": answer.notes,
            "kept": found.best.setting, "settings": answer.settings, "runs": answer.runs,
            "errors": answer.errors, "assumptions": answer.assumptions,
        })  # fmt: skip
        return
    tables = {
        "Settings": answer.settings, "Runs": answer.runs, "Errors of the forecasts": answer.errors,
    }  # fmt: skip
    for title, rows in tables.items():
        show_rows(title, rows)
    for line in (*answer.notes, *answer.assumptions, answer.headline):
        sys.stdout.write(line + "\n")


def _assumptions(machine: "Machine", fitting: "Fitting") -> Iterable[str]:
    yield (
        f"{machine.name}, {machine.cores} cores at {machine.cost * 3600:.4g} $/h and "
        f"{machine.draw:.3g} W under load (declared: the catalogue's per core)"
    )
    yield f"in every run: {fitting}"
    yield "a closed loop with as many clients as slots; rates over the stretch with all clients"
    yield (
        "perplexity and divergence are lower bounds, from the engine's listed probabilities; a "
        "ratio of two perplexities is none"
    )
