"""The gateway page's list of bad input: every row is on it, and every test that it names exists."""

import ast
import re
from pathlib import Path

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs/gateway.md").read_text(encoding="utf-8")
TABLE = PAGE.partition("## Bad input and known attacks")[2]
ROWS = [line.split("|")[1:3] for line in TABLE.splitlines() if line.startswith("| ")][1:]
LENGTHS = {"H": 15, "J": 10, "S": 14, "M": 20, "L": 7}
"""Rows of the list of bad input that concern a gateway: HTTP, JSON, streams, money, logs."""
ADVISORIES = {
    "2024-6587", "2024-8984", "2025-46570", "2025-48944", "2025-48956", "2025-59425",
    "2025-62426", "2025-69229", "2026-12796", "2026-22773", "2026-22778", "2026-24779",
    "2026-25591", "2026-34756", "2026-35030", "2026-42208", "2026-42271", "2026-47101",
    "2026-48710", "2026-9540",
}  # fmt: skip


def names_in(name: str) -> set[str]:
    """Names of the tests of a file, wherever it is; basenames are unique."""
    (path,) = (ROOT / "tests").rglob(name)
    tree = ast.parse(path.read_text(encoding="utf-8"))
    functions = (ast.FunctionDef, ast.AsyncFunctionDef)
    return {node.name for node in ast.walk(tree) if isinstance(node, functions)}


def test_every_row_is_on_the_list() -> None:
    named = " ".join(row for row, _ in ROWS)
    wanted = {f"{kind}{n}" for kind, last in LENGTHS.items() for n in range(1, last + 1)}
    assert set(re.findall(r"\b[HJSML]\d+\b", named)) == wanted
    assert set(re.findall(r"CVE-(\d{4}-\d+)", named)) == ADVISORIES


def test_every_test_that_is_named_exists() -> None:
    named = re.findall(r"`(test_\w+\.py)(?:::(test_\w+))?`", PAGE)
    assert len(named) > 60
    for file, test in named:
        found = names_in(file)
        assert not test or test in found, f"{file} has no {test}"
    assert not re.findall(r"`(?:test_\w+\.py)?::test_[^`]*\.\.\.`", PAGE), "a name is cut short"


def test_every_row_has_a_test_or_a_reason() -> None:
    for row, held in ROWS:
        assert "`test_" in held or len(held.split()) >= 2, row
