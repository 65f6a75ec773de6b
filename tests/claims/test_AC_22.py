"""AC-22: the bandwidth floor of decode with windows (configuration of Gemma 3, H100 data sheet)."""

import pytest

from inferometer.catalog.models import model
from inferometer.catalog.tables import accelerator
from inferometer.perf.counts import kv_bytes, parameters


@pytest.mark.parametrize(
    ("tokens", "full_ms", "hybrid_ms"),
    [(1_024, 16.27, 16.27), (32_768, 21.1, 17.1), (131_072, 36.0, 19.5)],
)
def test_AC_22_decode_floor_of_gemma_3_27b(tokens: int, full_ms: float, hybrid_ms: float) -> None:
    gemma, bandwidth = model("gemma-3-27b"), accelerator("h100-sxm").memory_bandwidth
    weights = 2.0 * parameters(gemma).total
    for hybrid, expected in ((False, full_ms), (True, hybrid_ms)):
        floor = (weights + kv_bytes(gemma, tokens, 2.0, hybrid=hybrid)) / bandwidth
        assert 1e3 * floor == pytest.approx(expected, rel=0.01)
