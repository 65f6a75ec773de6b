"""Number formats of a checkpoint from its quantisation fields: an unknown method is an error."""

from collections.abc import Mapping

from inferometer.catalog.architecture import Checkpoint
from inferometer.catalog.fields import Fields

_METHODS = {"fp8": "fp8", "fbgemm_fp8": "fp8"}
_ALGORITHMS = {"FP8": "fp8", "FP8_PB_WO": "fp8", "NVFP4": "nvfp4", "W4A16_AWQ": "int4"}
_KV = {"FP8": "fp8", "NVFP4": "nvfp4"}
_FLOATS = {8: "fp8", 4: "nvfp4"}
_INTEGERS = {8: "int8", 4: "int4"}


def checkpoint(c: Fields, name: str) -> Checkpoint:
    """Return the checkpoint that a config.json comes with.

    Args:
        c: Its fields; a modelopt side file lies under "hf_quant_config".
        name: Repository.

    Raises:
        CatalogError: the method of quantisation is unknown.
    """
    if c.has("hf_quant_config"):
        return _modelopt(c.nested("hf_quant_config").nested("quantization"), name)
    if not c.has("quantization_config"):
        return Checkpoint(name=name, linear="bf16")
    q = c.nested("quantization_config")
    method = q.raw.get("quant_method")
    if q.has("quant_algo"):
        return _modelopt(q, name)
    if method == "mxfp4":  # gpt-oss: only the routed experts are quantised
        return Checkpoint(name=name, linear="bf16", experts="mxfp4")
    return Checkpoint(name=name, linear=_format(q, method))


def _format(q: Fields, method: object) -> str:
    if method in ("awq", "gptq"):
        return _integer(q, q.whole("bits", "w_bit"))
    if method == "compressed-tensors":
        return _groups(q)
    if not isinstance(method, str) or method not in _METHODS:
        raise q.fault("quant_method", f"unknown method {method!r:.60}")
    return _METHODS[method]


def _integer(q: Fields, bits: int) -> str:
    if bits == 8:
        return "w8a16"
    if bits != 4:
        raise q.fault("bits", f"{bits} is not 4 or 8")
    return "int4"


def _modelopt(q: Fields, name: str) -> Checkpoint:
    algorithm, kv = q.raw.get("quant_algo"), q.raw.get("kv_cache_quant_algo")
    if algorithm not in _ALGORITHMS:
        raise q.fault("quant_algo", f"unknown algorithm {algorithm!r:.60}")
    if kv is not None and kv not in _KV:
        raise q.fault("kv_cache_quant_algo", f"unknown algorithm {kv!r:.60}")
    return Checkpoint(name=name, linear=_ALGORITHMS[algorithm], kv=_KV[kv] if kv else "")


def _groups(q: Fields) -> str:
    """Return the format of compressed-tensors whose groups agree."""
    found: set[str] = set()
    groups = q.nested("config_groups")
    for key in groups.raw:
        group = groups.nested(key)
        found.add(_group(group))
    if len(found) != 1:
        raise q.fault("config_groups", f"one format is wanted, not {sorted(found)}")
    return found.pop()


def _group(group: Fields) -> str:
    weights = group.nested("weights")
    bits, kind = weights.whole("num_bits"), weights.raw.get("type")
    known: Mapping[int, str] = {"float": _FLOATS, "int": _INTEGERS}.get(str(kind), {})
    if bits not in known:
        raise weights.fault("num_bits", f"{bits} bits of type {kind!r:.20} is not known")
    if kind == "int" and bits == 8 and not group.has("input_activations"):
        return "w8a16"
    return known[bits]
