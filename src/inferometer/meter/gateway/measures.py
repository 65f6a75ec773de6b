"""The gateway's own metrics, in Prometheus text format.

Every label's value is a name of the configuration or one of a few words, never what a caller sent,
so that nobody can make series. Tenants, keys, sessions and runs are in the ledger only.
"""

from bisect import bisect_left
from collections import Counter
from collections.abc import Iterator, Mapping
from itertools import groupby
from operator import add

from inferometer.meter.record import CLASSES, Attempt

TTFT_BOUNDS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0)
DURATION_BOUNDS = (0.01, 0.05, 0.1, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0, 120.0, 300.0, 600.0)
_NS = 1e-9
_UNCERTAIN = frozenset({"estimated", "cumulative"})

HELP: Mapping[str, tuple[str, str]] = {
    "attempts_total": ("counter", "Upstream attempts by how they ended."),
    "tokens_total": ("counter", "Tokens by class; the classes are disjoint."),
    "cost_nanodollars_total": ("counter", "Amount of all priced attempts, nano-dollars."),
    "unpriced_total": ("counter", "Attempts without a price."),
    "estimated_total": ("counter", "Attempts whose tokens are estimated or cut short."),
    "refused_total": ("counter", "Requests refused before an upstream was asked, by reason."),
    "upstream_failures_total": ("counter", "Failures of an upstream by reason."),
    "ledger_errors_total": ("counter", "Rows or budgets that could not be written at once."),
    "budget_warnings_total": ("counter", "Accounts that passed a soft limit, by budget."),
    "webhook_failures_total": ("counter", "Budget events that could not be told."),
    "cache_hits_total": ("counter", "Requests answered from the exact-match cache, by model."),
    "reloads_total": ("counter", "Reloads of the configuration by result."),
    "time_to_first_token_seconds": ("histogram", "From sending to the first byte of a stream."),
    "request_duration_seconds": ("histogram", "From sending to the end of the answer."),
}
PREFIX = "inferometer_gateway_"
Labels = tuple[tuple[str, str], ...]


class Sums:
    """Running sums of the attempts of one model, upstream and outcome."""

    __slots__ = ("attempts", "nanos", "tokens", "uncertain", "unpriced")

    def __init__(self) -> None:
        self.attempts = self.nanos = self.uncertain = self.unpriced = 0
        self.tokens = [0] * len(CLASSES)


class Measures:
    """Counters and histograms of one process."""

    def __init__(self) -> None:
        self._counts: Counter[tuple[str, Labels]] = Counter()
        self._attempts: dict[tuple[str, str, str], Sums] = {}
        self._buckets: dict[tuple[str, str], list[int]] = {}
        self._sums: Counter[tuple[str, str]] = Counter()

    def attempt(self, row: Attempt) -> None:
        """Count an attempt as booked."""
        key = (row.model, row.upstream, row.outcome)
        sums = self._attempts.get(key)
        if sums is None:
            sums = self._attempts[key] = Sums()
        sums.attempts += 1
        sums.tokens = list(map(add, sums.tokens, row.tokens))
        nanos = row.nanos
        if nanos is None:
            sums.unpriced += 1
        else:
            sums.nanos += nanos
        if row.basis in _UNCERTAIN:
            sums.uncertain += 1
        if row.stream and row.ttft_ns is not None:
            self._observe("time_to_first_token_seconds", row.model, row.ttft_ns, TTFT_BOUNDS)
        took = row.ended_ns - row.started_ns
        self._observe("request_duration_seconds", row.model, took, DURATION_BOUNDS)

    def refused(self, reason: str) -> None:
        """Count a request that was not sent."""
        self._counts["refused_total", (("reason", reason),)] += 1

    def upstream_failure(self, upstream: str, reason: str) -> None:
        """Count a failure of an upstream."""
        self._counts["upstream_failures_total", (("upstream", upstream), ("reason", reason))] += 1

    def ledger_error(self) -> None:
        """Count a write to ledger or budgets that failed."""
        self._counts["ledger_errors_total", ()] += 1

    def budget_warning(self, limit: str) -> None:
        """Count an account that passed its soft limit."""
        self._counts["budget_warnings_total", (("budget", limit),)] += 1

    def webhook_failure(self) -> None:
        """Count a budget event that could not be told."""
        self._counts["webhook_failures_total", ()] += 1

    def cache_hit(self, model: str) -> None:
        """Count a request that no upstream saw."""
        self._counts["cache_hits_total", (("model", model),)] += 1

    def reload(self, result: str) -> None:
        """Count a reload: `ok` or `kept`, if the new file was wrong."""
        self._counts["reloads_total", (("result", result),)] += 1

    def text(self, gauges: Mapping[str, int]) -> str:
        """Return everything as Prometheus text; `gauges` are read off the core now."""
        lines: list[str] = []
        counts = self._all_counts()
        for name, (kind, words) in HELP.items():
            lines += [f"# HELP {PREFIX}{name} {words}", f"# TYPE {PREFIX}{name} {kind}"]
            lines += self._histogram(name) if kind == "histogram" else _counter(name, counts)
        for name, samples in groupby(sorted(gauges.items(), key=_family), key=_family):
            lines.append(f"# TYPE {PREFIX}{name} gauge")
            lines += [f"{PREFIX}{sample} {value}" for sample, value in samples]
        return "\n".join(lines) + "\n"

    def _observe(self, name: str, model: str, took_ns: int, bounds: tuple[float, ...]) -> None:
        buckets = self._buckets.get((name, model))
        if buckets is None:
            buckets = self._buckets[name, model] = [0] * (len(bounds) + 1)
        buckets[bisect_left(bounds, took_ns * _NS)] += 1
        self._sums[name, model] += took_ns

    def _all_counts(self) -> Counter[tuple[str, Labels]]:
        """Return all counters, those of attempts made from their sums."""
        counts = Counter(self._counts)
        for (model, upstream, outcome), sums in self._attempts.items():
            labels = (("model", model), ("upstream", upstream), ("outcome", outcome))
            counts["attempts_total", labels] += sums.attempts
            of_model: Labels = (("model", model),)
            for name, count in zip(CLASSES, sums.tokens, strict=True):
                counts["tokens_total", (*of_model, ("class", name))] += count
            counts["cost_nanodollars_total", of_model] += sums.nanos
            counts["unpriced_total", of_model] += sums.unpriced
            counts["estimated_total", of_model] += sums.uncertain
        return counts

    def _histogram(self, name: str) -> Iterator[str]:
        bounds = TTFT_BOUNDS if name.startswith("time") else DURATION_BOUNDS
        for (own, model), buckets in sorted(self._buckets.items()):
            if own != name:
                continue
            labels, so_far = (("model", model),), 0
            for bound, count in zip((*map(str, bounds), "+Inf"), buckets, strict=True):
                so_far += count
                yield f"{PREFIX}{name}_bucket{braced((*labels, ('le', bound)))} {so_far}"
            yield f"{PREFIX}{name}_sum{braced(labels)} {self._sums[own, model] * _NS:.9g}"
            yield f"{PREFIX}{name}_count{braced(labels)} {so_far}"


def _family(gauge: tuple[str, int]) -> str:
    return gauge[0].partition("{")[0]


def _counter(name: str, counts: Mapping[tuple[str, Labels], int]) -> Iterator[str]:
    for (own, labels), value in sorted(counts.items()):
        if own == name:
            yield f"{PREFIX}{name}{braced(labels)} {value}"


def braced(labels: Labels) -> str:
    """Return labels as they stand in a line, escaped; nothing for none."""
    if not labels:
        return ""
    return "{" + ",".join(f'{name}="{_escaped(value)}"' for name, value in labels) + "}"


def _escaped(value: str) -> str:
    return value.replace("\\", r"\\").replace('"', r"\"").replace("\n", r"\n")
