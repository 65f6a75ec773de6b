"""`inferometer demo`: the whole loop on this machine, from traffic to a proven saving."""

import contextlib
import datetime as dt
import io
import json
import sys
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

from inferometer.cli.progress import say
from inferometer.errors import EngineError, InfeasibleError, ScenarioError

if TYPE_CHECKING:
    from inferometer.loop.bench import Bench
    from inferometer.loop.jobs import Bounds
    from inferometer.loop.machine import Machine
    from inferometer.loop.setting import Setting
    from inferometer.workload.trace import Trace

TENANTS = {"search": 0.5, "support": 0.3, "batch": 0.2}
"""Shares of the synthetic traffic."""

LOAD = 0.7
"""Share of the predicted capacity that the replay uses."""

SWEPT = 32
"""Requests of the traffic whose lengths the machine is fitted with."""

PLANNED = "llama-3.1-8b"
"""Model of the fleet that is planned from the traffic."""


def demo(
    *,
    trace: str = "",
    span: float = 60.0,
    max_prompt: int = 256,
    max_output: int = 64,
    requests: int = 24,
    rounds: int = 4,
    report: Path = Path("saving.html"),
    plan: Path = Path("plan.html"),
    seed: int = 0,
) -> None:
    """Run the loop on this machine: measure, plan, change what pays, measure again.

    A real engine and the gateway; lengths and arrivals of Azure's conversation service, or of a
    trace, made to fit the machine; cost and energy of a token by tenant; a plan for a fleet of
    accelerators from that traffic; settings of the engine walked and the saving measured.

    Args:
        trace: Trace file in place of the synthetic traffic.
        span: Seconds of replay.
        max_prompt: Longest prompt, tokens; if over a tenth is longer, all are scaled down first.
        max_output: Longest output, tokens; likewise.
        requests: Requests of each run of the optimisation.
        rounds: Rounds of it.
        report: HTML file for the saving.
        plan: HTML file for the plan of a fleet.
        seed: Of everything that is drawn.
    """
    from inferometer.loop.jobs import Bounds
    from inferometer.loop.supervise import interruptible

    if not 0 < span < float("inf") or requests < 1 or rounds < 2:
        raise ScenarioError("--span above 0, --requests from 1 and --rounds from 2 are wanted")
    began = time.monotonic()
    bounds = Bounds(prompt=max_prompt, output=max_output)
    traffic = _traffic(trace, seed)
    with interruptible(), tempfile.TemporaryDirectory(prefix="inferometer-") as scratch:
        folder = Path(scratch)
        _measure(traffic, bounds, span, folder, seed)
        _title("A plan for a fleet of accelerators from that traffic")
        _plan(folder / "ledger.db", plan)
    _title("What pays on this engine")
    source = ["--trace", trace] if trace else []
    _run("optimise", *source, "--requests", str(requests), "--max-prompt", str(max_prompt),
         "--max-output", str(max_output), "--rounds", str(rounds), "--measure", "1",
         "--slots", "4", "--cache", "split", "--slo", "tpot p50 <= 250 ms",
         "--report", str(report), "--seed", str(seed))  # fmt: skip
    sys.stdout.write(f"report: {report}\n")
    sys.stdout.write(f"the whole loop took {time.monotonic() - began:.0f} s\n")


def _plan(ledger: Path, page: Path) -> None:
    """Plan a fleet from the ledger's traffic: the choice here, the whole answer on a page."""
    from inferometer.cli.result import show_rows

    answer = io.StringIO()
    with contextlib.redirect_stdout(answer):
        _run("plan", "--trace", str(ledger), "--model", PLANNED, "--slo", "ttft p99 <= 2 s",
             "--slo", "tpot p99 <= 50 ms", "--report", str(page), "--format", "json")  # fmt: skip
    best = json.loads(answer.getvalue())["plan"]["best"]
    show_rows(f"{PLANNED}, TTFT p99 <= 2 s, TPOT p99 <= 50 ms", [{
        "deployment": best["deployment"]["summary"], "$/h": best["cost_usd_per_h"],
        "load at the busiest minute": best["outcome"]["utilisation"],
        "probability that the SLO holds": best["probability"],
    }])  # fmt: skip
    sys.stdout.write(f"the whole plan, with its alternatives and sources: {page}\n")


def _run(*words: str) -> None:
    """Run a command of ours."""
    from inferometer.cli.app import run

    leave(words[0], run(words))


def leave(part: str, code: int) -> None:
    """Leave as a part did where it did not end well; it has said why."""
    from inferometer.cli.app import FAILED, INFEASIBLE, INTERRUPTED, OK

    if code == INTERRUPTED:
        raise KeyboardInterrupt
    if code != OK:
        fault = {FAILED: EngineError, INFEASIBLE: InfeasibleError}.get(code, ScenarioError)
        raise fault(f"demo: its part `{part}` did not end well, as said above")


def _title(text: str) -> None:
    sys.stdout.write(f"\n== {text}\n\n")
    sys.stdout.flush()


def _traffic(trace: str, seed: int) -> "Trace":
    from inferometer.workload.formats.files import read
    from inferometer.workload.seed import checked
    from inferometer.workload.spec import LengthSpec, WorkloadSpec
    from inferometer.workload.synthesis import synthesise

    checked(seed)
    if trace:
        return read(Path(trace)).trace
    lengths = LengthSpec(profile="azure-2023-conv")
    spec = WorkloadSpec(
        name="Azure conversation, 2023", rate=5.0, duration=3600.0, lengths=lengths,
        tenants=TENANTS,
    )  # fmt: skip
    return synthesise(spec, seed=seed)


def _measure(traffic: "Trace", bounds: "Bounds", span: float, folder: Path, seed: int) -> None:
    """Run the stack, fit the machine, replay the traffic, and say what it cost by tenant."""
    from inferometer.loop.client import Endpoint
    from inferometer.loop.jobs import fitted
    from inferometer.loop.local import calibrated_here
    from inferometer.loop.machine import this_machine
    from inferometer.loop.replay import Served, replay, sustained, tenants_of
    from inferometer.loop.setting import Setting, context_for
    from inferometer.loop.stack import StackSpec, up

    setting = Setting(context=context_for(bounds.prompt + bounds.output))
    machine = this_machine()
    overlay = folder / "here.toml"
    spec = StackSpec(setting=setting, tenants=tenants_of(traffic))
    _title("Engine and gateway")
    with up(spec, say=say, folder=folder) as stack:
        engine, file = Endpoint(url=stack.engines[0], model=stack.alias), Path(stack.model)
        like, _ = fitted(traffic, bounds, requests=SWEPT, rate=0.0, seed=seed)
        calibrated_here(engine, file, setting, overlay, say, machine=machine, like=like)
        served = Served(file=file, setting=setting, overlay=overlay, draw=machine.draw)
        chosen = sustained(traffic, bounds, served, load=LOAD, span=span, seed=seed)
        start = dt.datetime.now(dt.UTC)
        found, how = replay(traffic, bounds, stack, chosen, watts=machine.draw / machine.cores,
                            seed=seed)  # fmt: skip
        end = dt.datetime.now(dt.UTC)
        if found.summary.failed:
            raise EngineError(f"{found.summary.failed} requests failed in the replay")
    _title("Traffic, replayed through the gateway")
    sys.stdout.write(
        f"{traffic.name}: thinned {1 / how.kept:.3g} x, time between requests that are kept "
        f"stretched {how.stretch:.3g} x: {chosen.rate:.3g} requests/s, {LOAD:.0%} of the "
        f"{chosen.capacity:.3g} that this machine is predicted to carry\n"
        f"prompts scaled {how.prompts_scaled:.3g} x, then {how.prompts_cut} of {how.requests} "
        f"truncated to {bounds.prompt} tokens; outputs {how.outputs_scaled:.3g} x, then "
        f"{how.outputs_cut} to {bounds.output}\n\n"
    )
    _run_rows(found)
    _by_tenant(folder, setting, machine, file, (start, end))


def _run_rows(found: "Bench") -> None:
    from inferometer.cli.result import show_rows

    summary = found.summary
    show_rows("Replay", [{
        "answered": summary.requests, "requests/s": summary.request_rate,
        "output tok/s": summary.output_rate, "TTFT p50 ms": summary.ttft.p50 * 1e3,
        "TTFT p99 ms": summary.ttft.p99 * 1e3, "TPOT p50 ms": summary.tpot.p50 * 1e3,
        "engine CPU s": found.spent.processor, "J of the run": found.spent.joules,
        "energy": found.spent.energy_label,
    }])  # fmt: skip


def _by_tenant(
    folder: Path,
    setting: "Setting",
    machine: "Machine",
    file: Path,
    between: tuple[dt.datetime, dt.datetime],
) -> None:
    """Share the machine's rent over the requests, and show cost and energy of a token."""
    from inferometer.cli.costs import FOREVER
    from inferometer.cli.result import show_rows
    from inferometer.loop.machine import ENGINE, KEY
    from inferometer.meter.costs import costs
    from inferometer.meter.store.sqlite import connect

    ledger = folder / "ledger.db"
    first, last = between[0].replace(microsecond=0), between[1] + dt.timedelta(seconds=1)
    _run(
        "meter", "attribute", str(ledger), "--upstream", "engine-0",
        "--usd-per-hour", f"{machine.cost * 3600:.6f}", "--since", first.isoformat(),
        "--until", last.replace(microsecond=0).isoformat(), "--catalog", str(folder / "here.toml"),
        "--model", str(file), "--gpu", KEY, "--engine", ENGINE, "--kv", "fp16",
        "--max-num-seqs", str(setting.slots),
    )  # fmt: skip
    with contextlib.closing(connect(ledger, read_only=True)) as database:
        lines = costs(database, ["tenant"], 0, FOREVER)
    rows = list[dict[str, Any]]()
    for line in lines:
        tokens = line.input_tokens + line.output_tokens
        rows.append({
            "tenant": line.group[0] or line.bucket, "bucket": line.bucket,
            "requests": line.attempts, "tokens": tokens, "USD": line.nano / 1e9,
            "$/Mtok": line.nano / 1e3 / tokens if tokens else None,
            "J/token, modelled": line.energy_uj / 1e6 / tokens if tokens else None,
        })  # fmt: skip
    show_rows("Cost and energy by tenant: rent and declared draw, shared by modelled work", rows)
