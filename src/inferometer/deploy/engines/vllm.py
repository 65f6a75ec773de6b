"""vLLM: `vllm serve`, flags or a YAML file with the same names."""

import json

from inferometer.deploy.engines.launch import Launch, Settings, flags, kv_format, place
from inferometer.deploy.rollout import Rollout
from inferometer.deployment import Speculation
from inferometer.errors import ScenarioError

KV_FORMATS = {"bf16": "auto", "fp16": "auto", "fp8": "fp8"}
"""Its names for the formats of a KV cache."""


def launch(rollout: Rollout, folder: str = "") -> Launch:
    """Return how vLLM is started; of several nodes only the first takes requests.

    Raises:
        ScenarioError: speculation with a draft that the plan does not name.
    """
    settings = _settings(rollout)
    bare = {name: value for name, value in settings.items() if name != "model"}
    program = ("vllm", "serve", rollout.weights)  # as a flag it is deprecated
    if rollout.nodes == 1:
        return Launch(program=program, flags=flags(bare), settings=settings)
    several = (
        f"--nnodes={rollout.nodes}",
        f"--node-rank={place('LWS_WORKER_INDEX')}",
        f"--master-addr={place('LWS_LEADER_ADDRESS')}",
    )
    return Launch(
        program=program,
        flags=(*flags(bare), *several),
        settings=settings,
        worker=("--headless",),
    )


def _settings(rollout: Rollout) -> Settings:
    deployment, layout = rollout.deployment, rollout.deployment.parallelism
    engine = deployment.settings
    found: dict[str, str | int | float | bool] = {
        "model": rollout.weights,
        "served-model-name": rollout.served,
        "host": "0.0.0.0",  # noqa: S104 - inside a container; a service is in front
        "port": rollout.runtime.port,
        "tensor-parallel-size": layout.tensor,
        "pipeline-parallel-size": layout.pipeline,
        "data-parallel-size": layout.data,
        "enable-expert-parallel": layout.expert,
        "max-model-len": rollout.context,
        "max-num-seqs": engine.max_num_seqs,
        "max-num-batched-tokens": engine.max_batched_tokens,
        "gpu-memory-utilization": engine.memory_fraction,
        "kv-cache-dtype": kv_format(rollout, KV_FORMATS),
        "enable-prefix-caching": engine.prefix_caching,
        "no-enable-prefix-caching": not engine.prefix_caching,
        "enable-prompt-tokens-details": True,  # cached tokens in each answer's usage
    }
    if rollout.converted:
        found["quantization"] = rollout.converted
    if deployment.speculation is not None:
        found["speculative-config"] = _speculation(deployment.speculation)
    return {name: value for name, value in found.items() if value is not False}


def _speculation(speculation: Speculation) -> str:
    if speculation.draft_cost > 0:
        raise ScenarioError(
            f"speculation.draft_cost is {speculation.draft_cost:g}, so a draft model is meant, "
            "which the plan does not name; deploy n-gram look-up (draft_cost = 0), or add the "
            "draft to the emitted files by hand"
        )
    chosen = {"method": "ngram", "num_speculative_tokens": speculation.draft_tokens}
    return json.dumps({**chosen, "prompt_lookup_max": 4, "prompt_lookup_min": 2})
