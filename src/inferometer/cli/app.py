"""The command `inferometer`: one line per command, each loaded only when it is called."""

import sys
import traceback
from collections.abc import Callable, Sequence

from cyclopts import App

from inferometer.errors import EngineError, InfeasibleError, InferometerError

app = App(name="inferometer", help="The economics of LLM inference: measure, plan, apply.")
app.command("inferometer.cli.theory:app", name="theory")
app.command("inferometer.cli.trace:app", name="trace")
app.command("inferometer.cli.catalog:app", name="catalog")
app.command("inferometer.cli.plan:plan", name="plan")
app.command("inferometer.cli.fleet:fleet", name="fleet")
app.command("inferometer.cli.whatif:whatif", name="whatif")
app.command("inferometer.cli.agent:agent", name="agent")
app.command("inferometer.cli.rag:rag", name="rag")
app.command("inferometer.cli.predict:predict", name="predict")
app.command("inferometer.cli.energy:energy", name="energy")
app.command("inferometer.cli.explain:explain", name="explain")
app.command("inferometer.cli.tco:tco", name="tco")
app.command("inferometer.cli.breakeven:breakeven", name="breakeven")
app.command("inferometer.cli.simulate:simulate", name="simulate")
app.command("inferometer.cli.compare:compare", name="compare")
app.command("inferometer.cli.validate:validate", name="validate")
app.command("inferometer.cli.calibrate:calibrate", name="calibrate")
app.command("inferometer.cli.deploy:deploy", name="deploy")
app.command("inferometer.cli.costs:costs", name="costs")
app.command("inferometer.cli.reconcile:reconcile", name="reconcile")
app.command("inferometer.cli.meter:app", name="meter")
app.command("inferometer.cli.gateway:app", name="gateway")
app.command("inferometer.cli.up:up", name="up")
app.command("inferometer.cli.bench:bench", name="bench")
app.command("inferometer.cli.optimise:optimise", name="optimise")
app.command("inferometer.cli.demo:demo", name="demo")

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
