"""What containers of every kind share: image, devices, where files lie, environment, draining."""

from inferometer.deploy.rollout import Rollout
from inferometer.deploy.runtime import Vendor, vendors
from inferometer.errors import ScenarioError

FOLDER = "/etc/inferometer/"
"""Where configuration files are mounted."""

CACHE = "/models"
"""Where downloaded weights are kept."""


def image(rollout: Rollout) -> str:
    """Return the container image.

    Raises:
        ScenarioError: none is known for the engine on the maker's accelerators.
    """
    vendor = rollout.deployment.accelerator.vendor
    found = rollout.place.image or rollout.runtime.images.get(vendor, "")
    if not found:
        raise ScenarioError(
            f"no container image of {rollout.runtime.key} for {vendor} is known: name one with "
            "--image"
        )
    return found


def environment(rollout: Rollout) -> dict[str, str]:
    """Return the variable that tells the engine where the cache of weights is."""
    return {"LLAMA_CACHE" if rollout.runtime.key == "llama.cpp" else "HF_HOME": CACHE}


def drain(rollout: Rollout) -> int:
    """Return the seconds that running requests get to finish: the slowest percent's time."""
    return max(30, -(-int(rollout.load.slowest * 1000) // 1000))


def vendor(rollout: Rollout) -> Vendor | None:
    """Return how containers get at the accelerators; None for CPUs.

    Raises:
        ScenarioError: the maker's devices are not known.
    """
    chip = rollout.deployment.accelerator
    if chip.kind == "cpu":
        return None
    if chip.vendor not in vendors():
        raise ScenarioError(
            f"{chip.key}: how containers get at accelerators of {chip.vendor} is not known here "
            f"(known: {', '.join(vendors())}); deploy the engine files alone with --kind engine"
        )
    return vendors()[chip.vendor]
