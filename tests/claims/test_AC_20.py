"""AC-20: KV memory grows with the context, not its square (reported as 62 -> 10 GB, llama.cpp)."""

import pytest

from inferometer.catalog.models import model
from inferometer.perf.counts import kv_bytes

GIB = 2.0**30


def test_AC_20_gemma_3_27b_kv_at_128k() -> None:
    gemma = model("gemma-3-27b")
    assert kv_bytes(gemma, 131_072, 2.0, hybrid=False) / GIB == pytest.approx(62.00, rel=1e-3)
    assert kv_bytes(gemma, 131_072, 2.0, hybrid=True) / GIB == pytest.approx(10.41, rel=1e-3)
