import pytest

from inferometer.calibrate.layouts import layout, mixed_pools, pool
from inferometer.calibrate.measurement import Row
from inferometer.calibrate.resolution import engine, precision
from inferometer.calibrate.subjects import speculation
from inferometer.catalog.models import model


def row(layout: str = "serving", **cells: str) -> Row:
    return Row(
        key="r", source=cells.get("source", "lab"), family="f", gpu=cells.get("gpu", "H100-SXM"),
        model=cells.get("model", "llama-3.1-8b"), cells=cells, metrics={}, layout=layout,
    )  # fmt: skip


@pytest.mark.parametrize(
    ("cells", "wanted", "replicas"),
    [
        ({"tp": "4", "num_gpus": "4", "precision": "fp8"}, "TP4", 1),
        ({"tp": "2", "num_gpus": "8", "precision": "fp4"}, "TP2", 4),
        ({"tp": "4", "pp": "2", "num_gpus": "8"}, "TP4 PP2", 1),
        # ML.ENERGY counts the tensor ranks of a sparse model as expert ranks.
        ({"tp": "1", "ep": "8", "dp": "1", "num_gpus": "8"}, "TP8 EP", 1),
        ({"tp": "1", "ep": "8", "dp": "8", "num_gpus": "8"}, "TP1 DP8 EP", 1),
        # InferenceX's sources multiply both cuts: eight ranks, not sixty-four.
        (
            {"tp": "64", "ep": "8", "dp": "1", "num_gpus": "64", "note": "gemm=;moe_tp=8"},
            "TP8 EP",
            1,
        ),
        ({"tp": "1", "ep": "8", "dp": "64", "num_gpus": "64", "note": "moe_tp=8"}, "TP1 DP8 EP", 1),
        # 64 query heads cannot be cut in 72: attention runs data parallel.
        ({"tp": "72", "num_gpus": "72"}, "TP1 DP72 EP", 1),
    ],
)
def test_counts_become_layouts(cells: dict[str, str], wanted: str, replicas: int) -> None:
    found, copies = layout(row(**cells), model("qwen3-235b-a22b"))
    assert (str(found), copies) == (wanted, replicas)


def test_counts_that_cannot_hold_the_weights_give_way_to_the_fewest_that_can() -> None:
    found, _ = layout(row(tp="1", num_gpus="1", precision="fp8"), model("qwen3-235b-a22b"))
    assert found.tensor == 8  # 235 GB of weights leave room for a cache on eight of 80 GB


def test_no_counts_means_the_fewest_ranks_that_leave_room_and_replicas() -> None:
    cells = {"num_gpus": "8", "load_type": "offline", "precision": "fp8", "engine_norm": "trtllm"}
    found, replicas = layout(row(**cells), model("llama-2-70b"))
    assert (found.tensor, replicas) == (2, 4)


@pytest.mark.parametrize(
    ("name", "date", "wanted"),
    [("vllm", "2024-06", "vllm-v0"), ("vLLM 0.9.0", "2025-09", "vllm-2025"), ("", "", "vllm"),
     ("vllm", "2023-11", "vllm-2023"),
     ("vllm", "2025-12-01", "vllm"), ("tensorrt-llm", "2024", "trtllm-0"),
     ("tensorrt-llm", "2025", "trtllm-1"), ("tensorrt-llm", "2026-01-29", "trtllm"),
     ("ollama (llama.cpp)", "2026", "llama.cpp"), ("sglang", "2024", "sglang-2025"),
     ("an engine of their own", "2025-05", "vllm-2025")],
)  # fmt: skip
def test_engines_by_name_and_date(name: str, date: str, wanted: str) -> None:
    assert engine(row(engine=name, measured_date=date)).key == wanted


@pytest.mark.parametrize(
    ("version", "wanted"),
    [
        ("0.2.7", "vllm-2023"),
        ("0.5.4", "vllm-v0"),
        ("v0.11.2", "vllm-2025"),
        ("0.12.0", "vllm"),
        ("nightly", "vllm"),
    ],
)
def test_a_version_tells_the_release_where_no_date_does(version: str, wanted: str) -> None:
    assert engine(row(engine="vllm", engine_version=version)).key == wanted


RUN = {
    "source": "aic-silicon/inferencex", "engine": "trtllm", "gpu": "GB200", "precision": "fp4",
    "measured_date": "2026-02-06",
}  # fmt: skip


@pytest.mark.parametrize(
    ("cells", "drafts"),
    [
        ({"engine_version": "1.2.0rc6.post3"}, True),
        ({"engine_version": "1.2.0rc6.post2"}, False),
        ({"engine_version": "1.2.0rc6.post3", "source": "another laboratory"}, False),
        ({"engine_version": "0.8.1.post1", "prefill_cfg": '{"tp_size": "4"}'}, True),
        ({"engine_version": "0.8.1.post1", "prefill_cfg": '{"num_workers": "4"}'}, False),
    ],
)
def test_runs_known_to_draft(cells: dict[str, str], drafts: bool) -> None:
    found = speculation(row(**RUN | cells), model("deepseek-v3"))
    assert (found is not None) == drafts
    assert speculation(row(**RUN | cells), model("llama-3.1-8b")) is None


@pytest.mark.parametrize(
    ("cells", "wanted", "workers"),
    [
        # A decode worker with data-parallel attention over 32 ranks.
        ({"tp": "32", "engine_version": "0.8.1"}, "TP1 DP32 EP", 1),
        # 36 accelerators: four prefill, and four decode workers of eight while clients are few.
        ({"tp": "36", "concurrency_or_rate": "128"}, "TP8 EP", 4),
        ({"tp": "36", "concurrency_or_rate": "1075"}, "TP1 DP32 EP", 1),
        # No more than a decode worker's own ranks beside some prefill.
        ({"tp": "10", "concurrency_or_rate": "16"}, "TP8 EP", 1),
        ({"tp": "8", "num_gpus": "8", "concurrency_or_rate": "16"}, "TP8", 1),
    ],
)
def test_racks_cut_latent_attention_at_most_eight_ways(
    cells: dict[str, str], wanted: str, workers: int
) -> None:
    found, copies = layout(row(**RUN | cells), model("deepseek-v3"))
    assert (str(found), copies) == (wanted, workers)


def test_pools_of_early_llm_d_mix_and_others_do_not() -> None:
    assert mixed_pools(row(engine="llm-d", prefill_cfg="1"))
    assert not mixed_pools(row(engine="llm-d", prefill_cfg='{"num_workers": 1}'))
    assert not mixed_pools(row(engine="vllm", prefill_cfg="1"))


@pytest.mark.parametrize(
    ("cells", "linear", "experts", "kv"),
    [
        ({}, "bf16", "bf16", "bf16"),
        ({"precision": "bfloat16"}, "bf16", "bf16", "bf16"),
        ({"precision": "fp8"}, "fp8", "fp8", "bf16"),
        ({"precision": "fp8", "engine_norm": "trtllm"}, "fp8", "fp8", "fp8"),
        ({"note": "gemm=nvfp4;moe=nvfp4;moe_tp=1"}, "nvfp4", "nvfp4", "bf16"),
        ({"model": "nvidia/Qwen3-32B-NVFP4"}, "nvfp4", "nvfp4", "fp8"),
        ({"model": "Qwen/Qwen3-32B-NVFP4"}, "nvfp4", "nvfp4", "bf16"),
        ({"model": "qwen3_14b (ollama tag)"}, "q4_k_m", "q4_k_m", "bf16"),
    ],
)
def test_number_formats(cells: dict[str, str], linear: str, experts: str, kv: str) -> None:
    found = precision(row(**cells), model("qwen3-32b"))
    assert (found.linear.key, found.experts.key, found.kv.key) == (linear, experts, kv)


def test_four_bit_latent_attention_stays_in_sixteen() -> None:
    found = precision(row(precision="fp4"), model("deepseek-v3"))
    assert (found.linear.key, found.experts.key) == ("bf16", "nvfp4")


def test_pools_are_read_from_their_configuration() -> None:
    ranks = '"tp_size": "8", "attention_dp_size": "1", "moe_ep_size": "8", "moe_tp_size": "1"'
    one = row(decode_cfg=f'{{"num_workers": "9", {ranks}}}', precision="fp8", gpu="H200-SXM")
    found = pool(one, model("deepseek-v3"), "decode_cfg")
    assert found is not None
    assert (str(found[0]), found[1]) == ("TP8 EP", 9)
    assert pool(one, model("deepseek-v3"), "prefill_cfg") is None


def test_pools_whose_experts_are_counted_as_cut_twice_have_the_ranks_of_one_cut() -> None:
    ranks = '"tp_size": "8", "attention_dp_size": "8", "moe_ep_size": "8", "moe_tp_size": "8"'
    one = row(decode_cfg=f'{{"num_workers": "2", {ranks}}}', precision="fp8", gpu="H200-SXM")
    found = pool(one, model("deepseek-v3"), "decode_cfg")
    assert found is not None
    assert (str(found[0]), found[1]) == ("TP8 EP", 2)


@pytest.mark.parametrize(
    ("said", "wanted"),
    [("bf16+fp8kv", "bf16"), ("fp8, kv fp8", "fp8"), ("f16", "bf16"), ("F32", "fp32"),
     ("w4afp8", "int4"), ("nf4", "int4"), ("q4", "q4_k_m"), ("UNSET", "bf16"), ("fp8_e5m2", "fp8")],
)  # fmt: skip
def test_spellings_of_formats(said: str, wanted: str) -> None:
    assert precision(row(precision=said), model("llama-3.1-8b")).linear.key == wanted


def test_an_unstated_format_is_the_checkpoints() -> None:
    named = row(precision="unknown", model="RedHatAI/Llama-3.1-8B-FP8")
    assert precision(named, model("llama-3.1-8b")).linear.key == "fp8"
