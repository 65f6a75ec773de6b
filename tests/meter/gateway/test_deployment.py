"""The gateway as it is deployed: TLS on both sides, several workers, health, behind haproxy."""

import asyncio
import contextlib
import json
import os
import random
import shutil
import signal
import socket
import ssl
import subprocess
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from gateway_cases import COMPLETION, TOKEN, Caller, Upstream, answer, ask, run, standing
from process_cases import Running, ended, rows_of, started, upstream, write

from inferometer.meter.gateway import health

OPENSSL, HAPROXY = shutil.which("openssl"), shutil.which("haproxy")
needs_openssl = pytest.mark.skipif(not OPENSSL, reason="no openssl to make a certificate with")
needs_haproxy = pytest.mark.skipif(not HAPROXY, reason="no haproxy: apt-get install haproxy")


def certificate(folder: Path) -> tuple[Path, Path]:
    """A certificate for localhost that vouches for itself, and its key."""
    chain, key = folder / "chain.pem", folder / "key.pem"
    subprocess.run(  # noqa: S603
        [
            *(str(OPENSSL), "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "1"),
            *("-subj", "/CN=localhost", "-addext", "subjectAltName=DNS:localhost"),
            *("-keyout", str(key), "-out", str(chain)),
        ],
        check=True,
        stderr=subprocess.DEVNULL,
    )
    return chain, key


def free_port() -> int:
    """A port that nobody had a moment ago; where the kernel may not choose one for us."""
    return free_ports(1)


def free_ports(count: int) -> int:
    """The first of so many free ports in a row, below those that the kernel gives to callers.

    Of the kernel's own, the next one or the same one may be a caller's before we listen on it.
    """
    while True:
        first = random.randrange(20_000, 32_000)  # noqa: S311
        with contextlib.ExitStack() as probes, contextlib.suppress(OSError):
            for port in range(first, first + count):
                probes.enter_context(socket.socket()).bind(("127.0.0.1", port))
            return first


@contextlib.asynccontextmanager
async def secure_upstream(chain: Path, key: Path) -> AsyncIterator[Upstream]:
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(chain, key)
    found = Upstream([[answer(COMPLETION)]])
    server = await asyncio.start_server(found.serve, "127.0.0.1", 0, ssl=context)
    found.port = server.sockets[0].getsockname()[1]
    yield found
    server.close()


@needs_openssl
def test_tls_on_both_sides(tmp_path: Path) -> None:
    """A caller who trusts the certificate is served; so is one upstream whose issuer we trust."""
    chain, key = certificate(tmp_path)

    async def scenario() -> tuple[int, int]:
        async with secure_upstream(chain, key) as server:
            config = write(tmp_path, server.port, url="https://localhost:{port}/v1", lb_window=0.0)
            text = config.read_text(encoding="utf-8")
            pair = f'tls = {{ certificate = "{chain}", key = "{key}" }}\n'
            config.write_text(text.replace("[gateway]\n", "[gateway]\n" + pair), encoding="utf-8")
            statuses = []
            for trusted in (str(chain), "/dev/null"):
                async with started(config, SSL_CERT_FILE=trusted) as running:
                    context = ssl.create_default_context(cafile=chain)
                    pipes = await asyncio.open_connection("localhost", running.port, ssl=context)
                    caller = Caller(*pipes)
                    statuses.append((await caller.post(ask())).status)
                    await caller.close()
                    with pytest.raises((ssl.SSLError, OSError)):
                        await asyncio.open_connection(
                            "localhost", running.port, ssl=ssl.create_default_context()
                        )
                    assert await ended(running) == 0
            return statuses[0], statuses[1]

    assert run(scenario()) == (200, 502), "an upstream that nobody vouches for gets no request"
    assert [row[2] for row in rows_of(tmp_path)] == ["ok", "upstream_error"]


def test_workers_share_a_port_and_the_dead_are_replaced(tmp_path: Path) -> None:
    """Two workers: both serve, one is killed and comes back, both reload, both end."""

    async def scenario() -> int:
        async with upstream([answer(COMPLETION)]) as server:
            port = free_ports(3)
            control = port + 1
            config = write(
                tmp_path, server.port, workers=2, lb_window=0.0,
                listen=f"127.0.0.1:{port}", control=f"127.0.0.1:{control}",
            )  # fmt: skip
            async with started(config) as running:
                pids = await _workers(running.process.pid, 2)
                while not all([await _is_up(running, control + n) for n in range(2)]):
                    await asyncio.sleep(0.05)
                asked = 0  # from here on both listen: a late one would count as left out
                while not all([await _served(running, control + n) for n in range(2)]):
                    async with _fresh(running, port) as caller:
                        assert (await caller.post(ask())).status == 200
                        asked += 1
                    assert asked < 400, "the kernel spreads connections over both"
                running.process.send_signal(signal.SIGHUP)
                for number in range(2):
                    line = 'reloads_total{result="ok"} 1'
                    while line not in await _metrics(running, control + number):
                        await asyncio.sleep(0.02)
                killed = pids.pop()
                os.kill(killed, signal.SIGKILL)
                while killed in (now := await _workers(running.process.pid, 2)):
                    await asyncio.sleep(0.05)
                assert pids[0] in now
                while not all([await _is_up(running, control + n) for n in range(2)]):
                    await asyncio.sleep(0.05)
                assert await ended(running) == 0
            return asked

    asked = run(scenario(), limit=60)
    assert len(rows_of(tmp_path)) == asked


async def _workers(parent: int, count: int) -> list[int]:
    """Wait until a process has so many children; return their ids."""
    while True:
        text = Path(f"/proc/{parent}/task/{parent}/children").read_text(encoding="ascii")
        if len(pids := [int(pid) for pid in text.split()]) >= count:
            return pids
        await asyncio.sleep(0.02)


async def _metrics(running: Running, control: int) -> str:
    async with _fresh(running, control) as caller:
        await caller.send(b"GET /metrics HTTP/1.1\r\nhost: x\r\n\r\n")
        return (await caller.read()).body.decode()


async def _served(running: Running, control: int) -> bool:
    up = await _is_up(running, control)
    return up and 'attempts_total{model="m"' in await _metrics(running, control)


async def _is_up(running: Running, control: int) -> bool:
    with contextlib.suppress(OSError):
        return bool(await _metrics(running, control))
    return False


@contextlib.asynccontextmanager
async def _fresh(running: Running, port: int) -> AsyncIterator[Caller]:
    caller = Caller(*await asyncio.open_connection("127.0.0.1", port))
    try:
        yield caller
    finally:
        await caller.close()


@pytest.mark.parametrize(
    ("script", "well"),
    [
        ([answer({}, "200 OK")], True),
        ([answer({}, "404 Not Found")], True),
        ([answer({}, "503 Service Unavailable")], False),
        ([b"HTTP/9 nonsense\r\n\r\n"], False),
        (["close"], False),
    ],
)
def test_a_health_check_reads_the_status(tmp_path: Path, script: list[bytes], well: bool) -> None:
    async def scenario() -> bool:
        async with standing(tmp_path, [script], each={"health": "/health"}) as stand:
            server = stand.core.world.servers["u0"]
            server.healthy = not well
            await health.check(server)
            assert stand.upstreams[0].seen[0].head.startswith(b"GET /health HTTP/1.1\r\n")
            return server.healthy

    assert run(scenario()) is well


def test_an_upstream_that_is_ill_gets_no_request_until_it_is_well(tmp_path: Path) -> None:
    """The first upstream's health goes 503, then 200; requests meanwhile go to the other."""

    async def scenario() -> tuple[list[str], list[str]]:
        ill, fine = answer({}, "503 Service Unavailable"), answer(COMPLETION)
        sick = [[ill], [fine]]
        each = {"health": "/health", "health_every": 0.2}
        async with standing(tmp_path, sick, [[fine]], each=each) as stand:
            watching = asyncio.create_task(health.watch(stand.core))
            first = stand.core.world.servers["u0"]
            while first.healthy:
                await asyncio.sleep(0.01)
            for _ in range(4):
                assert (await stand.post(ask())).status == 200
            during = [row.upstream for row in await stand.settled(4)]
            while not first.healthy:
                await asyncio.sleep(0.01)
            for _ in range(4):
                assert (await stand.post(ask())).status == 200
            watching.cancel()
            return during, [row.upstream for row in await stand.settled(8)][4:]

    during, after = run(scenario())
    assert during == ["u1"] * 4
    assert "u0" in after


HAPROXY_FILE = """
defaults
  mode http
  timeout connect 2s
  timeout client 30s
  timeout server 30s
  option httpchk GET /readyz
frontend front
  bind 127.0.0.1:{port}
  default_backend gateways
backend gateways
  balance roundrobin
{servers}
"""


@needs_haproxy
@pytest.mark.parametrize("rounds", [1, pytest.param(20, marks=pytest.mark.soak)])
def test_draining_behind_haproxy_fails_no_request(tmp_path: Path, rounds: int) -> None:
    """4.1: unready, still serving while the balancer notices, then closed; nobody sees an error.

    The two gateways are restarted in turn.
    """

    async def scenario() -> list[int]:
        async with (
            upstream([0.02, answer(COMPLETION)]) as server,
            contextlib.AsyncExitStack() as stack,
        ):
            configs: list[Path] = []
            for name in ("a", "b"):
                (tmp_path / name).mkdir()
                listen, control = (f"127.0.0.1:{free_port()}" for _ in range(2))
                places = {"listen": listen, "control": control, "lb_window": 1.0}
                configs.append(write(tmp_path / name, server.port, keys=(TOKEN,), **places))
            gateways = [await stack.enter_async_context(started(each)) for each in configs]
            front = await stack.enter_async_context(_haproxy(tmp_path, gateways))
            statuses: list[int] = []
            stop = asyncio.Event()
            load = [asyncio.create_task(_load(front, statuses, stop)) for _ in range(8)]
            for number in range(rounds):
                await _more(statuses)
                leaving = gateways[number % 2]
                assert await ended(leaving) == 0
                await _more(statuses)
                back = await stack.enter_async_context(started(configs[number % 2]))
                while not await _served(back, back.control):
                    await asyncio.sleep(0.02)
                gateways[number % 2] = back
            stop.set()
            await asyncio.gather(*load)
            assert [await ended(each) for each in gateways] == [0, 0]
            return statuses

    statuses = run(scenario(), limit=60.0 * rounds)
    assert set(statuses) == {200}
    told = [len(rows_of(tmp_path / name)) for name in ("a", "b")]
    assert sum(told) == len(statuses)
    assert min(told) > 0


async def _more(statuses: list[int]) -> None:
    """Wait for fifty more answers."""
    seen = len(statuses)
    while len(statuses) < seen + 50:
        await asyncio.sleep(0.01)


@contextlib.asynccontextmanager
async def _haproxy(folder: Path, gateways: list[Running]) -> AsyncIterator[int]:
    port = free_port()
    servers = "".join(
        f"  server g{n} 127.0.0.1:{each.port} check port {each.control} inter 100ms fall 1 rise 1\n"
        for n, each in enumerate(gateways)
    )
    file = folder / "haproxy.cfg"
    file.write_text(HAPROXY_FILE.format(port=port, servers=servers), encoding="utf-8")
    process = await asyncio.create_subprocess_exec(str(HAPROXY), "-db", "-f", str(file))
    try:
        while True:
            with contextlib.suppress(OSError):
                _, writer = await asyncio.open_connection("127.0.0.1", port)
                writer.close()
                break
            await asyncio.sleep(0.02)
        yield port
    finally:
        process.kill()
        await process.wait()


async def _load(port: int, statuses: list[int], stop: asyncio.Event) -> None:
    """Ask again and again; a connection that the answer closes is opened anew."""
    while not stop.is_set():
        caller = Caller(*await asyncio.open_connection("127.0.0.1", port))
        try:
            while not stop.is_set():
                got = await caller.post(ask(), token=TOKEN)
                statuses.append(got.status)
                assert got.status != 200 or json.loads(got.body)["id"] == "c"
                if got.headers.get("connection") == "close":
                    break
        except (OSError, asyncio.IncompleteReadError):
            statuses.append(0)
        finally:
            await caller.close()
