"""From a configuration to what requests use: keys, pools, gates and salts.

A reload builds a new world. Servers and gates that did not change are taken over, so that breakers,
loads, kept connections and rates survive it.
"""

import hashlib
import ssl
from collections.abc import Mapping

import msgspec

from inferometer.errors import GatewayError
from inferometer.meter.config import (
    Config,
    Key,
    Tenant,
    Tls,
    Upstream,
)
from inferometer.meter.gateway.core import World
from inferometer.meter.gateway.keys import ring
from inferometer.meter.gateway.rates import Gate, gate
from inferometer.meter.gateway.servers import Server
from inferometer.meter.gateway.upstream import Pool
from inferometer.meter.secret import SHORTEST_SECRET, secret


def build(config: Config, before: World | None = None) -> World:
    """Return the world of a configuration, with what may stay of the one before.

    Raises:
        GatewayError: a secret or certificate is missing.
    """
    key = secret(config.gateway.secret, "gateway.secret", shortest=SHORTEST_SECRET).encode()
    servers = {each.name: _server(each, before) for each in config.upstream}
    tenants = {each.name: each for each in config.tenant}
    names = {each.tenant for each in config.key}
    return World(
        config=config,
        secret=key,
        ring=ring(config.key),
        servers=servers,
        by_model=_by_model(servers),
        tenant_gates={name: _tenant_gate(name, tenants.get(name), before) for name in names},
        key_gates={each.id: _key_gate(each, before) for each in config.key},
        salts={name: _salt(key, name) for name in names},
    )


def server_context(tls: Tls) -> ssl.SSLContext:
    """Return the context of the client side.

    Raises:
        GatewayError: certificate or key cannot be read or do not belong together.
    """
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.set_alpn_protocols(["http/1.1"])
    try:
        context.load_cert_chain(tls.certificate, tls.key)
    except OSError as error:  # also ssl.SSLError
        raise GatewayError(f"gateway.tls: {error.strerror or error}") from None
    return context


def _server(upstream: Upstream, before: World | None) -> Server:
    old = before.servers.get(upstream.name) if before else None
    if old is not None and old.pool.upstream == upstream:
        return old
    key = secret(upstream.key, f"upstream {upstream.name}: key") if upstream.key else ""
    context = ssl.create_default_context() if upstream.address.scheme == "https" else None
    return Server(Pool(upstream, key, context))


def _by_model(servers: Mapping[str, Server]) -> dict[tuple[str, str], tuple[Server, ...]]:
    found: dict[tuple[str, str], tuple[Server, ...]] = {}
    for server in servers.values():
        for model in server.pool.upstream.models:
            for route in server.pool.upstream.routes:
                found[model, route] = (*found.get((model, route), ()), server)
    return found


def _tenant_gate(name: str, tenant: Tenant | None, before: World | None) -> Gate:
    if before and name in before.tenant_gates:
        old = {each.name: each for each in before.config.tenant}.get(name)
        if old == tenant:
            return before.tenant_gates[name]
    return gate(tenant)


def _key_gate(key: Key, before: World | None) -> Gate:
    if before and key in before.config.key:
        return before.key_gates[key.id]
    return gate(key)


def _salt(key: bytes, tenant: str) -> bytes:
    """Return a tenant's salt of the engine's prefix cache, as JSON."""
    salt = hashlib.blake2b(b"cache\0" + tenant.encode(), key=key[:64], digest_size=16)
    return msgspec.json.encode(salt.hexdigest())
