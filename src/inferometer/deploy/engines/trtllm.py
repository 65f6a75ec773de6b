"""TensorRT-LLM: `trtllm-serve`, flags and a YAML file of LLM API options."""

from typing import Any

from inferometer.deploy.engines.launch import Launch, flags, kv_format
from inferometer.deploy.rollout import Rollout
from inferometer.deploy.yaml_text import dump
from inferometer.errors import ScenarioError

CONFIG = "trtllm.yaml"

KV_FORMATS = {"bf16": "auto", "fp16": "auto", "fp8": "fp8"}
"""Its names for the formats of a KV cache."""


def launch(rollout: Rollout, folder: str = "") -> Launch:
    """Return how trtllm-serve is started.

    Raises:
        ScenarioError: several nodes, a conversion, a KV format or a draft that is not known.
    """
    if rollout.nodes > 1:
        raise ScenarioError(
            f"TensorRT-LLM over {rollout.nodes} nodes is started by mpirun or Slurm, which is not "
            "emitted; plan with --max-gpus of one node, or with vllm or sglang"
        )
    if rollout.converted:
        raise ScenarioError(
            f"TensorRT-LLM serves {rollout.converted} from a quantised checkpoint: name one with "
            "--weights-from"
        )
    deployment, layout = rollout.deployment, rollout.deployment.parallelism
    ranks = layout.tensor * layout.data  # attention ranks are tensor ranks that do not share
    chosen: dict[str, str | int | float | bool] = {
        "backend": "pytorch",
        "host": "0.0.0.0",  # noqa: S104 - inside a container; a service is in front
        "port": rollout.runtime.port,
        "tp_size": ranks,
        "pp_size": layout.pipeline,
        "ep_size": ranks if layout.expert else 1,
        "max_batch_size": deployment.settings.max_num_seqs,
        "max_num_tokens": deployment.settings.max_batched_tokens,
        "max_seq_len": rollout.context,
        "kv_cache_free_gpu_memory_fraction": deployment.settings.memory_fraction,
        "extra_llm_api_options": f"{folder}{CONFIG}",
    }
    return Launch(
        program=("trtllm-serve", rollout.weights), flags=flags(chosen),
        config=(CONFIG, dump(_options(rollout))),
    )  # fmt: skip


def _options(rollout: Rollout) -> dict[str, Any]:
    deployment = rollout.deployment
    settings, draft = deployment.settings, deployment.speculation
    if draft is not None and draft.draft_cost > 0:
        raise ScenarioError(
            f"speculation.draft_cost is {draft.draft_cost:g}, so a draft model is meant, which the "
            "plan does not name; deploy n-gram look-up (draft_cost = 0)"
        )
    found: dict[str, Any] = {
        "enable_chunked_prefill": settings.engine.chunked_prefill,
        "enable_attention_dp": deployment.parallelism.data > 1,
        "kv_cache_config": {
            "free_gpu_memory_fraction": settings.memory_fraction,
            "enable_block_reuse": settings.prefix_caching,
            "dtype": kv_format(rollout, KV_FORMATS),
        },
        "return_perf_metrics": True,  # without it there is no Prometheus page
    }
    if draft is not None:
        found["speculative_config"] = {
            "decoding_type": "NGram",
            "max_draft_len": draft.draft_tokens,
        }
    return found
