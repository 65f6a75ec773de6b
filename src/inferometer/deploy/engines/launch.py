"""A launch: program, flags and a configuration file, ready for a shell or a container."""

import shlex
from collections.abc import Mapping
from dataclasses import dataclass

from inferometer.deploy.rollout import Rollout
from inferometer.errors import ScenarioError

Scalar = str | int | float | bool
Settings = Mapping[str, Scalar]


@dataclass(frozen=True, slots=True, kw_only=True)
class Launch:
    """How one node of a replica is started.

    Attributes:
        program: Program and what comes before the flags.
        flags: Flags, one word each or `--name=value`.
        config: Name and text of a file that the flags refer to; None if they say it all.
        settings: The settings as the engine's own YAML file takes them; empty if it takes none.
        worker: Shell script of the further nodes of a replica; "" if it has one node or if these
            take the same command.
    """

    program: tuple[str, ...]
    flags: tuple[str, ...]
    config: tuple[str, str] | None = None
    settings: Settings | None = None
    worker: str = ""

    @property
    def words(self) -> tuple[str, ...]:
        """The whole command."""
        return (*self.program, *self.flags)


def flags(settings: Settings) -> tuple[str, ...]:
    """Return settings as `--name=value`; True as the bare flag, False left out."""
    return tuple(
        f"--{name}" if value is True else f"--{name}={value}"
        for name, value in settings.items()
        if value is not False
    )


def kv_format(rollout: Rollout, known: Mapping[str, str]) -> str:
    """Return an engine's name for the format of the KV cache.

    Raises:
        ScenarioError: it keeps none in that format.
    """
    key = rollout.deployment.precision.kv.key
    if key not in known:
        raise ScenarioError(
            f"{rollout.runtime.key} keeps no KV cache in {key}; plan with one of {', '.join(known)}"
        )
    return known[key]


def script(launch: Launch) -> str:
    """Return a shell script that starts the engine in the foreground, a flag to the line."""
    program = " ".join(map(shlex.quote, launch.program))
    lines = [f"exec {program}", *(f"  {shlex.quote(flag)}" for flag in launch.flags)]
    return "set -eu\n" + 'cd "$(dirname "$0")"\n' + " \\\n".join(lines) + "\n"
