"""`inferometer up`: a local engine and the gateway, kept running until a signal ends them."""

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

from inferometer.cli.options import Many
from inferometer.cli.progress import say

if TYPE_CHECKING:
    from inferometer.loop.stack import Stack

KEPT = Path(".inferometer")
"""Folder of ledger, logs and the gateway's configuration where none is named."""


def up(
    plan: Path | None = None,
    /,
    *,
    engine: str = "llama.cpp",
    model: str = "",
    alias: str = "local",
    engines: int | None = None,
    engine_port: int = 0,
    port: int = 8080,
    control_port: int = 9090,
    gateway: bool = True,
    tenant: Annotated[tuple[str, ...], Many] = ("local",),
    folder: Path = KEPT,
) -> None:
    """Run a local engine behind the gateway until SIGINT or SIGTERM; what dies is started again.

    Without a plan: a llama.cpp server with SmolLM2-135M, as both are shipped. The API key of each
    tenant is printed once and kept nowhere.

    Args:
        plan: TOML file with a [setting] table, as `optimise` writes it, or a scenario whose
            [deployment] names llama.cpp.
        engine: "llama.cpp" or "vllm".
        model: GGUF file; for vLLM a name or a folder.
        alias: Name under which the gateway offers the model.
        engines: Engines to run; the plan's replicas, else one.
        engine_port: Port of the first engine; 0 for a free one.
        port: Port of the gateway; 0 for a free one.
        control_port: Port of the gateway's health and metrics; 0 for a free one.
        gateway: Whether to run the gateway.
        tenant: Who gets a key; repeat for more.
        folder: Where ledger, logs and configuration go.
    """
    from inferometer.loop.service import Service
    from inferometer.loop.setting import Setting, read_settings
    from inferometer.loop.stack import StackSpec
    from inferometer.loop.stack import up as run
    from inferometer.loop.supervise import interruptible, keep
    from inferometer.loop.variants import weights_file

    setting, replicas = (Setting(), 1) if plan is None else read_settings(plan)
    if engine == "llama.cpp":
        model = str(weights_file(setting.weights, Path(model) if model else None, say))
    spec = StackSpec(
        setting=setting,
        engines=replicas if engines is None else engines,
        kind=engine,
        model=model,
        alias=alias,
        engine_port=engine_port,
        port=port if gateway else None,
        control_port=control_port,
        tenants=tenant,
    )
    services: tuple[Service, ...] = ()
    try:
        with interruptible(), run(spec, say=say, folder=folder.absolute()) as stack:
            services = stack.services
            _where(stack)
            keep(services, say=say)
    except KeyboardInterrupt:
        left = [service.name for service in services if service.running]
        say("stopped" if not left else f"still running: {', '.join(left)}")


def _where(stack: "Stack") -> None:
    """Print where things listen, as lines that a script can read."""
    lines = [("model", stack.model), *(("engine", engine) for engine in stack.engines)]
    if stack.gateway:
        lines += [("gateway", f"{stack.gateway}/v1"), ("control", stack.control)]
        lines += [("name", stack.alias), ("ledger", str(stack.ledger))]
        lines += [(f"key of {tenant}", key) for tenant, key in stack.keys.items()]
    for name, value in lines:
        sys.stdout.write(f"{name:<16}{value}\n")
    sys.stdout.flush()
