"""The command `inferometer`: one line per command, each loaded only when it is called."""

import sys
import traceback
from collections.abc import Callable, Mapping, Sequence

from cyclopts import App, Group

from inferometer.errors import EngineError, InfeasibleError, InferometerError

app = App(name="inferometer", help="The economics of LLM inference: measure, plan, apply.")
_COMMANDS: Mapping[str, Mapping[str, tuple[str, str]]] = {
    "Measure": {
        "gateway": ("gateway:app", "Serve as a reverse proxy that meters every token."),
        "costs": ("costs:costs", "Show what was spent, by tenant, model or run."),
        "reconcile": ("reconcile:reconcile", "Compare a bill with the ledger."),
        "meter": ("meter:app", "Import, attribute, scrape, export and archive the ledger."),
        "bench": ("bench:bench", "Measure a live endpoint under load."),
    },
    "Plan": {
        "plan": ("plan:plan", "Name the cheapest deployment that keeps the SLO, and why."),
        "predict": (
            "predict:predict",
            "Predict one deployment: latency, throughput, energy, cost.",
        ),
        "explain": ("explain:explain", "Explain the price of a token, step by step."),
        "whatif": ("whatif:whatif", "Say what every optimisation does at this load."),
        "fleet": ("fleet:fleet", "Mix accelerators for a load that changes, slot by slot."),
        "simulate": ("simulate:simulate", "Play every request of a workload to a fleet."),
        "compare": ("compare:compare", "Compare fleets by paired simulation."),
        "energy": ("energy:energy", "Say what a token, a request and a task take: J, Wh, gCO2."),
        "tco": ("tco:tco", "Compare owning, renting and an API over the years."),
        "breakeven": ("breakeven:breakeven", "Say when one way of paying overtakes another."),
        "agent": ("agent:agent", "Say what a successful task of an agent costs."),
        "rag": ("rag:rag", "Say what retrieval adds to each request."),
        "theory": ("theory:app", "The closed scaling model of Erdil (arXiv 2506.04645)."),
    },
    "Apply": {
        "deploy": ("deploy:deploy", "Emit the files that run a plan."),
        "up": ("up:up", "Run a local engine behind the gateway."),
        "demo": ("demo:demo", "Run the whole loop on this machine, on embedded defaults."),
        "optimise": ("optimise:optimise", "Find what pays on a live engine, and prove the saving."),
    },
    "Facts and fits": {
        "catalog": ("catalog:app", "Look up accelerators, models, prices and grids, with sources."),
        "trace": ("trace:app", "Describe, convert and synthesise request traces."),
        "validate": ("validate:validate", "Report the prediction error on measured rows."),
        "calibrate": (
            "calibrate:calibrate",
            "Fit the model to measured rows, or to a live engine.",
        ),
    },
}
"""Where each command is found and what it is for, by group and name; help loads none of them."""

for _place, (_title, _commands) in enumerate(_COMMANDS.items()):
    _group = Group(_title, sort_key=_place)
    for _name, (_path, _help) in _commands.items():
        app.command(f"inferometer.cli.{_path}", name=_name, help=_help, group=_group)

OK, FAILED, BAD_INPUT, INFEASIBLE, INTERRUPTED = 0, 1, 2, 3, 130


def main(arguments: Sequence[str] | None = None) -> None:
    """Run the command line and leave with its exit code.

    0 done, 1 the run failed for a reason that is our fault, 2 bad input, 3 infeasible, 130
    interrupted.
    """
    sys.exit(run(sys.argv[1:] if arguments is None else arguments))


def run(arguments: Sequence[str], program: Callable[[list[str]], object] = app) -> int:
    """Return the exit code of one run; errors raised on purpose become one message on stderr.

    Anything else that is raised is a fault of the program: its traceback goes to stderr whole, with
    a line that asks for a report.
    """
    try:
        program(list(arguments))
    except InferometerError as error:
        return _said(error, _code(error))
    except KeyboardInterrupt:
        return INTERRUPTED
    except SystemExit as error:
        return _left(error)
    except Exception as error:
        return _internal(error)
    return OK


def _code(error: InferometerError) -> int:
    if isinstance(error, EngineError):
        return FAILED
    return INFEASIBLE if isinstance(error, InfeasibleError) else BAD_INPUT


def _left(error: SystemExit) -> int:
    """Return the code of a library's exit: help, wrong options, or a reader that has gone."""
    gone = isinstance(error.__context__, BrokenPipeError)  # as with `inferometer plan ... | head`
    return OK if gone or error.code in {None, 0} else BAD_INPUT


def _internal(error: Exception) -> int:
    traceback.print_exception(error, file=sys.stderr)
    what = f"{type(error).__name__}: {error}"
    sys.stderr.write(f"internal error: {what}; please report it, with the traceback above\n")
    return FAILED


def _said(error: InferometerError, code: int) -> int:
    sys.stderr.write(f"error: {error}\n")
    return code
