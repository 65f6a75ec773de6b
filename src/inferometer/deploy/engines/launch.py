"""A launch: program, flags and a configuration file, ready for a shell or a container."""

import re
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
        worker: Flags that the further nodes of a replica take on top.
    """

    program: tuple[str, ...]
    flags: tuple[str, ...]
    config: tuple[str, str] | None = None
    settings: Settings | None = None
    worker: tuple[str, ...] = ()


def place(variable: str) -> str:
    """Return an environment variable as Kubernetes puts it into arguments; `script` knows it."""
    return f"$({variable})"


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


def _quoted(flag: str) -> str:
    """Return a flag as a shell reads it; the places of variables become variables."""
    pieces = re.split(r"\$\((\w+)\)", flag)
    if len(pieces) == 1:
        return shlex.quote(flag)
    parts = [f'"${{{part}}}"' if rank % 2 else shlex.quote(part) for rank, part in
             enumerate(pieces) if part]  # fmt: skip
    return "".join(parts)


def script(launch: Launch) -> str:
    """Return a shell script that starts the engine in the foreground, a flag to the line.

    Over several nodes it needs the node's rank and the first one's address in the environment, and
    the flags of further nodes as its arguments.
    """
    program = " ".join(map(shlex.quote, launch.program))
    lines = [f"exec {program}", *(f"  {_quoted(flag)}" for flag in launch.flags)]
    return "set -eu\n" + 'cd "$(dirname "$0")"\n' + " \\\n".join([*lines, '  "$@"']) + "\n"
