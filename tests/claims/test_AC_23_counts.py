"""AC-23: without a hybrid allocator windows save compute, not memory (vLLM design document)."""

from inferometer.catalog.models import model
from inferometer.perf.counts import decode_flop, kv_bytes, kv_bytes_per_token, prefill_flop


def test_AC_23_hybrid_allocator_off_keeps_all_kv_but_computes_windows() -> None:
    gemma, tokens = model("gemma-3-27b"), 131_072
    assert kv_bytes(gemma, tokens, 2.0, hybrid=False) == tokens * kv_bytes_per_token(gemma, 2.0)
    # FLOP do not depend on the allocator: 52 of 62 layers stop growing beyond the window.
    growth = decode_flop(gemma, 131_072) - decode_flop(gemma, 65_536)
    assert growth == 10 * 65_536 * 2.0 * 32 * 256
    assert prefill_flop(gemma, 2 * tokens) < 4 * prefill_flop(gemma, tokens)
