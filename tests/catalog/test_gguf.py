import contextlib
import os
import struct
import tracemalloc
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from inferometer.catalog.architecture import AttentionKind, Model
from inferometer.catalog.gguf import read_gguf
from inferometer.catalog.gguf_header import read_header
from inferometer.catalog.huggingface import read_config
from inferometer.errors import CatalogError
from inferometer.perf.counts import decode_flop, kv_bytes, parameters

Shapes = dict[str, tuple[int, ...]]
H, V, F, HEADS, KV, DIM = 64, 96, 128, 4, 2, 32
HF: dict[str, Any] = {
    "num_hidden_layers": 6,
    "hidden_size": H,
    "num_attention_heads": HEADS,
    "num_key_value_heads": KV,
    "head_dim": DIM,
    "intermediate_size": F,
    "vocab_size": V,
    "max_position_embeddings": 512,
    "tie_word_embeddings": False,
}
SOFTMAX: Shapes = {
    "attn_norm": (H,),
    "attn_q": (HEADS * DIM, H),
    "attn_k": (KV * DIM, H),
    "attn_v": (KV * DIM, H),
    "attn_output": (H, HEADS * DIM),
    "ffn_norm": (H,),
}
DENSE: Shapes = {"ffn_gate": (F, H), "ffn_up": (F, H), "ffn_down": (H, F)}
QK_NORM: Shapes = {"attn_q_norm": (DIM,), "attn_k_norm": (DIM,)}
SANDWICH: Shapes = {"post_attention_norm": (H,), "post_ffw_norm": (H,)}
EXPERTS: Shapes = {
    "ffn_gate_inp": (8, H),
    "ffn_gate_exps": (8, F, H),
    "ffn_up_exps": (8, F, H),
    "ffn_down_exps": (8, H, F),
}
LATENT: Shapes = {
    "attn_norm": (H,),
    "attn_q_a": (24, H),
    "attn_q_a_norm": (24,),
    "attn_q_b": (HEADS * 24, 24),
    "attn_kv_a_mqa": (16 + 8, H),
    "attn_kv_a_norm": (16,),
    "attn_k_b": (HEADS, 16, 16),
    "attn_v_b": (HEADS, 12, 16),
    "attn_output": (H, HEADS * 12),
    "ffn_norm": (H,),
}
BIASES: Shapes = {
    "attn_q.bias": (HEADS * DIM,),
    "attn_k.bias": (KV * DIM,),
    "attn_v.bias": (KV * DIM,),
}
SHARED: Shapes = {
    "ffn_gate_inp_shexp": (H,),
    "ffn_gate_shexp": (48, H),
    "ffn_up_shexp": (48, H),
    "ffn_down_shexp": (H, 48),
}
OSS: Shapes = {
    "attn_output.bias": (H,),
    "attn_sinks": (HEADS,),
    "ffn_gate_inp.bias": (8,),
    "ffn_gate_exps.bias": (8, F),
    "ffn_up_exps.bias": (8, F),
    "ffn_down_exps.bias": (8, H),
}


def write(path: Path, arch: str, layers: list[Shapes], **keys: Any) -> Path:
    """Write a model with the package gguf of llama.cpp: our oracle of the format."""
    gguf = pytest.importorskip("gguf")
    file = gguf.GGUFWriter(path, arch)
    given: dict[str, Any] = {
        "block_count": len(layers),
        "context_length": 512,
        "embedding_length": H,
        "feed_forward_length": F,
        "attention.head_count": HEADS,
        "attention.head_count_kv": KV,
        "attention.key_length": DIM,
        "attention.value_length": DIM,
    }
    for key, value in (given | keys).items():
        if isinstance(value, list):
            file.add_array(f"{arch}.{key}", value)
        else:
            file.add_uint32(f"{arch}.{key}", value)
    file.add_file_type(1)
    file.add_token_list([f"token {i}" for i in range(V)])
    tensors: Shapes = {"token_embd": (V, H), "output_norm": (H,), "output": (V, H)}
    for i, layer in enumerate(layers):
        tensors |= {f"blk.{i}.{name}": shape for name, shape in layer.items()}
    for name, shape in tensors.items():
        kind = np.float32 if len(shape) == 1 else np.float16
        file.add_tensor(name if name.endswith(".bias") else f"{name}.weight", np.zeros(shape, kind))
    file.write_header_to_file()
    file.write_kv_data_to_file()
    file.write_tensors_to_file()
    file.close()
    return path


@pytest.fixture
def llama(tmp_path: Path) -> Path:
    return write(tmp_path / "tiny.gguf", "llama", [SOFTMAX | DENSE] * 2)


def same(ours: Model, theirs: Model) -> None:
    assert parameters(ours) == parameters(theirs)
    for tokens in (1, 10, 500):
        assert decode_flop(ours, tokens) == decode_flop(theirs, tokens)
        assert kv_bytes(ours, tokens, 2.0, hybrid=True) == kv_bytes(
            theirs, tokens, 2.0, hybrid=True
        )


CASES: dict[str, tuple[str, list[Shapes], dict[str, Any], dict[str, Any]]] = {
    "llama": ("llama", [SOFTMAX | DENSE] * 6, {}, {"model_type": "llama"}),
    "gemma3": (
        "gemma3",
        [SOFTMAX | DENSE | QK_NORM | SANDWICH] * 6,
        {"attention.sliding_window": 64},
        {"model_type": "gemma3_text", "sliding_window": 64, "sliding_window_pattern": 6},
    ),
    "gemma2": (
        "gemma2",
        [SOFTMAX | DENSE | SANDWICH] * 6,
        {"attention.sliding_window": 64},
        {"model_type": "gemma2", "sliding_window": 64},
    ),
    "qwen3moe": (
        "qwen3moe",
        [SOFTMAX | EXPERTS | QK_NORM] * 6,
        {"expert_count": 8, "expert_used_count": 2, "expert_feed_forward_length": F},
        {
            "model_type": "qwen3_moe",
            "num_experts": 8,
            "num_experts_per_tok": 2,
            "moe_intermediate_size": F,
        },
    ),
    "qwen2moe": (
        "qwen2moe",
        [SOFTMAX | EXPERTS | BIASES | SHARED] * 6,
        {"expert_count": 8, "expert_used_count": 2},
        {
            "model_type": "qwen2_moe",
            "num_experts": 8,
            "num_experts_per_tok": 2,
            "moe_intermediate_size": F,
            "shared_expert_intermediate_size": 48,
        },
    ),
    "gpt-oss": (
        "gpt-oss",
        [SOFTMAX | EXPERTS | BIASES | OSS] * 6,
        {"expert_count": 8, "expert_used_count": 2, "attention.sliding_window": 32},
        {
            "model_type": "gpt_oss",
            "num_local_experts": 8,
            "num_experts_per_tok": 2,
            "sliding_window": 32,
        },
    ),
    "deepseek2": (
        "deepseek2",
        [LATENT | DENSE] + [LATENT | EXPERTS | {"exp_probs_b": (8,)}] * 5,
        {
            "attention.head_count_kv": 1,
            "attention.q_lora_rank": 24,
            "attention.kv_lora_rank": 16,
            "attention.key_length_mla": 24,
            "attention.value_length_mla": 12,
            "rope.dimension_count": 8,
            "expert_count": 8,
            "expert_used_count": 2,
            "leading_dense_block_count": 1,
        },
        {
            "model_type": "deepseek_v3",
            "n_routed_experts": 8,
            "num_experts_per_tok": 2,
            "n_shared_experts": 0,
            "first_k_dense_replace": 1,
            "moe_intermediate_size": F,
            "q_lora_rank": 24,
            "kv_lora_rank": 16,
            "qk_nope_head_dim": 16,
            "qk_rope_head_dim": 8,
            "v_head_dim": 12,
        },
    ),
}


@pytest.mark.parametrize("case", CASES)
def test_gguf_and_config_of_one_model_count_alike(tmp_path: Path, case: str) -> None:
    arch, layers, keys, config = CASES[case]
    ours = read_gguf(write(tmp_path / "m.gguf", arch, layers, **keys))
    same(ours, read_config(HF | config))


def test_heads_per_layer_make_a_hybrid(tmp_path: Path) -> None:
    mamba: Shapes = {
        "attn_norm": (H,),
        "ssm_in": (300, H),
        "ssm_conv1d": (144, 4),
        "ssm_out": (H, 128),
    }
    keys = {"ssm.conv_kernel": 4, "ssm.inner_size": 128, "ssm.state_size": 8, "ssm.group_count": 1}
    path = write(
        tmp_path / "m.gguf",
        "granitehybrid",
        [mamba | DENSE, SOFTMAX | DENSE, mamba | DENSE],
        **{"attention.head_count_kv": [0, KV, 0]},
        **keys,
    )
    recurrent, full = read_gguf(path).layers
    assert (recurrent.count, full.count) == (2, 1)
    assert recurrent.attention.kind is AttentionKind.LINEAR
    assert recurrent.attention.state_elements == 128 * 8 + 3 * (128 + 2 * 8)
    assert recurrent.attention.extra_weights == H * 300 + 144 * 4 + 128 * H
    assert full.attention.kv_heads == KV


@pytest.mark.parametrize("case", CASES)
def test_every_weight_is_counted_once(tmp_path: Path, case: str) -> None:
    arch, layers, keys, _ = CASES[case]
    path = write(tmp_path / "m.gguf", arch, layers, **keys)
    total = sum(t.elements for t in read_header(path).tensors)
    assert parameters(read_gguf(path)).total == total


def test_split_files_are_one_model(llama: Path) -> None:
    whole = read_gguf(llama)
    part = llama.with_name("tiny-00001-of-00001.gguf")
    llama.rename(part)
    assert read_gguf(part, name=whole.key) == whole
    part.rename(part.with_name("tiny-00001-of-00002.gguf"))
    with pytest.raises(CatalogError, match="00002-of-00002"):
        read_gguf(part.with_name("tiny-00001-of-00002.gguf"))


def test_format_is_that_of_the_weights(llama: Path) -> None:
    assert read_gguf(llama).checkpoints[0].linear == "fp16"


def test_window_pattern_of_the_file_counts_before_the_architectures_rule(tmp_path: Path) -> None:
    keys = {
        "attention.sliding_window": 64,
        "attention.sliding_window_pattern": [True, False, False],
    }
    found = read_gguf(write(tmp_path / "m.gguf", "gemma3", [SOFTMAX | DENSE] * 3, **keys))
    assert [(g.count, g.attention.window) for g in found.layers] == [(1, 64), (2, None)]


def test_every_truncation_is_refused(llama: Path) -> None:
    data = llama.read_bytes()
    table = sum(t.size for t in read_header(llama).tensors)
    positions = [*range(len(data) - table - 200), *range(len(data) - table, len(data) - 64, 997)]
    for size in positions:
        llama.write_bytes(data[:size])
        with pytest.raises(CatalogError, match=r"tiny\.gguf: offset \d+: "):
            read_gguf(llama)


@pytest.fixture(scope="module")
def sample(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    folder = tmp_path_factory.mktemp("gguf")
    return write(folder / "s.gguf", "llama", [SOFTMAX | DENSE]).read_bytes()


@given(at=st.integers(0, 3000), noise=st.binary(min_size=1, max_size=8))
def test_noise_gives_a_model_or_a_catalog_error(
    sample: bytes, tmp_path_factory: pytest.TempPathFactory, at: int, noise: bytes
) -> None:
    path = tmp_path_factory.getbasetemp() / "noise.gguf"
    path.write_bytes(sample[:at] + noise + sample[at + len(noise) :])
    with contextlib.suppress(CatalogError):  # any other error fails the test
        assert parameters(read_gguf(path)).total > 0


def head(*, version: int = 3, tensors: int = 0, pairs: int = 0, rest: bytes = b"") -> bytes:
    return b"GGUF" + struct.pack("<IQQ", version, tensors, pairs) + rest


def pair(key: bytes, kind: int, value: bytes) -> bytes:
    return struct.pack("<Q", len(key)) + key + struct.pack("<I", kind) + value


NESTED = struct.pack("<IQ", 9, 1) * 10_000


@pytest.mark.parametrize(
    ("content", "named"),
    [
        (b"", "magic"),
        (b"GGML" + bytes(60), "magic"),
        (head(version=1), "version = 1"),
        (head(version=4), "version = 4"),
        (b"GGUF" + struct.pack(">IQQ", 3, 0, 0), "big-endian"),
        (head(tensors=2**64 - 1), "tensor_count"),
        (head(pairs=2**64 - 1), "metadata_kv_count"),
        (head(pairs=1, rest=struct.pack("<Q", 2**63) + bytes(40)), "metadata key"),
        (head(pairs=1, rest=pair(b"a", 8, struct.pack("<Q", 2**63)) + bytes(40)), "a: file trunc"),
        (head(pairs=1, rest=pair(b"a", 9, NESTED)), "arrays inside arrays"),
        (head(pairs=1, rest=pair(b"a", 9, struct.pack("<IQ", 4, 2**62))), "length of a"),
        (head(pairs=1, rest=pair(b"a", 9, struct.pack("<IQ", 77, 1)) + bytes(9)), "item type"),
        (head(pairs=1, rest=pair(b"a", 77, bytes(9))), "unknown type 77"),
        (head(pairs=2, rest=pair(b"a", 0, b"1") * 2), "given twice"),
        (head(pairs=1, rest=pair(b"general.alignment", 4, bytes(4))), "alignment = 0"),
        (head(), "general.architecture"),
    ],
)
def test_hostile_headers_name_what_is_wrong(tmp_path: Path, content: bytes, named: str) -> None:
    path = tmp_path / "bad.gguf"
    path.write_bytes(content)
    with pytest.raises(CatalogError, match=named) as caught:
        read_gguf(path)
    assert str(path) in str(caught.value)


def test_huge_lengths_cost_no_memory(tmp_path: Path) -> None:
    path = tmp_path / "bad.gguf"
    path.write_bytes(head(pairs=1, rest=pair(b"a", 9, struct.pack("<IQ", 8, 2**63))))
    tracemalloc.start()
    with pytest.raises(CatalogError):
        read_gguf(path)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 1 << 20


def test_pipes_and_folders_are_refused_unread(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe.gguf")
    for path in (tmp_path / "pipe.gguf", tmp_path, tmp_path / "absent.gguf"):
        with pytest.raises(CatalogError, match=r"regular file|cannot be read"):
            read_gguf(path)


@pytest.mark.parametrize(
    ("keys", "named"),
    [
        ({"attention.head_count_kv": 3}, "head_count_kv"),
        ({"attention.head_count_kv": [2]}, "head_count_kv"),
        ({"attention.key_length": 640}, "attention"),
        ({"attention.sliding_window": 64}, "sliding_window"),
        ({"block_count": 3}, "block_count"),
        ({"block_count": 10**6}, "block_count"),
        ({"embedding_length": 65}, "embedding_length"),
        ({"context_length": 0}, "context_length"),
    ],
)
def test_metadata_that_contradict_the_tensors(
    tmp_path: Path, keys: dict[str, Any], named: str
) -> None:
    path = write(tmp_path / "bad.gguf", "llama", [SOFTMAX | DENSE] * 2, **keys)
    with pytest.raises(CatalogError, match=named):
        read_gguf(path)


def test_unknown_architecture_is_named(tmp_path: Path) -> None:
    path = write(tmp_path / "bad.gguf", "bert", [SOFTMAX | DENSE])
    with pytest.raises(CatalogError, match="'bert'"):
        read_gguf(path)
