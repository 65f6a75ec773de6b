"""A local stack: engines behind a gateway, with its configuration and keys made for the run."""

import secrets
import sys
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from inferometer.errors import ScenarioError
from inferometer.loop.launch import ENGINES, free_port, model_file, require_free
from inferometer.loop.service import Service
from inferometer.loop.setting import MOST_ENGINES, Setting, toml_table, toml_value
from inferometer.loop.supervise import Say, running
from inferometer.meter.gateway.keys import mint

ALIAS = "local"
"""Public name of the model where none is given."""

_SECRET = "INFEROMETER_LOOP_SECRET"  # noqa: S105 - the name of a variable


@dataclass(frozen=True, slots=True, kw_only=True)
class Stack:
    """Services in the order in which they start, and where they listen.

    Attributes:
        services: Engines, then the gateway if there is one.
        engines: Base address of each engine.
        gateway: Base address of the gateway; "" for none.
        control: Address of its health and metrics; "" for none.
        ledger: Its ledger; None for none.
        keys: API key of each tenant, kept nowhere but here.
        alias: Public name of the model.
        model: The GGUF file or name of the model.
    """

    services: tuple[Service, ...]
    engines: tuple[str, ...]
    gateway: str = ""
    control: str = ""
    ledger: Path | None = None
    keys: Mapping[str, str]
    alias: str
    model: str


@dataclass(frozen=True, slots=True, kw_only=True)
class StackSpec:
    """What to run.

    Attributes:
        setting: Setting of every engine.
        engines: Engines.
        kind: "llama.cpp" or "vllm".
        model: GGUF file, or for vLLM a name or folder; "" for the packaged one.
        alias: Public name of the model.
        engine_port: Port of the first engine, others following; 0 for free ones.
        port: Port of the gateway; 0 for a free one, None for no gateway.
        control_port: Port of its health and metrics; 0 for a free one.
        tenants: Who gets a key.
    """

    setting: Setting = field(default_factory=Setting)
    engines: int = 1
    kind: str = "llama.cpp"
    model: str = ""
    alias: str = ALIAS
    engine_port: int = 0
    port: int | None = 0
    control_port: int = 0
    tenants: tuple[str, ...] = ("local",)


def build(spec: StackSpec, folder: Path) -> Stack:
    """Return the stack of `spec`, its files in `folder`; nothing is started.

    Raises:
        ScenarioError: an engine that is not known or not installed, too few or many of them, a
            port that is taken, a model file that is not whole, a tenant given twice, or a folder
            that cannot be written.
    """
    if spec.kind not in ENGINES:
        raise ScenarioError(f"engine {spec.kind!r}: not one of {', '.join(ENGINES)}")
    if not 1 <= spec.engines <= MOST_ENGINES:
        raise ScenarioError(f"engines is {spec.engines}; 1 to {MOST_ENGINES} run locally")
    ports = _ports(spec)
    require_free(ports)
    model = _model(spec)
    with _writing(folder):
        folder.mkdir(parents=True, exist_ok=True)
    found = [port or free_port() for _, port in ports]
    services = [_engine(spec, model, found[place], place, folder) for place in range(spec.engines)]
    engines = tuple(f"http://127.0.0.1:{port}" for port in found[: spec.engines])
    if spec.port is None:
        return Stack(services=tuple(services), engines=engines, keys={}, alias=spec.alias,
                     model=model)  # fmt: skip
    keys, service = _gateway(spec, engines, found[-2:], folder)
    return Stack(
        services=(*services, service),
        engines=engines,
        gateway=f"http://127.0.0.1:{found[-2]}",
        control=f"http://127.0.0.1:{found[-1]}",
        ledger=folder / "ledger.db",
        keys=keys,
        alias=spec.alias,
        model=model,
    )


@contextmanager
def up(spec: StackSpec, *, say: Say, folder: Path | None = None) -> Iterator[Stack]:
    """Run a stack for as long as the block lasts; without `folder` its files are thrown away."""
    with tempfile.TemporaryDirectory(prefix="inferometer-") as scratch:
        stack = build(spec, folder or Path(scratch))
        with running(stack.services, say=say):
            yield stack


@contextmanager
def _writing(path: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise ScenarioError(
            f"{path}: cannot be written: {error.strerror}; choose another folder"
        ) from error


def _model(spec: StackSpec) -> str:
    if spec.kind == "llama.cpp":
        return str(model_file(Path(spec.model) if spec.model else None))
    if not spec.model:
        raise ScenarioError(f"engine {spec.kind}: name a model or a folder with one (--model)")
    return spec.model


def _ports(spec: StackSpec) -> list[tuple[str, int]]:
    first = spec.engine_port
    ports = [(f"engine {place}", first + place if first else 0) for place in range(spec.engines)]
    if spec.port is not None:
        ports += [("gateway", spec.port), ("gateway's control", spec.control_port)]
    stated = [port for _, port in ports if port]
    if len(stated) != len(set(stated)):
        raise ScenarioError(f"ports {sorted(stated)}: each service needs one of its own")
    return ports


def _engine(spec: StackSpec, model: str, port: int, place: int, folder: Path) -> Service:
    launch = ENGINES[spec.kind]
    given = Path(model) if spec.kind == "llama.cpp" else model
    command = launch(spec.setting, given, alias=spec.alias, port=port)
    return Service(
        name=f"{spec.kind} {place}",
        words=command.words,
        environment=command.environment,
        ready_url=f"http://127.0.0.1:{port}{command.health}",
        log=folder / f"engine-{place}.log",
    )


def _gateway(
    spec: StackSpec, engines: Sequence[str], ports: Sequence[int], folder: Path
) -> tuple[Mapping[str, str], Service]:
    if len(set(spec.tenants)) != len(spec.tenants) or not all(map(str.strip, spec.tenants)):
        raise ScenarioError(f"tenants {', '.join(spec.tenants)}: names that differ are wanted")
    secret = secrets.token_urlsafe(32)
    minted = {tenant: mint(secret.encode()) for tenant in spec.tenants}
    config = folder / "gateway.toml"
    with _writing(config):
        config.write_text(_config(spec, engines, ports, folder, minted), encoding="utf-8")
    service = Service(
        name="gateway",
        words=(sys.executable, "-m", "inferometer", "gateway", "--config", str(config)),
        environment={_SECRET: secret},
        ready_url=f"http://127.0.0.1:{ports[1]}/readyz",
        log=folder / "gateway.log",
    )
    return {tenant: token for tenant, (token, _) in minted.items()}, service


def _config(
    spec: StackSpec,
    engines: Sequence[str],
    ports: Sequence[int],
    folder: Path,
    minted: Mapping[str, tuple[str, str]],
) -> str:
    """Return the gateway's configuration; it holds hashes of keys and the name of the secret."""
    gateway = {
        "secret": f"env:{_SECRET}",
        "listen": f"127.0.0.1:{ports[0]}",
        "control": f"127.0.0.1:{ports[1]}",
        "ledger": str(folder / "ledger.db"),
        "lb_window": 0.0,
        "grace": 5.0,
    }
    tables = [toml_table("[gateway]", gateway)]
    for place, engine in enumerate(engines):
        upstream = {"name": f"engine-{place}", "url": f"{engine}/v1", "health": "/health"}
        models = f"models = {{ {toml_value(spec.alias)} = {toml_value(spec.alias)} }}\n"
        routes = 'routes = ["chat", "completions", "responses", "messages"]\n'
        tables.append(toml_table("[[upstream]]", upstream) + models + routes)
    for tenant, (_, hashed) in minted.items():
        key = {"id": f"key-{tenant}", "hash": hashed, "tenant": tenant, "may_attribute": True}
        tables.append(toml_table("[[key]]", key))
    return "\n".join(tables)
