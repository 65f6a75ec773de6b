"""Engines that can be started, by key of the catalogue."""

from collections.abc import Callable, Mapping

from inferometer.deploy.engines import llama_cpp, sglang, trtllm, vllm
from inferometer.deploy.engines.launch import Launch
from inferometer.deploy.rollout import Rollout

ENGINES: Mapping[str, Callable[[Rollout, str], Launch]] = {
    "vllm": vllm.launch,
    "sglang": sglang.launch,
    "trtllm": trtllm.launch,
    "llama.cpp": llama_cpp.launch,
}


def launch_of(rollout: Rollout, folder: str = "") -> Launch:
    """Return how the engine of a rollout is started; files that its flags name lie in `folder`.

    Raises:
        ScenarioError: settings that the engine cannot be started with.
    """
    return ENGINES[rollout.runtime.key](rollout, folder)
