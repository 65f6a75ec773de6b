"""Each tool's traps (units, populations, denominators) undone; made-up results of known truth.

The truth: 100 requests of 1,000 input and 101 output tokens on four accelerators; TTFT 200 ms,
TPOT 10 ms, so E2E 1.2 s; 80 requests per minute finish.
"""

import json
from pathlib import Path
from typing import Any

import pytest

from inferometer.calibrate.drafts import chance
from inferometer.calibrate.files import read
from inferometer.calibrate.finding import finder
from inferometer.calibrate.observation import observe
from inferometer.calibrate.percentiles import percentile
from inferometer.calibrate.verdict import judge
from inferometer.catalog.efficiency import efficiencies
from inferometer.errors import ScenarioError

SETUP = {"gpu": "H100-SXM", "num_gpus": "4", "tp": "4", "precision": "fp8", "model": "llama-3.1-8b"}


def write(folder: Path, content: Any, setup: dict[str, str] | None = None) -> Path:
    path = folder / "result.json"
    path.write_text(json.dumps(content), encoding="utf-8")
    (folder / "result.setup.json").write_text(json.dumps(SETUP if setup is None else setup))
    return path


def vllm(**more: Any) -> dict[str, Any]:
    return {
        "model_id": "meta-llama/Llama-3.1-8B", "backend": "vllm", "completed": 100, "failed": 3,
        "max_concurrency": 8, "request_rate": "inf", "total_input_tokens": 100_000,
        "total_output_tokens": 10_100, "output_throughput": 134.7, "total_token_throughput": 1468.0,
        "request_throughput": 1.333, "median_ttft_ms": 200.0, "mean_ttft_ms": 210.0,
        "p99_ttft_ms": 400.0, "median_tpot_ms": 10.0, "mean_tpot_ms": 10.1, "p99_tpot_ms": 12.0,
        "median_itl_ms": 9.5, "mean_itl_ms": 10.0, "p99_itl_ms": 40.0, "median_e2el_ms": 1200.0,
        "generated_texts": ["secret"], **more,
    }  # fmt: skip


def test_vllm_counts_successes_and_keeps_gaps_apart_from_requests(tmp_path: Path) -> None:
    (row,) = read(write(tmp_path, vllm()))
    assert row.metrics["tpot_ms_p50"] == 10.0
    assert row.metrics["itl_ms_p50"] == 9.5
    assert row.metrics["e2e_ms_p50"] == 1200.0
    assert (row.cells["isl"], row.cells["osl"]) == ("1000.0", "101.0")  # per completed request
    assert (row.cells["load_type"], row.cells["concurrency_or_rate"]) == ("concurrency", "8")
    assert "secret" not in str(row)


@pytest.mark.parametrize(
    ("clients", "rate", "load", "value"),
    [(None, "inf", "offline", ""), (None, 4.0, "rate", "4.0"), (16, 4.0, "concurrency", "16")],
)
def test_an_infinite_rate_is_no_rate(
    tmp_path: Path, clients: int | None, rate: object, load: str, value: str
) -> None:
    (row,) = read(write(tmp_path, vllm(max_concurrency=clients, request_rate=rate)))
    assert (row.cells["load_type"], row.cells["concurrency_or_rate"]) == (load, value)


def test_a_run_without_a_success_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ScenarioError, match="completed is 0"):
        read(write(tmp_path, vllm(completed=0)))


def aiperf(unit: str, scale: float) -> dict[str, Any]:
    def latency(ms: float) -> dict[str, Any]:
        return {"unit": unit, "avg": ms * scale, "p50": ms * scale, "p99": ms * scale}

    return {
        "schema_version": "1.4", "aiperf_version": "0.13.0",
        "run_info": {"cli_command": "aiperf profile --model 'llama-3.1-8b' --concurrency 8"},
        "time_to_first_token": latency(200), "inter_token_latency": latency(10),
        "request_latency": latency(1200),
        "input_sequence_length": {"unit": "tokens", "avg": 1000.0},
        "output_sequence_length": {"unit": "tokens", "avg": 101.0},
        "output_token_throughput": {"unit": "tokens/sec", "avg": 134.7},
    }  # fmt: skip


@pytest.mark.parametrize(("unit", "scale"), [("ms", 1.0), ("s", 1e-3), ("us", 1e3), ("ns", 1e6)])
def test_aiperf_units_are_what_each_metric_says(tmp_path: Path, unit: str, scale: float) -> None:
    (row,) = read(write(tmp_path, aiperf(unit, scale)))
    assert row.metrics["ttft_ms_p50"] == pytest.approx(200)
    assert row.metrics["e2e_ms_mean"] == pytest.approx(1200)
    assert row.metrics["tokens_per_s"] == 134.7


def test_aiperf_means_over_requests_are_a_tpot(tmp_path: Path) -> None:
    (row,) = read(write(tmp_path, aiperf("ms", 1.0)))
    assert row.metrics["tpot_ms_p50"] == pytest.approx(10)
    assert "itl_ms_p50" not in row.metrics


def test_an_unknown_version_is_named(tmp_path: Path) -> None:
    with pytest.raises(ScenarioError, match=r"schema_version '9\.0'"):
        read(write(tmp_path, {**aiperf("ms", 1.0), "schema_version": "9.0"}))


def guidellm(version: int = 2) -> dict[str, Any]:
    def metric(value: float) -> dict[str, Any]:
        return {"successful": {"mean": value, "median": value, "percentiles": {"p99": value * 2}}}

    return {
        "metadata": {"version": version}, "config": {"model": "llama-3.1-8b"},
        "benchmarks": [{"metrics": {
            "request_totals": {"successful": 100}, "request_concurrency": metric(8),
            "request_latency": metric(1.2), "time_to_first_token_ms": metric(200),
            "time_per_output_token_ms": metric(1200 / 101), "inter_token_latency_ms": metric(10),
            "prompt_token_count": metric(1000), "output_token_count": metric(101),
            "output_tokens_per_second": metric(134.7), "requests_per_second": metric(1.333),
        }}],
    }  # fmt: skip


def test_guidellm_time_per_output_token_includes_the_first_and_is_not_tpot(tmp_path: Path) -> None:
    (row,) = read(write(tmp_path, guidellm()))
    assert row.metrics["tpot_ms_p50"] == 10  # not 11.88, which is E2E / n
    assert row.metrics["e2e_ms_p50"] == 1200  # seconds in the file
    assert row.metrics["ttft_ms_p99"] == 400


def test_guidellm_versions_beyond_the_known_are_refused(tmp_path: Path) -> None:
    with pytest.raises(ScenarioError, match="version 7"):
        read(write(tmp_path, guidellm(7)))


def test_inference_perf_is_in_seconds_and_successes_only(tmp_path: Path) -> None:
    def latency(seconds: float) -> dict[str, float]:
        return {"mean": seconds, "median": seconds, "p99": seconds * 2}

    (row,) = read(write(tmp_path, {
        "load_summary": {"count": 103, "requested_rate": 1.5}, "failures": {"count": 3},
        "successes": {
            "count": 100, "prompt_len": {"mean": 1000.0}, "output_len": {"mean": 101.0},
            "latency": {"request_latency": latency(1.2), "time_to_first_token": latency(0.2),
                        "time_per_output_token": latency(0.01)},
            "throughput": {"output_tokens_per_sec": 134.7, "total_tokens_per_sec": 1468.0,
                           "requests_per_sec": 1.333},
        },
    }))  # fmt: skip
    assert row.metrics["ttft_ms_p50"] == pytest.approx(200)
    assert row.metrics["tpot_ms_mean"] == pytest.approx(10)
    assert row.cells["num_requests"] == "100.0" or row.cells["num_requests"] == "100"
    assert row.cells["concurrency_or_rate"] == "1.5"


INFERENCEX = {
    "hw": "h100-sxm", "model": "llama-3.1-8b", "framework": "vllm", "precision": "fp8", "conc": 8,
    "isl": 1000, "osl": 101, "tp": 4, "pp": 1, "ep": 1, "disagg": False, "median_ttft": 0.2,
    "median_tpot": 0.01, "tput_per_gpu": 367.0, "output_tput_per_gpu": 33.675,
}  # fmt: skip


def test_inferencex_counts_output_per_accelerator(tmp_path: Path) -> None:
    (row,) = read(write(tmp_path, [INFERENCEX], {}))
    assert row.metrics["tokens_per_s"] == pytest.approx(134.7)  # not 4 x 367, input included
    assert row.metrics["tpot_ms_p50"] == pytest.approx(10)
    assert row.cells["num_gpus"] == "4"


def test_inferencex_split_deployments_divide_output_by_decode_accelerators(tmp_path: Path) -> None:
    split = {**INFERENCEX, "disagg": True, "num_prefill_gpu": 12, "num_decode_gpu": 4}
    (row,) = read(write(tmp_path, split, {}))
    assert row.metrics["tokens_per_s"] == pytest.approx(134.7)
    assert row.cells["num_gpus"] == "16"


def test_inferencex_pools_are_pools(tmp_path: Path) -> None:
    """A split deployment is no aggregated one, whatever of its layout is stated."""
    split = {**INFERENCEX, "model": "deepseek-r1", "hw": "b200", "disagg": True,
             "num_prefill_gpu": 8, "num_decode_gpu": 16}  # fmt: skip
    stated = {"prefill_tp": 4, "prefill_num_workers": 2, "decode_tp": 16, "decode_ep": 16,
              "decode_dp_attention": True, "decode_num_workers": 1}  # fmt: skip
    counted, said = observe(read(write(tmp_path, [split, {**split, **stated}], {})), finder())[0]
    assert counted.subject.prefill is not None
    assert (counted.subject.deployment.accelerators, counted.subject.prefill.accelerators) == (
        16,
        8,
    )
    assert said.subject.prefill is not None
    assert str(said.subject.deployment.parallelism) == "TP1 DP16 EP"
    assert (str(said.subject.prefill.parallelism), said.subject.prefill.replicas) == ("TP4", 2)


def test_inferencex_rows_are_read_as_its_own(tmp_path: Path) -> None:
    """Its lengths are the greatest, and its 8-bit checkpoints ask for an 8-bit cache."""
    one = observe(read(write(tmp_path, [INFERENCEX], {})), finder())[0][0]
    assert one.load.inputs == pytest.approx(900)
    assert one.subject.deployment.precision.kv.key == "fp8"


def test_inferencex_attention_ranks_are_no_tensor_ranks(tmp_path: Path) -> None:
    apart = {**INFERENCEX, "model": "deepseek-r1", "hw": "b200", "tp": 8, "dp_attention": True}
    whole = {**apart, "dp_attention": False}
    found = observe(read(write(tmp_path, [apart, whole], {})), finder())[0]
    assert [str(one.subject.deployment.parallelism) for one in found] == ["TP1 DP8 EP", "TP8"]


def test_inferencex_power_is_of_all_accelerators_and_may_be_void(tmp_path: Path) -> None:
    power = {"avg_power_w": 500.0, "avg_total_gpu_power_w": 2000.0, "joules_per_output_token": 14.8,
             "joules_per_total_token": 1.4}  # fmt: skip
    rows = [{**INFERENCEX, **power}, {**INFERENCEX, **power, "power_valid": False}]
    good, void = read(write(tmp_path, rows, {}))
    assert (good.metrics["power_w"], good.metrics["energy_j_per_token"]) == (2000.0, 14.8)
    assert not {"power_w", "energy_j_per_token"} & set(void.metrics)


def test_trap_9_inferencex_rows_that_draft_have_no_gaps(tmp_path: Path) -> None:
    rows = [{**INFERENCEX, "median_itl": 0.02, "spec_decoding": kind} for kind in ("none", "mtp")]
    plain, drafted = read(write(tmp_path, rows, {}))
    assert plain.metrics["itl_ms_p50"] == pytest.approx(20)
    assert "itl_ms_p50" not in drafted.metrics
    assert drafted.metrics["tpot_ms_p50"] == pytest.approx(10)
    one, other = (
        seen.subject.deployment.speculation for seen in observe([plain, drafted], finder())[0]
    )
    assert one is None
    assert other is not None


@pytest.mark.parametrize("lacking", ["num_prefill_gpu", "num_decode_gpu"])
def test_inferencex_pools_without_their_accelerators_are_refused(
    tmp_path: Path, lacking: str
) -> None:
    split = {**INFERENCEX, "disagg": True, "num_prefill_gpu": 8, "num_decode_gpu": 8, lacking: 0}
    with pytest.raises(ScenarioError, match=r"row 0: .*at least one of each"):
        read(write(tmp_path, split, {}))


# Traps of conventions 3.3, by their numbers: 1 populations and 2 units are above, as are 5
# (denominators) and half of 7 (failures); the others follow.


@pytest.mark.parametrize("key", ["p99", "99", "99.0", "p99.0"])
def test_trap_3_percentile_keys_differ_by_tool(tmp_path: Path, key: str) -> None:
    content = guidellm()
    spread = {"p99.9": 999.0, key: 400.0, "p95": 300.0}
    first = content["benchmarks"][0]["metrics"]["time_to_first_token_ms"]["successful"]
    first["percentiles"] = spread
    (row,) = read(write(tmp_path, content))
    assert row.metrics["ttft_ms_p99"] == 400


def test_trap_3_medians_may_be_a_percentile() -> None:
    assert percentile({"50.0": 7.0, "p5": 1.0}, "median") == 7.0
    assert percentile({"mean": 3.0}, "mean") == 3.0
    assert percentile({"p999": 9.0}, "p99") is None


def test_trap_4_goodput_is_neither_throughput_nor_request_rate(tmp_path: Path) -> None:
    (row,) = read(write(tmp_path, vllm(request_goodput=0.5)))
    assert (row.metrics["req_per_s"], row.metrics["tokens_per_s"]) == (1.333, 134.7)
    content = aiperf("ms", 1.0) | {"goodput": {"unit": "requests/sec", "avg": 0.5}}
    (row,) = read(write(tmp_path, content))
    assert 0.5 not in row.metrics.values()


def test_trap_6_the_clients_queue_is_no_ttft(tmp_path: Path) -> None:
    """Eight clients cannot have 1.333/s x 33 s = 44 requests in flight: the rest never left."""
    waiting = {"mean_ttft_ms": 32_000.0, "median_ttft_ms": 33_000.0, "mean_e2el_ms": 33_000.0}
    (row,) = read(write(tmp_path, vllm(**waiting)))
    assert not [name for name in row.metrics if name.startswith(("ttft", "e2e"))]
    assert row.metrics["tpot_ms_p50"] == 10.0
    found = {v.metric: v for v in judge([row], finder(), efficiencies(), {}, lambda _: "known")}
    assert found["ttft_ms_p50"].measured == 33_000
    assert "client's own queue" in found["ttft_ms_p50"].reason
    assert not found["tpot_ms_p50"].reason
    del waiting["mean_e2el_ms"]  # then from its parts
    (row,) = read(write(tmp_path, vllm(**waiting)))
    assert "ttft_ms_p50" not in row.metrics


def test_trap_6_a_queue_at_the_server_is_kept(tmp_path: Path) -> None:
    (row,) = read(write(tmp_path, vllm(mean_ttft_ms=4_900.0, median_ttft_ms=4_800.0)))
    assert row.metrics["ttft_ms_p50"] == 4_800  # 8 in flight of 8 clients
    unbounded = vllm(max_concurrency=None, mean_ttft_ms=90_000.0, median_ttft_ms=90_000.0)
    (row,) = read(write(tmp_path, unbounded))
    assert row.metrics["ttft_ms_p50"] == 90_000  # all sent at once: the server's own queue


def test_trap_7_only_successes_count(tmp_path: Path) -> None:
    content = guidellm()
    wrong = {"mean": 1e9, "median": 1e9}
    for found in content["benchmarks"][0]["metrics"].values():
        if isinstance(found["successful"], dict):
            found.update(total=wrong, errored=wrong, incomplete=wrong)
    (row,) = read(write(tmp_path, content))
    assert max(row.metrics.values()) < 1e4


def test_trap_8_lengths_are_those_that_came_back(tmp_path: Path) -> None:
    """Asked for 101 tokens and stopped at 51: work and TPOT are of what was generated."""
    (row,) = read(write(tmp_path, vllm(total_output_tokens=5_100)))
    assert row.cells["osl"] == "51.0"
    content = aiperf("ms", 1.0)
    content["output_sequence_length"] = {"unit": "tokens", "avg": 51.0}
    (row,) = read(write(tmp_path, content))
    assert row.cells["osl"] == "51.0"


def test_trap_9_a_chunk_may_hold_several_tokens(tmp_path: Path) -> None:
    drafts = {"spec_decode_num_drafts": 1000, "spec_decode_draft_tokens": 3000,
              "spec_decode_accepted_tokens": 875}  # fmt: skip
    (row,) = read(write(tmp_path, vllm(**drafts)))
    assert not [name for name in row.metrics if name.startswith("itl")]
    assert row.metrics["tpot_ms_p50"] == 10.0
    # 0.5 + 0.25 + 0.125 of three drafted tokens
    assert row.cells["draft_tokens"] == "3"
    assert float(row.cells["acceptance"]) == pytest.approx(0.5)
    found = observe([row], finder())[0][0].subject.deployment.speculation
    assert found is not None
    assert (found.draft_tokens, found.acceptance) == (3, pytest.approx(0.5))


@pytest.mark.parametrize("said", [None, "many"])
def test_trap_9_drafts_of_unknown_acceptance_are_refused(tmp_path: Path, said: str | None) -> None:
    drafts = {"spec_decode_num_drafts": 1000, "spec_decode_draft_tokens": 3000,
              "spec_decode_accepted_tokens": said}  # fmt: skip
    with pytest.raises(ScenarioError, match=r"json: spec_decode_accepted_tokens is missing"):
        read(write(tmp_path, vllm(**drafts)))


@pytest.mark.parametrize(("accepted", "each", "wanted"), [(0.0, 4, 0.0), (4.0, 4, 1.0), (9, 4, 1)])
def test_trap_9_acceptance_stays_a_chance(accepted: float, each: int, wanted: float) -> None:
    assert chance(accepted, each) == pytest.approx(wanted, abs=1e-12)


def test_trap_1_time_per_token_with_the_first_is_not_read(tmp_path: Path) -> None:
    """inference-perf's normalised time is E2E / n; without the other there is no TPOT."""
    whole = {"mean": 0.0119, "median": 0.0119}
    (row,) = read(write(tmp_path, {
        "load_summary": {"count": 100}, "failures": {"count": 0},
        "successes": {
            "count": 100, "prompt_len": {"mean": 1000.0}, "output_len": {"mean": 101.0},
            "latency": {"normalized_time_per_output_token": whole},
            "throughput": {"output_tokens_per_sec": 134.7, "requests_per_sec": 1.333},
        },
    }))  # fmt: skip
    assert not [name for name in row.metrics if name.startswith("tpot")]


def test_what_the_deployment_was_must_be_said(tmp_path: Path) -> None:
    with pytest.raises(ScenarioError, match=r"does not state 'gpu'.*result\.setup\.json"):
        read(write(tmp_path, vllm(), {}))


@pytest.mark.parametrize("text", ["", "{", "[]", "{}", '{"a": 1}', "[" * 100_000])
def test_other_json_is_refused(tmp_path: Path, text: str) -> None:
    path = tmp_path / "result.json"
    path.write_text(text)
    with pytest.raises(ScenarioError, match=r"result\.json"):
        read(path)


@pytest.mark.parametrize(
    ("change", "said"),
    [({"total_input_tokens": "many"}, "of the kind that vllm bench serve"),
     ({"completed": 10**400}, "of the kind that vllm bench serve"),
     ({"max_concurrency": []}, "of the kind that vllm bench serve")],
)  # fmt: skip
def test_a_field_of_another_kind_is_a_fault_of_the_file(
    tmp_path: Path, change: dict[str, Any], said: str
) -> None:
    with pytest.raises(ScenarioError, match=said):
        read(write(tmp_path, vllm(**change)))


def test_a_field_that_is_missing_is_named(tmp_path: Path) -> None:
    content = guidellm()
    del content["benchmarks"][0]["metrics"]
    with pytest.raises(ScenarioError, match="no field 'metrics' where GuideLLM"):
        read(write(tmp_path, content))
