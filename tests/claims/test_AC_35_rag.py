"""AC-35: what five retrieved passages of 512 tokens cost a 70B model on four H100."""

import pytest

from inferometer.catalog.models import model
from inferometer.catalog.tables import accelerator
from inferometer.perf.counts import layer_counts, parameters

PASSAGES, BASE = 5 * 512, 1000
ACCELERATORS, UTILISATION, HOURLY, POOL = 4, 0.5, 1.69, 148e9


def test_AC_35_rag() -> None:
    llama = model("llama-3.1-70b")
    rate = ACCELERATORS * accelerator("h100-sxm").peak_bf16 * UTILISATION
    prefill = 2 * parameters(llama).active * PASSAGES / rate
    assert prefill == pytest.approx(0.181, rel=0.01)
    cost = prefill * ACCELERATORS * HOURLY / 3600
    assert cost == pytest.approx(0.000340, rel=0.01)
    kept = sum(group.count * group.kv_elements * 2 for group in layer_counts(llama))  # bf16
    assert POOL // (kept * BASE) == 451
    assert POOL // (kept * (BASE + PASSAGES)) == 126
