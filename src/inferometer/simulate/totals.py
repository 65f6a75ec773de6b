"""What became of requests, summed by tenant: constant in memory, however many there are."""

from dataclasses import dataclass, field

import numpy as np

from inferometer.simulate import latency
from inferometer.simulate.groups import Groups
from inferometer.simulate.histogram import Quantiles, buckets, quantiles_of
from inferometer.simulate.records import STATUSES, Records, ended, in_order
from inferometer.simulate.state import FINISHED, WAITING
from inferometer.simulate.tally import BUCKETS
from inferometer.units import Fraction, Seconds
from inferometer.workload.slo import Slo
from inferometer.workload.trace import Flags, Floats, Ints

METRICS = ("ttft", "tpot", "e2e")
"""Latencies of requests; gaps between tokens are counted by the loop."""

ALL = "all"
"""Name of the tenants, or classes, together."""

PROMPT, CACHED, OUTPUT = 0, 1, 2
"""Columns of `Totals.tokens`."""


@dataclass(slots=True, kw_only=True, eq=False)
class Totals:
    """Sums over the requests added so far.

    Attributes:
        groups: Who is told apart.
        slo: Targets that a request must meet itself to be good.
        outside: What a request takes beside its steps.
        ended: Requests by status [group, status].
        met: Requests that met every target [group].
        tokens: Prompt, cached and output tokens of the finished [group, 3].
        attempts: How often requests were sent.
        counts: Latencies by bucket [metric, group, bucket].
        seconds: Their sums [metric, group].
    """

    groups: Groups
    slo: Slo
    outside: Seconds
    ended: Ints = field(init=False)
    met: Ints = field(init=False)
    tokens: Ints = field(init=False)
    attempts: int = 0
    counts: Ints = field(init=False)
    seconds: Floats = field(init=False)

    def __post_init__(self) -> None:
        size = len(self.groups)
        self.ended = np.zeros((size, STATUSES), np.int64)
        self.met = np.zeros(size, np.int64)
        self.tokens = np.zeros((size, 3), np.int64)
        self.counts = np.zeros((len(METRICS), size, BUCKETS), np.int64)
        self.seconds = np.zeros((len(METRICS), size))

    @property
    def finished(self) -> int:
        """Requests answered in full."""
        return int(self.ended[:, FINISHED].sum())


@dataclass(frozen=True, slots=True, kw_only=True)
class Tail:
    """Latencies and missed targets of some requests.

    Attributes:
        tenant: Whose; "all" for all of a class, or of all.
        priority: Their class, "all" for both.
        requests: Requests that ended.
        missed: Share of them that did not meet every target themselves, unanswered ones included.
        ttft: Time to first token.
        tpot: (E2E - TTFT) / (output tokens - 1).
        itl: Gaps between output tokens.
        e2e: From asking to the last token.
    """

    tenant: str
    priority: str
    requests: int
    missed: Fraction
    ttft: Quantiles
    tpot: Quantiles
    itl: Quantiles
    e2e: Quantiles


def tails(totals: Totals, gaps: Ints) -> list[Tail]:
    """Return the tails of all, then of each class and of each tenant where there are several.

    Args:
        totals: Sums of requests.
        gaps: Gaps between tokens [group, bucket].
    """
    names, classes = np.array(totals.groups.names), np.array(totals.groups.classes)
    present = totals.ended.sum(axis=1) > 0
    found = [tail(totals, gaps, present, ALL, ALL)]
    kinds = np.unique(classes[present]).tolist()
    if len(kinds) > 1:
        found += [tail(totals, gaps, present & (classes == kind), ALL, kind) for kind in kinds]
    if len(totals.groups) > 1:
        for place in np.flatnonzero(present):
            one = np.arange(len(names)) == place
            found.append(tail(totals, gaps, one, str(names[place]), str(classes[place])))
    return found


def tail(totals: Totals, gaps: Ints, chosen: Flags, tenant: str, priority: str) -> Tail:
    """Return the tail of the `chosen` groups together [group]."""
    requests = int(totals.ended[chosen].sum() - totals.ended[chosen, WAITING].sum())
    ttft, tpot, e2e = (
        quantiles_of(totals.counts[metric, chosen].sum(axis=0),
                     float(totals.seconds[metric, chosen].sum()))
        for metric in range(len(METRICS))
    )  # fmt: skip
    return Tail(
        tenant=tenant,
        priority=priority,
        requests=requests,
        missed=1 - int(totals.met[chosen].sum()) / requests if requests else np.nan,
        ttft=ttft,
        tpot=tpot,
        itl=quantiles_of(gaps[chosen].sum(axis=0)),
        e2e=e2e,
    )


def add(totals: Totals, records: Records) -> None:
    """Add requests, whatever became of them.

    Raises:
        LedgerError: one was answered before it was admitted.
    """
    in_order(records)
    outside = totals.outside
    good = latency.met(records, totals.slo, outside)
    totals.attempts += int(records.attempts.sum())
    several = records.done & (records.output > 1)
    for group in np.unique(records.group):
        mine = records.group == group
        totals.ended[group] += ended(records, mine)
        totals.met[group] += int(good[mine].sum())
        finished = mine & records.done
        for place, column in enumerate((records.prompt, records.cached, records.output)):
            totals.tokens[group, place] += int(column[finished].sum())
        kept = (mine[records.done], mine[several], mine[records.done])
        values = (latency.ttft(records, outside), latency.tpot(records),
                  latency.e2e(records, outside))  # fmt: skip
        for metric in range(len(METRICS)):
            chosen = values[metric][kept[metric]]
            totals.counts[metric, group] += np.bincount(buckets(chosen), minlength=BUCKETS)
            totals.seconds[metric, group] += chosen.sum()
