"""Number formats of a checkpoint from its quantisation fields: an unknown method is an error."""

from inferometer.catalog.architecture import Checkpoint
from inferometer.catalog.fields import Fields

_METHODS = {"mxfp4": "mxfp4", "fp8": "fp8", "fbgemm_fp8": "fp8"}
_ALGORITHMS = {"FP8": "fp8", "FP8_PB_WO": "fp8", "NVFP4": "nvfp4", "W4A16_AWQ": "int4"}
_KV = {"FP8": "fp8", "NVFP4": "nvfp4"}
_FLOATS = {(8, None): "fp8", (4, 16): "nvfp4", (4, 32): "mxfp4", (8, 128): "fp8"}
_QUARK = {"fp8_e4m3": "fp8", "fp4": "mxfp4", "int8": "int8", "int4": "int4"}
_INTEGERS = {8: "int8", 4: "int4"}


def checkpoint(outer: Fields, inner: Fields, name: str) -> Checkpoint:
    """Return the checkpoint that a config.json comes with.

    Args:
        outer: Its fields; a modelopt side file lies under "hf_quant_config".
        inner: Fields of its language part, which may hold the quantisation instead.
        name: Repository.

    Raises:
        CatalogError: the method of quantisation is unknown.
    """
    if outer.has("hf_quant_config"):
        return _modelopt(outer.nested("hf_quant_config").nested("quantization"), name)
    c = outer if outer.has("quantization_config") else inner
    if not c.has("quantization_config"):
        return Checkpoint(name=name, linear="bf16")
    q = c.nested("quantization_config")
    method = q.raw.get("quant_method")
    if q.has("quant_algo"):
        return _modelopt(q, name)
    if _only_experts(q):
        return Checkpoint(name=name, linear="bf16", experts=_format(q, method), kv=_scheme(q))
    return Checkpoint(name=name, linear=_format(q, method), kv=_scheme(q))


def _only_experts(q: Fields) -> bool:
    """Return whether only the routed experts are quantised.

    So in gpt-oss, and where patterns leave out attention and shared experts.
    """
    if q.raw.get("quant_method") == "mxfp4":
        return True
    ignored = q.raw.get("ignore")
    text = " ".join(str(item) for item in ignored) if isinstance(ignored, list) else ""
    return all(f"re:.*{part}.*" in text for part in ("self_attn", "shared_experts"))


def _scheme(q: Fields) -> str:
    """Return the format that the checkpoint asks for its KV cache, "" if none."""
    if not q.has("kv_cache_scheme"):
        return ""
    if q.raw["kv_cache_scheme"] in ("static", "dynamic"):  # of scales; the numbers are FP8
        return "fp8"
    scheme = q.nested("kv_cache_scheme")
    if scheme.raw.get("type") != "float" or scheme.whole("num_bits") != 8:
        raise scheme.fault("num_bits", "8 bits of type float are known")
    return "fp8"


def _format(q: Fields, method: object) -> str:
    if method in ("awq", "gptq"):
        return _integer(q, q.whole("bits", "w_bit"))
    if method == "compressed-tensors":
        return _groups(q)
    if method == "quark":
        return _quark(q.nested("global_quant_config").nested("weight"))
    if not isinstance(method, str) or method not in _METHODS:
        raise q.fault("quant_method", f"unknown method {method!r:.60}")
    return _METHODS[method]


def _quark(weight: Fields) -> str:
    kind = weight.raw.get("dtype")
    if not isinstance(kind, str) or kind not in _QUARK:
        raise weight.fault("dtype", f"unknown format {kind!r:.60}")
    return _QUARK[kind]


def _integer(q: Fields, bits: int) -> str:
    if bits == 8:
        return "w8a16"
    if bits != 4:
        raise q.fault("bits", f"{bits} is not 4 or 8")
    return "int4"


def _modelopt(q: Fields, name: str) -> Checkpoint:
    algorithm, kv = q.raw.get("quant_algo"), q.raw.get("kv_cache_quant_algo")
    if not isinstance(algorithm, str) or algorithm not in _ALGORITHMS:
        raise q.fault("quant_algo", f"unknown algorithm {algorithm!r:.60}")
    if kv is not None and (not isinstance(kv, str) or kv not in _KV):
        raise q.fault("kv_cache_quant_algo", f"unknown algorithm {kv!r:.60}")
    return Checkpoint(name=name, linear=_ALGORITHMS[algorithm], kv=_KV[kv] if kv else _scheme(q))


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
    if kind == "float":
        size = weights.whole("group_size") if weights.has("group_size") else None
        found = _FLOATS.get((bits, size))
    else:
        found = _INTEGERS.get(bits) if kind == "int" else None
    if found is None:
        raise weights.fault("num_bits", f"{bits} bits of type {kind!r:.20} is not known")
    if found == "int8" and not group.has("input_activations"):
        return "w8a16"
    return found
