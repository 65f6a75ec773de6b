"""One streamed completion over HTTP/1.1, with the time of every piece of it.

A connection serves one request: servers close idle ones after seconds and after a hundred requests,
and a race against that would be counted as a failure of the engine.
"""

import asyncio
import ssl
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlsplit

import httptools
import msgspec

from inferometer.errors import EngineError, ScenarioError
from inferometer.loop.jobs import Job

READ = 1 << 16
TIMEOUT = 600.0
"""Seconds after which a request is given up."""

LONGEST_FAULT = 200
"""Characters of an engine's complaint that are kept."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Endpoint:
    """Where requests go.

    Attributes:
        url: Base address, without /v1.
        model: Model as the endpoint names it.
        keys: API key by tenant; "" for all others.
    """

    url: str
    model: str
    keys: Mapping[str, str] = field(default_factory=dict[str, str])

    def __post_init__(self) -> None:
        require_address(self.url)


def require_address(url: str) -> None:
    """Refuse what is no address of a server.

    Raises:
        ScenarioError: another scheme, no host, or a port that is none.
    """
    try:
        parts = urlsplit(url)
        good = parts.scheme in {"http", "https"} and parts.hostname and parts.port != 0
    except ValueError:  # a port that is no number or too large, half an IPv6 address
        good = False
    if not good:
        raise ScenarioError(f"endpoint {url!r:.80}: http://HOST:PORT or https://HOST is wanted")


@dataclass(slots=True, kw_only=True)
class Shot:
    """One request as it went; times are monotonic seconds.

    Attributes:
        job: What was asked.
        due: When it should have been sent: latency counts from here.
        sent: When it was.
        pieces: When each piece of text came.
        ended: When the answer was complete.
        input_tokens: Prompt tokens as the engine counted them.
        cached_tokens: Of these, from the prefix cache.
        output_tokens: Tokens generated, likewise.
        error: What went wrong; "" for nothing.
    """

    job: Job
    due: float
    sent: float
    pieces: list[float] = field(default_factory=list[float])
    ended: float = 0.0
    input_tokens: int = 0
    cached_tokens: int = 0
    output_tokens: int = 0
    error: str = ""

    @property
    def ttft(self) -> float:
        """Seconds from when it was due to the first piece."""
        return self.pieces[0] - self.due

    @property
    def e2e(self) -> float:
        """Seconds from when it was due to the last piece."""
        return self.pieces[-1] - self.due

    @property
    def tpot(self) -> float:
        """Seconds per output token after the first: (E2E - TTFT) / (n - 1)."""
        return (self.pieces[-1] - self.pieces[0]) / max(self.output_tokens - 1, 1)

    @property
    def gaps(self) -> Sequence[float]:
        """Seconds between pieces."""
        return [b - a for a, b in zip(self.pieces, self.pieces[1:], strict=False)]


async def shoot(endpoint: Endpoint, job: Job, due: float) -> Shot:
    """Return one request, sent now and read to its end.

    A refusal or a broken answer is a failed shot. Nobody listening is no shot at all.

    Raises:
        EngineError: nobody listens at the endpoint (any more).
    """
    shot = Shot(job=job, due=due, sent=time.monotonic())
    try:
        async with asyncio.timeout(TIMEOUT):
            await _exchange(endpoint, job, shot)
    except ConnectionRefusedError as error:
        raise EngineError(f"{endpoint.url}: nobody listens there") from error
    except TimeoutError:
        shot.error = f"no end after {TIMEOUT:g} s"
    except (OSError, httptools.HttpParserError) as error:
        shot.error = f"connection broke: {type(error).__name__}"
    shot.ended = time.monotonic()
    if not shot.error and not shot.pieces:
        shot.error = "an answer without text"
    return shot


async def _exchange(endpoint: Endpoint, job: Job, shot: Shot) -> None:
    parts = urlsplit(endpoint.url)
    secure = parts.scheme == "https"
    reader, writer = await asyncio.open_connection(
        parts.hostname,
        parts.port or (443 if secure else 80),
        ssl=ssl.create_default_context() if secure else None,
    )
    try:
        writer.write(_request(endpoint, job, parts.netloc, parts.path.rstrip("/")))
        await writer.drain()
        answer = _Answer(shot)
        parser = httptools.HttpResponseParser(answer)
        while not answer.complete and (data := await reader.read(READ)):
            answer.now = time.monotonic()
            parser.feed_data(data)
        answer.finish(parser.get_status_code() if answer.begun else 0)
    finally:
        writer.close()


def _request(endpoint: Endpoint, job: Job, host: str, path: str) -> bytes:
    body = msgspec.json.encode(
        {
            "model": endpoint.model,
            "prompt": job.prompt,
            "max_tokens": job.output_tokens,
            "temperature": 0,
            "ignore_eos": True,
            "stream": True,
            "stream_options": {"include_usage": True},
        }
    )
    key = endpoint.keys.get(job.tenant) or endpoint.keys.get("", "")
    lines = [
        f"POST {path}/v1/completions HTTP/1.1",
        f"Host: {host}",
        "Content-Type: application/json",
        "Connection: close",
        f"Content-Length: {len(body)}",
        *([f"Authorization: Bearer {key}"] if key else []),
    ]
    return "\r\n".join((*lines, "", "")).encode() + body


class _Answer:
    """Reads events as they come: what a piece holds is looked at once, and forgotten."""

    def __init__(self, shot: Shot) -> None:
        self.shot = shot
        self.now = 0.0
        self.begun = self.complete = False
        self.rest = b""

    def on_status(self, status: bytes) -> None:
        """Called by the parser with the reason, after the status."""
        del status
        self.begun = True

    def on_body(self, data: bytes) -> None:
        """Called by the parser with each part of the body."""
        *events, self.rest = (self.rest + data).replace(b"\r\n", b"\n").split(b"\n\n")
        for event in events:
            if event.startswith(b"data: {"):
                self._read(event[6:])

    def on_message_complete(self) -> None:
        """Called by the parser at the end of the answer."""
        self.complete = True

    def _read(self, text: bytes) -> None:
        event = msgspec.json.decode(text)
        for choice in event.get("choices") or ():
            if choice.get("text"):
                self.shot.pieces.append(self.now)
        if event.get("error"):
            self.shot.error = _complaint(event)
        if event.get("usage"):
            _count(self.shot, event["usage"])

    def finish(self, status: int) -> None:
        """Say what is wrong with the answer as a whole, if anything is."""
        if status != 200 and not self.shot.error:
            self.shot.error = f"status {status}: {_complaint(_json(self.rest))}"
        elif not self.complete and not self.shot.error:
            self.shot.error = "the answer broke off"
        elif not self.shot.output_tokens and not self.shot.error:
            self.shot.error = "no usage at the end: include_usage is not obeyed"


def _count(shot: Shot, usage: Mapping[str, Any]) -> None:
    shot.input_tokens = int(usage.get("prompt_tokens") or 0)
    shot.output_tokens = int(usage.get("completion_tokens") or 0)
    details = usage.get("prompt_tokens_details") or {}
    shot.cached_tokens = int(details.get("cached_tokens") or 0)


def _json(body: bytes) -> Mapping[str, Any]:
    try:
        found = msgspec.json.decode(body)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return {}
    return found if isinstance(found, dict) else {}


def _complaint(body: Mapping[str, Any]) -> str:
    """Return what an error body says; a prompt is never part of it, being no error of its own."""
    fault = body.get("error")
    text = fault.get("message", "") if isinstance(fault, dict) else str(fault or "no reason given")
    return str(text)[:LONGEST_FAULT]
