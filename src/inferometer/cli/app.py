"""The command `inferometer`: one line per command, each loaded only when it is called."""

import sys
from collections.abc import Sequence

from cyclopts import App

from inferometer.errors import InfeasibleError, InferometerError

app = App(name="inferometer", help="The economics of LLM inference: measure, plan, apply.")
app.command("inferometer.cli.theory:app", name="theory")
app.command("inferometer.cli.trace:app", name="trace")
app.command("inferometer.cli.catalog:app", name="catalog")
app.command("inferometer.cli.plan:plan", name="plan")
app.command("inferometer.cli.predict:predict", name="predict")
app.command("inferometer.cli.explain:explain", name="explain")
app.command("inferometer.cli.validate:validate", name="validate")
app.command("inferometer.cli.calibrate:calibrate", name="calibrate")

OK, FAILED, BAD_INPUT, INFEASIBLE, INTERRUPTED = 0, 1, 2, 3, 130


def main(arguments: Sequence[str] | None = None) -> None:
    """Run the command line and leave with its exit code.

    0 done, 1 the run failed, 2 bad input, 3 infeasible, 130 interrupted.
    """
    sys.exit(run(sys.argv[1:] if arguments is None else arguments))


def run(arguments: Sequence[str]) -> int:
    """Return the exit code of one run; errors raised on purpose become one message on stderr."""
    try:
        app(list(arguments))
    except InfeasibleError as error:
        return _said(error, INFEASIBLE)
    except InferometerError as error:
        return _said(error, BAD_INPUT)
    except KeyboardInterrupt:
        return INTERRUPTED
    except SystemExit as error:  # cyclopts has printed help, or what is wrong with the options
        return OK if error.code in {None, 0} else BAD_INPUT
    return OK


def _said(error: InferometerError, code: int) -> int:
    sys.stderr.write(f"error: {error}\n")
    return code
