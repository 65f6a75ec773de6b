import pytest
from hypothesis import given
from hypothesis import strategies as st

from inferometer.catalog.models import model
from inferometer.perf.counts import causal_pairs, decode_flop, kv_bytes, prefill_flop


@given(st.integers(0, 60), st.integers(0, 60), st.one_of(st.none(), st.integers(1, 80)))
def test_causal_pairs_is_the_sum_over_tokens(tokens: int, cached: int, window: int | None) -> None:
    seen = [cached + j for j in range(1, tokens + 1)]
    assert causal_pairs(tokens, cached, window) == sum(
        s if window is None else min(s, window) for s in seen
    )


def test_prefill_of_one_token_is_a_decode_step() -> None:
    for name in ("llama-3.1-8b", "gemma-3-27b", "gpt-oss-20b", "qwen3-30b-a3b"):
        record = model(name)
        assert prefill_flop(record, 1, cached=5000) == pytest.approx(decode_flop(record, 5001))


def test_llama_kv_is_128_kib_per_token() -> None:
    assert kv_bytes(model("llama-3.1-8b"), 1, 2.0, hybrid=True) == 131_072


def test_latent_kv_is_70272_bytes_per_token() -> None:
    assert kv_bytes(model("deepseek-v3"), 1, 2.0, hybrid=True) == 61 * (512 + 64) * 2
