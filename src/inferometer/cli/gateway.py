"""`inferometer gateway`: serve, check a configuration, make a key."""

import logging
import sys
from pathlib import Path
from typing import Annotated

import msgspec
from cyclopts import App, Parameter

from inferometer.cli.options import Format
from inferometer.errors import GatewayError

app = App(
    name="gateway",
    help="Serve as a reverse proxy that meters, attributes and limits what it forwards.",
)


@app.default
def gateway(
    *,
    config: Path,
    check: bool = False,
    worker: Annotated[int | None, Parameter(show=False)] = None,
) -> None:
    """Serve until SIGTERM or SIGINT; SIGHUP reads the configuration again.

    Args:
        config: TOML file; docs/gateway.md describes it.
        check: Only read the file and say what is wrong with it.
        worker: Number of this process among several; set by the parent.
    """
    from inferometer.meter.config import load
    from inferometer.meter.gateway.process import run
    from inferometer.meter.gateway.workers import supervise
    from inferometer.meter.gateway.world import build

    found = load(config)
    if check:
        build(found)
        sys.stderr.write(f"{config}: {len(found.models)} models, {len(found.key)} keys\n")
        return
    logging.basicConfig(
        stream=sys.stderr, format="%(levelname)s %(name)s: %(message)s", level="INFO"
    )
    if found.gateway.workers > 1 and worker is None:
        if supervise(config, found.gateway.workers):
            raise GatewayError("a worker ended with an error; its message is above")
        return
    run(found, config, _say, worker or 0)


@app.command
def key(*, config: Path, format: Format = "table") -> None:  # noqa: A002
    """Make an API key: shown once, kept nowhere; only its hash goes into the configuration.

    Args:
        config: The gateway's TOML file, for the secret that the hash is keyed with.
        format: "table" or "json".
    """
    from inferometer.meter.config import load
    from inferometer.meter.gateway.keys import mint
    from inferometer.meter.secret import SHORTEST_SECRET, secret

    value = secret(load(config).gateway.secret, "gateway.secret", shortest=SHORTEST_SECRET)
    token, hashed = mint(value.encode())
    if format == "json":
        sys.stdout.write(msgspec.json.encode({"token": token, "hash": hashed}).decode() + "\n")
    else:
        sys.stdout.write(f"token  {token}\nhash   {hashed}\n")


def _say(port: int, control: int) -> None:
    sys.stderr.write(f"gateway: listening on port {port}, control on port {control}\n")
    sys.stderr.flush()
