"""SGLang: `python3 -m sglang.launch_server`, flags or a YAML file with the same names."""

from inferometer.deploy.engines.launch import Launch, Settings, flags, kv_format, place
from inferometer.deploy.rollout import Rollout
from inferometer.errors import ScenarioError

RENDEZVOUS_PORT = 20000

KV_FORMATS = {"bf16": "auto", "fp16": "auto", "fp8": "fp8_e4m3"}
"""Its names for the formats of a KV cache."""


def launch(rollout: Rollout, folder: str = "") -> Launch:
    """Return how SGLang is started; every node of several takes the same command.

    Raises:
        ScenarioError: a KV format or a speculation that it is not started with.
    """
    settings = _settings(rollout)
    several: tuple[str, ...] = ()
    if rollout.nodes > 1:
        several = (
            f"--dist-init-addr={place('LWS_LEADER_ADDRESS')}:{RENDEZVOUS_PORT}",
            f"--nnodes={rollout.nodes}",
            f"--node-rank={place('LWS_WORKER_INDEX')}",
        )
    return Launch(
        program=("python3", "-m", "sglang.launch_server"), flags=(*flags(settings), *several),
        settings=settings,
    )  # fmt: skip


def _settings(rollout: Rollout) -> Settings:
    """Return the settings.

    SGLang counts all ranks of a replica as tensor ranks and divides step budget and sequences
    among the attention ranks, so both are multiplied here.
    """
    deployment, layout = rollout.deployment, rollout.deployment.parallelism
    engine, ranks = deployment.settings, layout.tensor * layout.data
    if deployment.speculation is not None:
        raise ScenarioError(
            "SGLang: speculation is not emitted, as its drafts must be named; deploy without it "
            "or on vLLM with n-gram look-up"
        )
    found: dict[str, str | int | float | bool] = {
        "model-path": rollout.weights,
        "served-model-name": rollout.served,
        "host": "0.0.0.0",  # noqa: S104 - inside a container; a service is in front
        "port": rollout.runtime.port,
        "tp-size": ranks,
        "pp-size": layout.pipeline,
        "dp-size": layout.data,
        "enable-dp-attention": layout.data > 1,
        "ep-size": ranks if layout.expert else 1,
        "context-length": rollout.context,
        "max-running-requests": engine.max_num_seqs * layout.data,
        "chunked-prefill-size": engine.max_batched_tokens * layout.data,
        "mem-fraction-static": engine.memory_fraction,
        "kv-cache-dtype": kv_format(rollout, KV_FORMATS),
        "disable-radix-cache": not engine.prefix_caching,
        "enable-metrics": True,
        "enable-cache-report": True,
    }
    if rollout.converted:
        found["quantization"] = rollout.converted
    return {name: value for name, value in found.items() if value is not False}
