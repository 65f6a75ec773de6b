"""llama.cpp: `llama-server` with flags; it takes GGUF files and has no configuration file."""

from inferometer.deploy.engines.launch import Launch, kv_format
from inferometer.deploy.rollout import Rollout
from inferometer.errors import ScenarioError

ALL_LAYERS = "999"
"""More layers than any model has: all of them go to the accelerators."""

KV_FORMATS = {"bf16": "f16", "fp16": "f16", "fp32": "f32", "q8_0": "q8_0", "q4_0": "q4_0"}
"""Its names for the formats of a KV cache."""


def launch(rollout: Rollout, folder: str = "") -> Launch:
    """Return how llama-server is started: its context is divided over its slots.

    They have caches of their own, as always where their number is stated: one for all of them would
    let a request take the context that was planned for another.

    Raises:
        ScenarioError: weights that are no GGUF file, a layout or a KV format that it lacks.
    """
    _check(rollout)
    deployment, slots = rollout.deployment, rollout.deployment.settings.max_num_seqs
    found = {
        **_source(rollout.weights),
        "--alias": rollout.served,
        "--host": "0.0.0.0",  # noqa: S104 - inside a container; a service is in front
        "--port": str(rollout.runtime.port),
        "--parallel": str(slots),
        "--ctx-size": str(rollout.context * slots),
        "--batch-size": str(deployment.settings.max_batched_tokens),
        **_cache(rollout),
        **_layers(rollout),
    }
    words = [word for flag in found.items() for word in flag]
    reuse = () if deployment.settings.prefix_caching else ("--no-cache-prompt",)
    return Launch(program=("llama-server",), flags=(*words, *reuse, "--metrics", "--slots"))


def _check(rollout: Rollout) -> None:
    layout = rollout.deployment.parallelism
    if rollout.nodes > 1 or layout.data > 1 or layout.expert:
        raise ScenarioError(
            f"llama.cpp: {layout} over {rollout.nodes} node(s) is not served; plan with tensor or "
            "pipeline ranks of one node"
        )
    if layout.tensor > 1 and layout.pipeline > 1:
        raise ScenarioError(f"llama.cpp splits by rows or by layers, not by both: {layout}")
    if rollout.deployment.speculation is not None:
        raise ScenarioError("llama.cpp: speculation is not emitted, as its draft must be named")
    if "gguf" not in rollout.weights.lower():
        raise ScenarioError(
            f"llama.cpp serves GGUF files, and {rollout.weights} is none: name one with "
            "--weights-from FILE.gguf or --weights-from OWNER/REPOSITORY-GGUF:Q4_K_M"
        )


def _source(weights: str) -> dict[str, str]:
    return {"--model" if weights.lower().endswith(".gguf") else "--hf-repo": weights}


def _cache(rollout: Rollout) -> dict[str, str]:
    name = kv_format(rollout, KV_FORMATS)
    return {"--cache-type-k": name, "--cache-type-v": name, "--flash-attn": "on"}


def _layers(rollout: Rollout) -> dict[str, str]:
    layout = rollout.deployment.parallelism
    if rollout.deployment.accelerator.kind == "cpu":
        return {"--n-gpu-layers": "0"}
    mode = "row" if layout.tensor > 1 else "layer" if layout.pipeline > 1 else "none"
    return {"--n-gpu-layers": ALL_LAYERS, "--split-mode": mode}
