"""AISimulate's configuration: what is written is read back, and what is not modelled is refused."""

from pathlib import Path

import deploy_cases
import pytest

from inferometer.cli import inputs
from inferometer.cli.scenario import read_scenario
from inferometer.deploy.emit import emit
from inferometer.errors import ScenarioError

CONFIG = """\
traffic:
  source: {type: synthetic, input_tokens: 1024, output_tokens: 128}
  load: {type: poisson, requests_per_second: 4, seed: 7}
  stop: {requests: 500}
engine:
  mode: aggregated
  model: Qwen/Qwen3-32B-FP8
  hardware: h200_sxm
  backend: vllm
  workers:
    aggregated:
      parallelism: {replicas: 2, tensor: 1}
      scheduler: {max_batched_tokens: 4096, max_sequences: 128}
evaluation:
  sla: {ttft_ms: 1000, itl_ms: 40}
"""


def file_of(tmp_path: Path, text: str) -> Path:
    file = tmp_path / "prediction.yaml"
    file.write_text(text, encoding="utf-8")
    return file


def read(tmp_path: Path, text: str) -> object:
    return read_scenario(file_of(tmp_path, text))


@pytest.mark.parametrize("name", ["vllm", "vllm-nodes", "sglang-experts", "trtllm"])
def test_what_is_written_is_read_back(name: str, tmp_path: Path) -> None:
    which = deploy_cases.cases()[name]
    file = tmp_path / "prediction.yaml"
    text = deploy_cases.files_of(name)["aisimulate/prediction.yaml"]
    file.write_text(text, encoding="utf-8")
    scenario = read_scenario(file)
    assert scenario.deployment is not None
    found, planned = inputs.deployment_of(which.deployment.model, scenario.deployment), which
    assert found.parallelism == planned.deployment.parallelism
    assert found.replicas == planned.deployment.replicas
    assert found.accelerator == planned.deployment.accelerator
    assert found.settings.engine == planned.deployment.settings.engine
    assert found.settings.max_num_seqs == planned.deployment.settings.max_num_seqs
    model = inputs.model_of(scenario)
    assert (model.key, model.layers) == (
        planned.deployment.model.key,
        planned.deployment.model.layers,
    )
    shape = inputs.shape_of_scenario(scenario)
    assert shape.mean_input == pytest.approx(planned.load.mean_input)
    assert shape.mean_output == pytest.approx(planned.load.mean_output)
    assert shape.rate == pytest.approx(planned.load.peak_rate, rel=0.1)
    assert scenario.slo == ("ttft p99 <= 2000.0 ms", "itl p99 <= 50.0 ms")


@pytest.mark.parametrize(
    ("name", "weights", "kv"),
    [("meta-llama/Llama-3.1-70B", "bf16", "bf16"),
     ("nvidia/Llama-3.1-70B-Instruct-FP8", "fp8", "fp8"), ("llama-3.1-70b", "bf16", "bf16")],
)  # fmt: skip
def test_the_checkpoint_that_is_named_is_the_one_that_is_served(
    tmp_path: Path, name: str, weights: str, kv: str
) -> None:
    scenario = read_scenario(file_of(tmp_path, CONFIG.replace("Qwen/Qwen3-32B-FP8", name)))
    assert scenario.deployment is not None
    found = inputs.deployment_of(inputs.model_of(scenario), scenario.deployment).precision
    assert (found.linear.key, found.experts.key, found.kv.key) == (weights, weights, kv)


def test_what_is_emitted_in_eight_bit_is_read_back_in_eight_bit(tmp_path: Path) -> None:
    planned = deploy_cases.deployment(weights="fp8", kv="fp8")
    rollout = deploy_cases.rollout(planned)
    text = emit(rollout, ("aisimulate",))[0]["aisimulate/prediction.yaml"]
    scenario = read_scenario(file_of(tmp_path, text))
    assert scenario.deployment is not None
    found = inputs.deployment_of(inputs.model_of(scenario), scenario.deployment)
    assert found.precision == planned.precision


def test_lengths_are_fixed_and_the_search_is_bounded(tmp_path: Path) -> None:
    text = (
        CONFIG.partition("  workers:")[0] + "optimization: {constraints: {max_candidate_gpus: 8}}\n"
    )
    file = tmp_path / "recommend.yml"
    file.write_text(text, encoding="utf-8")
    scenario = read_scenario(file)
    trace = inputs.trace_of_scenario(scenario)
    assert set(trace.input_tokens.tolist()) == {1024}
    assert set(trace.output_tokens.tolist()) == {128}
    assert len(trace.arrival) == 500
    assert scenario.deployment is None
    assert (scenario.search.max_gpus, scenario.search.gpus) == (8, ("h200-sxm",))
    assert scenario.seed == 7


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("input_tokens", "input_token", "unknown field; nearest: input_tokens"),
        ("type: poisson", "type: concurrency", "arrive by themselves"),
        ("type: poisson", "type: constant_rate", "state poisson"),
        ("mode: aggregated", "mode: disaggregated", "engine.mode"),
        ("hardware: h200_sxm", "hardware: tpu_v9", "h200_sxm"),
        ("hardware: h200_sxm", "hardware: [h200_sxm, h100_sxm]", "state one value"),
        ("tensor: 1", "tensor: -1", "is negative"),
        ("tensor: 1", "tensor: true", "no int"),
        ("tensor: 1", "context: 2", "context parallelism"),
        ("tensor: 1", "moe_expert: 3", "over all 1 ranks"),
        ("ttft_ms: 1000", "ttft_ms: -1", "from 0 on"),
        ("ttft_ms: 1000", "ttft_ms: .nan", "from 0 on"),
        ("evaluation:", "planner: {policy: sla}\nevaluation:", "planner: not modelled"),
        ("requests_per_second: 4", "requests_per_second: 0", "above 0"),
        ("  model: Qwen/Qwen3-32B-FP8\n", "", "engine.model: missing"),
        ("stop: {requests: 500}", "stop: 5", "fields are wanted"),
        ("mode: aggregated", "mode: aggregated\n  mode: aggregated", "'mode' twice"),
        ("evaluation:", "router: &a {policy: x}\nplanner: *a\nevaluation:", "anchors"),
        ("evaluation:", "router: {policy: kv_router}\nevaluation:", "spread evenly"),
        ("evaluation:", "optimization: {target: goodput}\nevaluation:", "target: not modelled"),
        ("scheduler:", "kv_cache: {prefix_caching: false}\n      scheduler:", "prefix_caching"),
        (
            "scheduler:",
            "kv_cache: {capacity: {memory_fraction: 0.5}}\n      scheduler:",
            "0.9, as vllm",
        ),
        ("scheduler:", "timing: {type: fixed}\n      scheduler:", "timing.type"),
        ("output_tokens: 128", "output_tokens: 128, session: {turns: 5}", "session.turns"),
        ("output_tokens: 128", "output_tokens: 128, path: day.jsonl", "source.path: has no"),
        ("seed: 7", "seed: 7, concurrency: 8", "load.concurrency: has no meaning"),
        ("seed: 7", "seed: 7, speedup: 2", "load.speedup: has no meaning"),
        ("requests: 500", "requests: 500, max_virtual_time_seconds: 9", "not both"),
        ("tensor: 1", "moe_tensor: 3", "moe_tensor: 3 is not modelled"),
        ("tensor: 1", "tensor: 2, moe_expert: 2, moe_tensor: 2", "cut into 1"),
        ("traffic:", "traffic: !!python/object:os.system", "YAML"),
        ("traffic:", "\ttraffic:", "not valid YAML"),
    ],
)
def test_bad_configurations_are_refused(tmp_path: Path, old: str, new: str, message: str) -> None:
    assert old in CONFIG
    with pytest.raises(ScenarioError, match=message):
        read(tmp_path, CONFIG.replace(old, new, 1))


@pytest.mark.parametrize("text", ["", "[]", "3", "a: *b"])
def test_what_is_no_configuration_is_refused(tmp_path: Path, text: str) -> None:
    with pytest.raises(ScenarioError):
        read(tmp_path, text)


def test_traces_keep_their_timestamps(tmp_path: Path) -> None:
    source = "{type: trace, path: day.jsonl, format: mooncake}"
    base = CONFIG.replace("{type: synthetic, input_tokens: 1024, output_tokens: 128}", source)
    stop = "  stop: {requests: 500}\n"
    rate = "type: poisson, requests_per_second: 4"
    timed = base.replace(stop, "").replace(rate, "type: trace_timestamps")
    scenario = read(tmp_path, timed)
    assert getattr(scenario, "trace", "") == "day.jsonl"
    with pytest.raises(ScenarioError, match="speedup"):
        read(tmp_path, timed.replace("type: trace_timestamps", "speedup: 2"))
    with pytest.raises(ScenarioError, match="keeps its timestamps"):
        read(tmp_path, base.replace(stop, "").replace(", requests_per_second: 4", ""))
    with pytest.raises(ScenarioError, match=r"stop\.requests: has no meaning"):
        read(tmp_path, base.replace(rate, "type: trace_timestamps"))
