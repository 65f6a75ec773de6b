"""The gateway's prices are the ledger's, and a bound is one."""

import subprocess
import sys
from collections import deque
from pathlib import Path
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from inferometer.meter.gateway.pricing import TablePricing, table_of
from inferometer.meter.prices import priced
from inferometer.meter.record import Attempt

NOW = 1_790_000_000_000_000_000
COUNTS = st.lists(st.integers(0, 10**7), min_size=6, max_size=6)
ROWS = """
[[price]]
provider = "self-hosted"
model = "own"
valid_from = 2020-01-01
source = "made up"
input = "0.333333"
cache_read = "0.1"
output = "2.000001"
"""


def pricing(folder: Path) -> TablePricing:
    file = folder / "prices.toml"
    file.write_text(ROWS, encoding="utf-8")
    table = table_of(file)
    table.prepare([("self-hosted", "own"), ("openai", "gpt-4o")])
    return TablePricing(table, deque().extend)


def row(served: str, counts: list[int], provider: str = "self-hosted") -> Attempt:
    names = ("uncached_input", "cache_read", "cache_write_5m", "cache_write_1h", "output")
    tokens: dict[str, Any] = dict(zip((*names, "reasoning"), counts, strict=True))
    start = Attempt("r", 1, NOW, NOW, "t", served=served, model="public", provider=provider)
    return start._replace(flags="f", **tokens)


def test_priced_as_the_ledger_prices(tmp_path: Path) -> None:
    prices = pricing(tmp_path)

    @settings(deadline=None)
    @given(COUNTS, st.sampled_from([("own", "self-hosted"), ("gpt-4o", "openai")]))
    def holds(counts: list[int], name: tuple[str, str]) -> None:
        asked = row(name[0], counts, name[1])
        assert prices.price(asked, name[0]) == priced(asked, prices.table)
        found = prices.price(asked, name[0]).nanos
        bound = prices.bound(name[1], name[0], sum(counts[:4]), sum(counts[4:]))
        assert found is None or (bound is not None and found <= bound)

    holds()


def test_an_answer_that_names_another_model_is_priced_by_the_configured_one(tmp_path: Path) -> None:
    prices = pricing(tmp_path)
    found = prices.price(row("own-2026-11-01", [10, 0, 0, 0, 5, 0]), "own")
    assert found.nanos == priced(row("own", [10, 0, 0, 0, 5, 0]), prices.table).nanos
    assert found.served == "own-2026-11-01"
    assert (found.flags, found.source) == ("f", "gateway")


def test_the_unknown_stays_unpriced(tmp_path: Path) -> None:
    asked = row("unknown", [1, 0, 0, 0, 1, 0])
    assert pricing(tmp_path).price(asked, "unknown-too") == asked
    assert pricing(tmp_path).bound("self-hosted", "unknown", 1, 1) is None


def test_a_tier_that_is_asked_for_is_reserved_at_the_dearer_price(tmp_path: Path) -> None:
    """The answer may say that the standard tier served, so neither may be beyond the bound."""
    file = tmp_path / "prices.toml"
    tier = ROWS.replace("source =", 'tier = "priority"\nsource =').replace("2.000001", "4")
    flex = ROWS.replace("source =", 'tier = "flex"\nsource =').replace("2.000001", "1")
    file.write_text(ROWS + tier + flex, encoding="utf-8")
    prices = TablePricing(table_of(file), deque().extend)
    prices.table.prepare([("self-hosted", "own")])
    bounds = {
        name: prices.bound("self-hosted", "own", 0, 10**6, name)
        for name in ("", "priority", "flex")
    }
    assert bounds == {"": 2_000_001_001, "priority": 4_000_000_001, "flex": 2_000_001_001}
    assert prices.bound("self-hosted", "own", 0, 10**6, "batch") is None


def test_own_engines_load_no_price_list() -> None:
    """It is a third of the memory of a process that needs none of it; an API's is loaded."""
    program = (
        "import sys; from inferometer.meter.gateway import process, pricing; "
        "table = pricing.table_of(None); table.prepare([('self-hosted', 'gpt-4o')]); "
        "print('genai_prices' in sys.modules, len(list(table.rows()))); "
        "table.prepare([('openai', 'gpt-4o')]); "
        "print('genai_prices' in sys.modules, len(list(table.rows())) > 0)"
    )
    found = subprocess.run(  # noqa: S603
        [sys.executable, "-c", program], check=True, capture_output=True, text=True
    )
    assert found.stdout.split() == ["False", "0", "True", "True"]
