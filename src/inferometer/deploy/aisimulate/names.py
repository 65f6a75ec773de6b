"""Names of accelerators and engines on both sides."""

import tomllib
from collections.abc import Mapping
from functools import cache

from inferometer.deploy.runtime import DATA
from inferometer.errors import ScenarioError

BACKENDS = ("vllm", "sglang", "trtllm")


@cache
def systems() -> Mapping[str, str]:
    """Return AISimulate's name of every accelerator that it knows, by ours."""
    text = (DATA / "aisimulate.toml").read_text(encoding="utf-8")
    found: Mapping[str, str] = tomllib.loads(text)["systems"]
    return found


def accelerator_of(system: str, where: str) -> str:
    """Return our name of a system.

    Raises:
        ScenarioError: an unknown one.
    """
    for key, name in systems().items():
        if name == system:
            return key
    known = ", ".join(systems().values())
    raise ScenarioError(f"{where}: {system!r:.60} is not known; one of {known} is")
