"""AC-21: what windows save (configurations of Mistral-7B v0.1 and gpt-oss-120b)."""

import pytest

from inferometer.catalog.models import model
from inferometer.perf.counts import kv_bytes


@pytest.mark.parametrize(
    ("name", "tokens", "ratio"), [("mistral-7b", 32_768, 8.00), ("gpt-oss-120b", 131_072, 2.00)]
)
def test_AC_21_windows_save_kv(name: str, tokens: int, ratio: float) -> None:
    record = model(name)
    full, hybrid = (kv_bytes(record, tokens, 2.0, hybrid=kept) for kept in (False, True))
    assert full / hybrid == pytest.approx(ratio, rel=1e-3)
