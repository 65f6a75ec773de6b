"""Write docs/claims.md from a run of tests/claims: `python docs/claims.py`.

Each test belongs to the checks in its name, such as AC_07; where the name holds none, to those of
its file. A check holds if all its tests pass, holds in part if some are expected to fail (the page
says by how much), and is open if it has no test.
"""

import re
import subprocess
import sys
import tempfile
import tomllib
import xml.etree.ElementTree as ET
from collections.abc import Mapping
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
FOLDER = ROOT / "tests" / "claims"
FACTS = ROOT / "docs" / "claims.toml"
TARGET = ROOT / "docs" / "claims.md"
NOTE = "<!-- Written by docs/claims.py from the results of tests/claims. -->"
_IDS = re.compile(r"AC((?:_\d\d)+)")

Result = tuple[str, str]
"""How a test ended ("passed", "missed", "skipped", "failed"), and what it says."""


def ids(text: str) -> list[str]:
    """Return the checks that a name holds: "test_AC_05_10" holds AC-05 and AC-10."""
    match = _IDS.search(text)
    return [] if match is None else [f"AC-{number}" for number in match[1].strip("_").split("_")]


def results() -> dict[str, dict[str, list[Result]]]:
    """Return how the tests of every check ended, by check and file; runs them."""
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "report.xml"
        command = [sys.executable, "-m", "pytest", str(FOLDER), "-n", "0", "--no-header",
                   f"--junitxml={file}", "-o", "junit_family=xunit2"]  # fmt: skip
        done = subprocess.run(command, cwd=ROOT, stdout=subprocess.DEVNULL, check=False)  # noqa: S603
        if done.returncode not in {0, 1}:
            sys.exit(f"pytest could not run tests/claims: exit code {done.returncode}")
        cases = ET.parse(file).getroot().iter("testcase")  # noqa: S314  our own file
        found: dict[str, dict[str, list[Result]]] = {}
        for case in cases:
            name, where = str(case.get("name")), str(case.get("classname")).rpartition(".")[2]
            for check in ids(name) or ids(where):
                files = found.setdefault(check, {})
                files.setdefault(where, []).append(_ended(case))
        return found


def _ended(case: ET.Element) -> Result:
    for tag in ("failure", "error"):
        fault = case.find(tag)
        if fault is not None:
            return "failed", str(fault.get("message"))[:120]
    skipped = case.find("skipped")
    if skipped is None:
        return "passed", ""
    kind = "missed" if skipped.get("type") == "pytest.xfail" else "skipped"
    return kind, str(skipped.get("message"))


def verdict(tests: Mapping[str, list[Result]]) -> str:
    """Return what the tests of one check say together."""
    ends = [end for group in tests.values() for end in group]
    if not ends:
        return "open: no test yet"
    kinds = [kind for kind, _ in ends]
    counts = ", ".join(
        f"{kinds.count(kind)} {kind}" for kind in ("passed", "missed", "skipped", "failed")
        if kind in kinds
    )  # fmt: skip
    reasons = "; ".join(dict.fromkeys(text for kind, text in ends if kind == "missed"))
    if "failed" in kinds:
        return f"**fails** ({counts})"
    if "missed" in kinds:
        return f"in part ({counts}): {reasons}"
    return f"needs data ({counts})" if "skipped" in kinds else f"holds ({counts})"


def page() -> str:
    """Return the whole page."""
    facts = tomllib.loads(FACTS.read_text(encoding="utf-8"))
    found = results()
    unknown = sorted(found.keys() - facts.keys())
    if unknown:
        sys.exit(f"tests/claims checks {unknown}, which docs/claims.toml does not state")
    said = {check: verdict(found.get(check, {})) for check in facts}
    rows = [
        f"| {check} | {fact['claim']} | {fact['source']} | {said[check]} |"
        for check, fact in facts.items()
    ]
    truths = [
        f"* **{check}** ({fact['source']}): {fact['truth']}"
        for check, fact in facts.items() if "truth" in fact
    ]  # fmt: skip
    whole = sum(text.startswith("holds") for text in said.values())
    part = sum(text.startswith("in part") for text in said.values())
    head = (
        f"{NOTE}\n\n# Claims\n\nWhat has been published on the economics of inference, held "
        "against this project's arithmetic and models. Every check is a test under `tests/claims` "
        f"whose name holds its id. Of {len(facts)}, {whole} hold, {part} hold in part; a test that "
        "the model misses is expected to fail, and says by how much. Made by `make claims`."
    )
    table = ["| check | claim | source | result |", "|---|---|---|---|", *rows]
    title = "## What is true where a source is misquoted, or misleads"
    return "\n".join([head, "", *table, "", title, "", *truths]) + "\n"


if __name__ == "__main__":
    TARGET.write_text(page(), encoding="utf-8")
