"""Whatever a config.json says, it gives a model with positive counts or an error that names it."""

import contextlib
import tomllib
from collections.abc import Mapping
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from inferometer.catalog.huggingface import FAMILIES, read_config
from inferometer.catalog.load import shipped
from inferometer.catalog.models import models
from inferometer.catalog.tables import formats
from inferometer.errors import CatalogError
from inferometer.perf.counts import decode_flop, kv_bytes, parameters, prefill_flop

CONFIGS: dict[str, dict[str, Any]] = {
    key: raw["config"]
    for file in shipped("models").iterdir()
    if file.name.endswith(".toml")
    for key, raw in tomllib.loads(file.read_text(encoding="utf-8")).items()
}
BY_FAMILY: Mapping[str, dict[str, Any]] = {raw["model_type"]: raw for raw in CONFIGS.values()}
JUNK = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(-2, 4),
    st.sampled_from([2**63, 10**400, float("nan"), float("inf"), -1.5, "", "8", "auto"]),
    st.lists(st.one_of(st.integers(-1, 99), st.text(max_size=3)), max_size=3),
    st.dictionaries(st.text(max_size=3), st.integers(), max_size=2),
)


@given(raw=st.sampled_from(sorted(BY_FAMILY)), data=st.data())
def test_a_spoilt_field_gives_a_model_or_a_catalog_error(raw: str, data: st.DataObject) -> None:
    config = BY_FAMILY[raw]
    field = data.draw(st.sampled_from(sorted(config)))
    with contextlib.suppress(CatalogError):  # any other error fails the test
        record = read_config({**config, field: data.draw(JUNK)})
        assert parameters(record).active > 0
        assert decode_flop(record, 10.0) > 0


QUANTISATION_FIELDS = (
    *("quant_method", "bits", "quant_algo", "kv_cache_quant_algo", "kv_cache_scheme", "ignore"),
    *("config_groups", "weights", "num_bits", "type", "group_size", "global_quant_config"),
)
TREES = st.recursive(
    st.one_of(JUNK, st.sampled_from(["awq", "compressed-tensors", "quark", "NVFP4", "float"])),
    lambda inner: st.dictionaries(st.sampled_from(QUANTISATION_FIELDS), inner, max_size=4),
    max_leaves=12,
)


@given(quantisation=TREES, method=st.sampled_from(["gptq", "compressed-tensors", "quark", "fp8"]))
def test_a_spoilt_quantisation_gives_a_format_or_a_catalog_error(
    quantisation: object, method: str
) -> None:
    table = isinstance(quantisation, dict)
    raw = {"quant_method": method, **quantisation} if table else quantisation
    with contextlib.suppress(CatalogError):
        record = read_config({**BY_FAMILY["llama"], "quantization_config": raw})
        assert record.checkpoints[0].linear in formats()


@pytest.mark.parametrize("family", sorted(BY_FAMILY))
def test_a_missing_field_is_named_or_has_a_rule(family: str) -> None:
    config = BY_FAMILY[family]
    for field in config:
        rest = {name: value for name, value in config.items() if name != field}
        with contextlib.suppress(CatalogError):
            read_config(rest)
    sizes = {"vocab_size", "padded_vocab_size"} & config.keys()
    for field, absent in (("vocab_size", sizes), ("model_type", {"model_type"})):
        with pytest.raises(CatalogError, match=field):
            read_config({**config, **dict.fromkeys(absent)})


def test_nearly_every_family_has_a_shipped_model() -> None:
    assert len(BY_FAMILY.keys() & FAMILIES.keys()) >= 50


@pytest.mark.parametrize("key", sorted(models()))
def test_counts_grow_with_what_they_count(key: str) -> None:
    record = models()[key]
    assert 0 < parameters(record).active <= parameters(record).total
    for hybrid in (False, True):
        caches = [kv_bytes(record, tokens, 2.0, hybrid=hybrid) for tokens in (1, 100, 10_000)]
        assert caches == sorted(caches)
    assert prefill_flop(record, 1, cached=50) <= decode_flop(record, 51) * 1.001 or any(
        layer.attention.kv_rank for layer in record.layers
    )
    assert decode_flop(record, 100) <= decode_flop(record, 1000)
    assert prefill_flop(record, 200) > prefill_flop(record, 100)
