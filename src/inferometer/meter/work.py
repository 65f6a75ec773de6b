"""Modelled work of requests on one replica: a few numbers, so that no model is asked at run time.

Everything is a share of the replica's time: 1.0 is a replica that does nothing else.
"""

from bisect import bisect_left
from dataclasses import dataclass
from typing import NamedTuple

from inferometer.meter.record import Attempt
from inferometer.units import Duration


class Window(NamedTuple):
    """Attention of the layers that see as far as each other.

    Attributes:
        reach: Tokens that one token can see at most.
        prefill_pair: One prompt token looking at one token before it, seconds.
        kv_read: Reading one cached token in one decode step, seconds.
    """

    reach: float
    prefill_pair: float
    kv_read: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Work:
    """What tokens take of one replica of a deployment; `perf` computes it, JSON carries it.

    Attributes:
        prefill_token: One uncached prompt token in a full chunk, seconds.
        windows: Attention by reach.
        decode_step: A decode step by number of sequences, without their caches, seconds: weights,
            engine and collectives, which the sequences share.
        kv_tokens: Tokens that the cache holds.
    """

    prefill_token: Duration
    windows: tuple[Window, ...]
    decode_step: tuple[tuple[int, float], ...]
    kv_tokens: int

    def prefill(self, fresh: int, cached: int) -> float:
        """Return the time of `fresh` prompt tokens after `cached` ones, s."""
        seen = cached + fresh / 2
        pairs = sum(one.prefill_pair * min(seen, one.reach) for one in self.windows)
        return fresh * (self.prefill_token + pairs)

    def read(self, context: float) -> float:
        """Return the time of reading one sequence's cache in one decode step, s."""
        return sum(one.kv_read * min(context, one.reach) for one in self.windows)

    def step(self, sequences: int) -> float:
        """Return the time of a decode step of `sequences`, between neighbours linearly, s."""
        table = self.decode_step
        place = bisect_left(table, (sequences, 0.0))
        if place == len(table):
            return table[-1][1] * sequences / table[-1][0]
        if place == 0 or table[place][0] == sequences:
            return table[place][1]
        (left, low), (right, high) = table[place - 1], table[place]
        return low + (high - low) * (sequences - left) / (right - left)


def tokens_time(work: Work, fresh: float, generated: float, batch: int) -> float:
    """Return the time of so many tokens where nothing is known of who asked for them, s.

    Attention and reading of caches apart, which depend on contexts.

    Args:
        work: The replica's table.
        fresh: Prompt tokens computed afresh.
        generated: Generated tokens.
        batch: Sequences of a decode step.
    """
    return fresh * work.prefill_token + generated * work.step(batch) / batch


class Phase(NamedTuple):
    """A stretch of time in which a request does one thing.

    Attributes:
        start_ns: When it begins.
        end_ns: When it ends.
        own: Share of the replica's time that is the request's alone, at any batch.
        token_rate: Decode steps per second, whose shared part is divided by the batch.
        kv: Share of the cache that it holds.
    """

    start_ns: int
    end_ns: int
    own: float
    token_rate: float
    kv: float


def phases(row: Attempt, work: Work) -> tuple[Phase, ...]:
    """Return the prefill and decode phases of an attempt.

    The engine's own times are taken where the row has them (`prefill_ns`, `decode_ns`), so that
    time in the engine's queue holds nothing. Without a time to the first token, the prompt takes
    what the model says, at most the whole attempt.
    """
    inputs = row.inputs
    fresh, output = inputs - row.cache_read, row.output + row.reasoning
    seconds = work.prefill(fresh, row.cache_read)
    first = _first_token(row, round(seconds * 1e9))
    began = max(row.started_ns, first - row.prefill_ns) if row.prefill_ns else row.started_ns
    last = max(first, row.ended_ns)
    decoding = max(first, last - row.decode_ns) if row.decode_ns else first
    found: list[Phase] = []
    if first > began:
        share = min(1.0, seconds * 1e9 / (first - began))
        found.append(Phase(began, first, share, 0.0, inputs / work.kv_tokens))
    if last > decoding and output:
        rate = output * 1e9 / (last - decoding)
        context = inputs + output / 2
        found.append(
            Phase(decoding, last, rate * work.read(context), rate, context / work.kv_tokens)
        )
    return tuple(found)


def _first_token(row: Attempt, modelled_ns: int) -> int:
    after = modelled_ns if row.ttft_ns is None else row.ttft_ns
    return min(row.ended_ns, row.started_ns + after)
