"""Every published claim has a test whose name, or file, holds its id, and a place on the page."""

import ast
import re
import tomllib
from pathlib import Path

ROOT = Path(__file__).parents[2]
CHECKS = {f"AC-{number:02}" for number in range(1, 41)}
PENDING = set[str]()
"""Checks whose tests come with the work they check; leave this set as they land."""


def test_every_check_is_stated_with_claim_and_source() -> None:
    facts = tomllib.loads((ROOT / "docs/claims.toml").read_text(encoding="utf-8"))
    assert facts.keys() == CHECKS
    assert all(fact["claim"] and fact["source"] for fact in facts.values())


def test_every_check_has_a_test() -> None:
    tested = set[str]()
    for path in (ROOT / "tests/claims").glob("test_AC_*.py"):
        tree = ast.parse(path.read_text(encoding="utf-8"))
        assert ast.get_docstring(tree), f"{path.name} names no source"
        names = [node.name for node in tree.body if isinstance(node, ast.FunctionDef)]
        for name in names:
            found = re.search(r"AC_(\d\d)", name)
            tested |= {f"AC-{found[1]}"} if found else set()
    assert CHECKS - tested <= PENDING


def test_every_check_is_on_the_page() -> None:
    page = (ROOT / "docs/claims.md").read_text(encoding="utf-8")
    assert {
        f"AC-{number}" for number in re.findall(r"^\| AC-(\d\d) ", page, re.MULTILINE)
    } == CHECKS
    assert "**fails**" not in page
