"""vLLM: `vllm serve`, flags or a YAML file with the same names."""

import json

from inferometer.deploy.engines.launch import Launch, Settings, flags, kv_format
from inferometer.deploy.rollout import Rollout
from inferometer.deployment import Speculation
from inferometer.errors import ScenarioError

RAY_PORT = 6379

KV_FORMATS = {"bf16": "auto", "fp16": "auto", "fp8": "fp8"}
"""Its names for the formats of a KV cache."""


def launch(rollout: Rollout, folder: str = "") -> Launch:
    """Return how vLLM is started; over several nodes by Ray, which the leader waits for.

    Raises:
        ScenarioError: speculation with a draft that the plan does not name.
    """
    settings = _settings(rollout)
    program = ("vllm", "serve", rollout.weights)  # as a flag it is deprecated
    bare = {name: value for name, value in settings.items() if name != "model"}
    if rollout.nodes == 1:
        return Launch(program=program, flags=flags(bare), settings=settings)
    backend: Settings = {"distributed-executor-backend": "ray"}
    if rollout.deployment.parallelism.data > 1:
        backend = {"data-parallel-backend": "ray"}
    return Launch(
        program=program,
        flags=flags({**bare, **backend}),
        settings={**settings, **backend},
        worker=_worker(),
    )


def head(rollout: Rollout) -> str:
    """Return the shell lines that the leader of several nodes runs before vLLM itself."""
    wanted = rollout.deployment.parallelism.accelerators
    count = (
        "import ray; ray.init(address='auto', log_to_driver=False); "
        "print(int(ray.cluster_resources().get('GPU', 0)))"
    )
    return (
        f"ray start --head --port={RAY_PORT}\n"
        f'until [ "$(python3 -c "{count}" 2>/dev/null | tail -1)" -ge {wanted} ] 2>/dev/null; '
        "do sleep 5; done\n"
    )


def _worker() -> str:
    address = f"$LWS_LEADER_ADDRESS:{RAY_PORT}"
    return (
        f'until ray health-check --address "{address}"; do sleep 5; done\n'
        f'exec ray start --address="{address}" --block\n'
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
