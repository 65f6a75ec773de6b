"""Load on a server whose timing is known: what is measured is what it did."""

import asyncio
import datetime as dt
import itertools
import json
import os
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from inferometer.calibrate.files import read
from inferometer.cli.app import run
from inferometer.errors import EngineError, ScenarioError
from inferometer.loop import readings
from inferometer.loop.bench import Load, bench
from inferometer.loop.client import Endpoint
from inferometer.loop.drive import drive
from inferometer.loop.jobs import Bounds, Job, fitted, jobs_of
from inferometer.loop.processor import is_local, pid_behind
from inferometer.loop.readings import Reading, Spent, spent
from inferometer.loop.result import Subject, row_of, write_rows, write_vllm
from inferometer.loop.summary import summarise
from inferometer.meter.power import Counters
from inferometer.meter.scrape import Counted
from inferometer.workload.trace import Prefixes, Trace

FIRST, GAP = 0.05, 0.01


class Server:
    """Streams `max_tokens` pieces, one every GAP after FIRST; one request at a time."""

    def __init__(self, *, status: int = 200, dies_after: int = 1 << 30) -> None:
        self.status, self.dies_after = status, dies_after
        self.served = 0
        self.bodies: list[dict[str, object]] = []
        self.writers = list[asyncio.StreamWriter]()
        self.lock = asyncio.Lock()

    async def answer(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.writers.append(writer)
        head = (await reader.readuntil(b"\r\n\r\n")).decode().lower()
        size = int(head.split("content-length: ")[1].split("\r\n")[0])
        body = json.loads(await reader.readexactly(size))
        self.bodies.append(body)
        async with self.lock:
            await self._stream(body, writer)
            self.served += 1
        writer.close()

    async def _stream(self, body: dict[str, object], writer: asyncio.StreamWriter) -> None:
        if self.status != 200:
            writer.write(
                b'HTTP/1.1 503 Busy\r\nContent-Length: 30\r\n\r\n{"error":{"message":"too full"}}'[
                    :-2
                ]
            )
            return
        writer.write(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n")
        await asyncio.sleep(FIRST)
        tokens = int(str(body["max_tokens"]))
        for _ in range(tokens):
            self._event(writer, {"choices": [{"text": "x"}]})
            await asyncio.sleep(GAP)
        prompt = len(str(body["prompt"]).split())
        usage = {"prompt_tokens": prompt, "completion_tokens": tokens}
        self._event(writer, {"choices": [], "usage": usage})
        writer.write(b"0\r\n\r\n")

    @staticmethod
    def _event(writer: asyncio.StreamWriter, event: dict[str, object]) -> None:
        data = b"data: " + json.dumps(event).encode() + b"\n\n"
        writer.write(f"{len(data):x}\r\n".encode() + data + b"\r\n")


@contextmanager
def serving(server: Server) -> Iterator[Endpoint]:
    loop = asyncio.new_event_loop()
    ready, ports, ended = threading.Event(), list[int](), asyncio.Event()

    async def serve() -> None:
        listener = await asyncio.start_server(server.answer, "127.0.0.1", 0)
        ports.append(listener.sockets[0].getsockname()[1])
        ready.set()
        while not ended.is_set() and server.served < server.dies_after:
            await asyncio.sleep(0.005)
        listener.close()
        await asyncio.sleep(0.05)  # who was accepted a moment ago has its writer by now
        for writer in server.writers:
            writer.transport.abort()
        await asyncio.sleep(0.01)

    thread = threading.Thread(target=lambda: loop.run_until_complete(serve()))
    thread.start()
    ready.wait()
    try:
        yield Endpoint(url=f"http://127.0.0.1:{ports[0]}", model="m")
    finally:
        loop.call_soon_threadsafe(ended.set)
        thread.join()
        loop.close()


def jobs(count: int, *, every: float = 0.0, tokens: int = 5) -> list[Job]:
    return [
        Job(at=place * every, prompt="a b c", input_tokens=3, output_tokens=tokens)
        for place in range(count)
    ]


def test_an_open_loop_counts_from_when_a_request_was_due() -> None:
    """The server serves one at a time, 0.1 s each, and they are due every 0.02 s: a queue grows."""
    with serving(Server()) as endpoint:
        run = drive(endpoint, jobs(6, every=0.02), clients=0, loop="open")
    waits = [shot.ttft for shot in run.good]
    assert len(waits) == 6
    assert waits == sorted(waits)
    assert waits[-1] > 5 * (FIRST + 5 * GAP) - 6 * 0.02 + FIRST / 2
    assert all(shot.sent - shot.due < 0.2 for shot in run.shots)  # sent though none was answered


def test_a_closed_loop_keeps_its_clients_and_times_pieces() -> None:
    server = Server()
    with serving(server) as endpoint:
        found = bench(endpoint, jobs(8), Load(clients=2, warm=0))
    summary = found.summary
    assert (summary.requests, summary.failed, summary.clients) == (8, 0, 2)
    assert (summary.input_tokens, summary.output_tokens) == (3, 5)
    assert summary.tpot.p50 == pytest.approx(GAP, rel=0.6)
    assert summary.output_rate <= 1.05 * 5 / (FIRST + 5 * GAP)  # it serves one at a time
    in_flight = [
        sum(other.sent <= shot.sent < other.ended for other in found.run.shots)
        for shot in found.run.shots
    ]
    assert max(in_flight) <= 2


def test_conversations_wait_for_their_answers() -> None:
    turns = [
        Job(at=0.03 * turn, prompt="a", input_tokens=1, output_tokens=2, session=chat)
        for turn in range(3)
        for chat in range(2)
    ]
    with serving(Server()) as endpoint:
        run = drive(endpoint, turns, clients=2, loop="sessions")
    for chat in range(2):
        mine = [shot for shot in run.shots if shot.job.session == chat]
        assert all(b.sent >= a.ended + 0.03 - 0.005 for a, b in itertools.pairwise(mine))


def test_an_engine_that_goes_away_ends_the_run() -> None:
    with (
        serving(Server(dies_after=3)) as endpoint,
        pytest.raises(EngineError, match=r"nobody listens there; \d of 50 requests"),
    ):
        drive(endpoint, jobs(50), clients=1)


def test_refusals_are_failures_and_only_failures_are_an_error() -> None:
    with serving(Server(status=503)) as endpoint, pytest.raises(EngineError, match="status 503"):
        drive(endpoint, jobs(2), clients=1)


def test_what_cannot_be_run_is_refused() -> None:
    endpoint = Endpoint(url="http://127.0.0.1:1", model="m")
    for wrong in ({"clients": 0}, {"clients": 1, "loop": "spiral"}):
        with pytest.raises(ScenarioError):
            drive(endpoint, jobs(1), **wrong)  # pyrefly: ignore
    for load in ({"warm": -1}, {"watts": -5.0}, {"watts": 0.0}, {"watts": float("nan")}):
        with pytest.raises(ScenarioError, match=f"{next(iter(load))} is"):
            Load(**load)  # pyrefly: ignore


@pytest.mark.parametrize(
    "url",
    ["127.0.0.1:80", "http://h:abc", "http://h:99999", "http://h:0", "http://[::1", "http://"],
)
def test_an_address_that_is_none_is_refused(url: str) -> None:
    with pytest.raises(ScenarioError, match="http://HOST:PORT"):
        Endpoint(url=url, model="m")
    with pytest.raises(ScenarioError, match="http://HOST:PORT"):
        bench(Endpoint(url="http://127.0.0.1:1", model="m"), jobs(1), Load(), engine=url)


def test_both_files_are_read_back(tmp_path: Path) -> None:
    with serving(Server()) as endpoint:
        found = bench(endpoint, jobs(10), Load(clients=2, warm=0))
    subject = Subject(model="smollm2-1.7b", gpu="cpu-x86-2core", precision="q4_1")
    when = dt.datetime(2026, 11, 26, tzinfo=dt.UTC)
    write_rows([row_of(found.summary, subject, name="r", day=when.date())], tmp_path / "r.csv")
    write_vllm(found.run, found.summary, subject, tmp_path / "r.json", when=when)
    (ours,), (theirs,) = read(tmp_path / "r.csv"), read(tmp_path / "r.json")
    assert ours.metrics["tokens_per_s"] == pytest.approx(found.summary.output_rate, rel=1e-4)
    assert ours.cells["load_type"] == theirs.cells["load_type"] == "concurrency"
    for row, like in ((ours, 1e-4), (theirs, 0.5)):  # theirs is of the whole run, as vLLM's is
        assert (row.model, row.gpu, row.cells["precision"]) == (
            "smollm2-1.7b", "cpu-x86-2core", "q4_1",
        )  # fmt: skip
        assert row.metrics["tpot_ms_p50"] == pytest.approx(found.summary.tpot.p50 * 1e3, rel=like)
    assert "a b c" not in (tmp_path / "r.json").read_text()


def _trace(size: int, *, prefixes: Prefixes | None = None) -> Trace:
    return Trace(
        arrival=np.linspace(0.0, 10.0 * (size - 1), size),
        input_tokens=np.full(size, 40),
        output_tokens=np.full(size, 300),
        prefixes=prefixes,
        name="t",
    )


def test_a_trace_is_thinned_stretched_and_cut_by_what_is_said() -> None:
    cut, how = fitted(_trace(100), Bounds(prompt=32, output=500), requests=25, rate=0.5, seed=1)
    assert len(cut) == how.requests == 25
    assert how.kept == 0.25
    assert cut.span == pytest.approx(24 / 0.5)
    assert (how.prompts_scaled, how.outputs_scaled) == (32 / 40, 1.0)
    assert (how.prompts_cut, how.outputs_cut) == (0, 0)
    assert set(cut.input_tokens) == {32}
    assert set(cut.output_tokens) == {300}
    again, _ = fitted(_trace(100), Bounds(prompt=32, output=500), requests=25, rate=0.5, seed=1)
    assert (again.arrival == cut.arrival).all()
    whole, how = fitted(_trace(100), Bounds(prompt=64, output=16), requests=0, rate=0, seed=1)
    assert (how.kept, how.stretch, how.outputs_cut, whole.span) == (1.0, 1.0, 0, 990.0)


@pytest.mark.parametrize("longest", [100, 90, 89, 30, 2])
def test_lengths_are_scaled_where_over_a_tenth_would_be_cut(longest: int) -> None:
    """So that requests keep lengths of their own; at most a tenth of them ends at the bound."""
    lengths = np.arange(1, 101)
    trace = Trace(
        arrival=lengths.astype(np.float64), input_tokens=lengths, output_tokens=lengths + 1
    )
    cut, how = fitted(trace, Bounds(prompt=longest, output=longest + 1), requests=0, rate=0, seed=0)
    assert cut.input_tokens.max() == longest
    assert how.prompts_cut == (lengths > longest).sum() if longest >= 90 else how.prompts_cut <= 10
    assert (how.prompts_scaled == 1.0) == (longest >= 90.1)
    assert how.prompts_scaled == pytest.approx(min(longest / 90.1, 1.0))
    scaled = np.clip(np.rint(lengths * how.prompts_scaled), 1, longest)
    assert (cut.input_tokens == scaled).all()


def test_scaled_prompts_share_as_large_a_part_as_before() -> None:
    shared = Prefixes(hashes=np.array([1, 2, 1, 3]), offsets=np.array([0, 2, 4]), block_size=20)
    cut, _ = fitted(
        _trace(2, prefixes=shared), Bounds(prompt=10, output=500), requests=0, rate=0, seed=0
    )
    first, second = (job.prompt.split() for job in jobs_of(cut, 0))
    assert len(first) == len(second) == 10
    assert first[:5] == second[:5]
    assert first[5:] != second[5:]


def test_prompts_share_what_the_trace_says_they_share() -> None:
    hashes = np.array([1, 2, 1, 3])
    shared = Prefixes(hashes=hashes, offsets=np.array([0, 2, 4]), block_size=16)
    first, second = (job.prompt.split() for job in jobs_of(_trace(2, prefixes=shared), 0))
    assert len(first) == len(second) == 40
    assert first[:16] == second[:16]
    assert first[16:20] != second[16:20]
    alone = [job.prompt.split() for job in jobs_of(_trace(2), 0)]
    assert alone[0][:4] != alone[1][:4]


def test_energy_is_measured_or_modelled_or_unknown_never_zero() -> None:
    def reading(at: float, cpu: float | None, *joules: int) -> Reading:
        label = "rapl" if joules else "declared"
        return Reading(at=at, engine=Counted(prompt=at, generated=at), processor=cpu,
                       energy=Counters(label, joules, (0,) * len(joules)))  # fmt: skip

    counted = spent(reading(0, 1.0, 5_000_000), reading(2, 2.0, 9_000_000), 8.0)
    assert (counted.joules, counted.energy_label) == (4.0, "rapl")
    modelled = spent(reading(0, 1.0), reading(2, 2.5), 8.0)
    assert (modelled.joules, modelled.energy_label) == (12.0, "modelled")
    unknown = spent(reading(0, None), reading(2, None), 8.0)
    assert (unknown.joules, unknown.energy_label) == (None, "not measured")
    restarted = spent(reading(5, 1.0), reading(2, 2.0), None)
    assert (restarted.generated_tokens, restarted.joules) == (None, None)


def test_energy_of_another_machine_is_not_read_from_this_one() -> None:
    assert is_local("http://127.0.0.1:1") and is_local("https://localhost")  # noqa: PT018
    assert not is_local("http://192.0.2.1:1")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(readings, "counters", lambda: Counters("rapl", (5,), (0,)))
        assert readings.read("http://127.0.0.1:1").energy.label == "rapl"
        assert readings.read("http://127.0.0.2:1").energy == Counters("declared")  # not surely here


def test_who_shows_no_counts_may_be_a_gateway_whose_processor_time_is_not_the_engines(
    capsys: pytest.CaptureFixture[str],
) -> None:
    with serving(Server()) as endpoint:
        assert (
            pid_behind(endpoint.url) == os.getpid()
        )  # it could be read, and would be the wrong one
        assert readings.read(endpoint.url).processor is None
        assert run(["bench", endpoint.url, "--requests", "2", "--watts", "8"]) == 0
    out, err = capsys.readouterr()
    assert "not measured" in out
    assert "--engine" in err


def test_power_is_energy_over_the_time_that_it_was_counted_for() -> None:
    """A run whose steady stretch is faster than the whole of it draws no more for that."""
    with serving(Server()) as endpoint:
        run = drive(endpoint, jobs(10), clients=2)
    took = Spent(span=20.0, processor=None, prompt_tokens=None, generated_tokens=None,
                 joules=500.0, energy_label="rapl")  # fmt: skip
    summary = summarise(run, took, loop="closed")
    row = row_of(summary, Subject(model="m", gpu="g"), name="r", day=dt.date(2026, 11, 26))
    assert float(row["power_w"]) == pytest.approx(25.0)
    assert float(row["energy_j_per_token"]) == pytest.approx(10.0)
    modelled = replace(summary, energy_label="modelled")
    row = row_of(modelled, Subject(model="m", gpu="g"), name="r", day=dt.date(2026, 11, 26))
    assert (row["power_w"], row["energy_j_per_token"]) == ("", "")


def test_what_was_measured_is_shown_though_its_file_cannot_be_written(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with serving(Server()) as endpoint:
        asked = ["bench", endpoint.url, "--requests", "2", "--max-output", "3", "--max-prompt", "8"]
        code = run([*asked, "--csv", str(tmp_path / "no" / "r.csv"), "--format", "json"])
    shown = capsys.readouterr()
    assert code == 2
    assert "r.csv: cannot be written" in shown.err
    assert json.loads(shown.out)["summary"]["requests"] == 2
    for rate in ("nan", "-1", "inf"):
        assert run([*asked, "--rate", rate]) == 2
    assert "--rate" in capsys.readouterr().err
