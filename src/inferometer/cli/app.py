"""The command `inferometer`: one line per command, each loaded only when it is called."""

from cyclopts import App

app = App(name="inferometer", help="The economics of LLM inference: measure, plan, apply.")
app.command("inferometer.cli.theory:app", name="theory")
app.command("inferometer.cli.trace:app", name="trace")
app.command("inferometer.cli.catalog:app", name="catalog")
app.command("inferometer.cli.plan:plan", name="plan")
app.command("inferometer.cli.predict:predict", name="predict")
app.command("inferometer.cli.explain:explain", name="explain")


def main() -> None:
    """Run the command line."""
    app()
