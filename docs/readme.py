"""Write the result table of README.md from a real run of the demo: `python docs/readme.py`."""

import json
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
README = ROOT / "README.md"
SCENARIO = "examples/diurnal_chat.toml"
START, END = "<!-- demo: written by docs/readme.py -->", "<!-- demo: end -->"
PROGRAM = "import sys; from inferometer.cli.app import main; sys.argv[0] = 'inferometer'; main()"
SHOWN = 5


def answer() -> dict[str, Any]:
    """Return the demo's answer, as `inferometer plan --format json` prints it."""
    arguments = [sys.executable, "-c", PROGRAM, "plan", SCENARIO, "--format", "json"]
    done = subprocess.run(  # noqa: S603  our own interpreter and our own scenario
        arguments, capture_output=True, text=True, check=True, cwd=ROOT
    )
    return json.loads(done.stdout)


def row(option: Mapping[str, Any]) -> str:
    """Return one deployment as a row of the table."""
    outcome, bill = option["outcome"], option["bill"]
    cells = (
        option["deployment"]["summary"],
        f"{option['cost_usd_per_h']:.2f}",
        f"{bill['allocation']['blended_usd_per_mtok']:.3f}",
        f"{outcome['ttft']['p99_ms']:,.0f}",
        f"{outcome['tpot']['p99_ms']:.1f}",
        f"{outcome['utilisation']:.0%}",
        outcome["binding"],
    )
    return f"| {' | '.join(cells)} |"


def table(found: Mapping[str, Any]) -> str:
    """Return the cheapest deployments and the cheapest API as a table."""
    head = (
        "| deployment | USD/h | USD/Mtok | TTFT p99 ms | TPOT p99 ms | peak load | limited by |",
        "|---|---|---|---|---|---|---|",
    )
    rows = [row(option) for option in found["plan"]["alternatives"][:SHOWN]]
    api = min(found["api"], key=lambda offer: offer["rate_usd_per_h"])
    price = api["price"]
    name = f"API: {price['provider']}, {price['tier']}"
    last = f"| {name} | {api['rate_usd_per_h']:.2f} | {api['blended_usd_per_mtok']:.3f} | | | | |"
    return "\n".join([*head, *rows, last])


def main() -> None:
    """Replace what stands between the marks."""
    before, _, rest = README.read_text(encoding="utf-8").partition(START)
    after = rest.partition(END)[2]
    README.write_text(f"{before}{START}\n{table(answer())}\n{END}{after}", encoding="utf-8")


if __name__ == "__main__":
    main()
