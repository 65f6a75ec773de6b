"""Budgets: money is reserved before a request is sent and settled when its use is known.

A reservation takes the most that a request can cost, from every budget that applies or from none,
in one step that no other request can come between. What it did not use is given back; a request
that never settles gives its reservation back when its time is over. Within a process the books are
plain integers; between processes money moves as leases through `budget_store`.
"""

import datetime as dt
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Protocol

from inferometer.errors import LedgerError
from inferometer.meter.config import Dimension, Limit, Period, nanos

SEPARATOR = "\x1f"
CHUNKS = 64
"""A lease asks for this fraction of a budget, so that processes rarely have to ask again."""


@dataclass(frozen=True, slots=True)
class Rule:
    """A limit as compiled: amounts in nano-dollars, None where there is none."""

    limit: Limit
    hard: int | None
    soft: int | None


def compiled(limits: Iterable[Limit]) -> tuple[Rule, ...]:
    """Return limits with their amounts read.

    Raises:
        GatewayError: an amount is no amount.
    """
    return tuple(
        Rule(
            limit,
            nanos(limit.hard_usd) if limit.hard_usd else None,
            nanos(limit.soft_usd) if limit.soft_usd else None,
        )
        for limit in limits
    )


class Store(Protocol):
    """Where processes share budgets: see `budget_store.BudgetStore`."""

    def exchange(self, account: "Account", want: int, now: float) -> tuple[int, int]:
        """Book what was spent, take up to `want` more; return what was taken and all spent."""
        ...


@dataclass(slots=True, eq=False)
class Account:
    """One budget of one subject in one period. Amounts are nano-dollars.

    Attributes:
        id: Name of the limit, subject and period.
        rule: The limit it holds to.
        reserved: Taken by requests that are in flight.
        slack: Leased from the store and not taken; negative after a request that cost more than
            was reserved for it, until the store knows.
        unsent: Spent, and not yet told to the store.
        spent: Spent by all processes, as the store last said.
        warned: Whether its soft limit was reported.
    """

    id: str
    rule: Rule
    reserved: int = 0
    slack: int = 0
    unsent: int = 0
    spent: int = 0
    warned: bool = False

    @property
    def held(self) -> int:
        """What the store must keep for this process."""
        return self.reserved + max(self.slack, 0)


@dataclass(slots=True, eq=False)
class Reservation:
    """Money taken for one request."""

    accounts: tuple[Account, ...]
    amount: int
    until: float
    open: bool = True


@dataclass(frozen=True, slots=True)
class Denial:
    """Why a request may not be sent: the limit that has no room, and for whom."""

    limit: Limit
    subject: str
    account: "Account"


Subject = Mapping[Dimension, str]
Event = Callable[[Account], None]


@dataclass(slots=True)
class Budgets:
    """All budgets of a process.

    Attributes:
        rules: What is limited.
        store: Where processes share.
        ttl: Seconds after which a reservation that was not settled is given back.
        on_soft: Called once when an account passes its soft limit.
    """

    rules: tuple[Rule, ...]
    store: Store
    ttl: float
    on_soft: Event
    accounts: dict[tuple[str, str, str], Account] = field(default_factory=dict)
    live: set[Reservation] = field(default_factory=set)
    _periods: dict[Period, tuple[float, str]] = field(default_factory=dict)

    def bounds(self, subject: Subject) -> bool:
        """Return whether a hard limit applies to a subject."""
        return any(rule.hard is not None for rule, _ in self._matching(subject))

    def reserve(self, subject: Subject, amount: int, now: float) -> Reservation | Denial | None:
        """Take an amount from every budget of a subject, or from none.

        Args:
            subject: Value of each dimension; an empty one has no budget.
            amount: The most that the request can cost.
            now: Unix seconds.

        Returns:
            The reservation; the denial; or None if no budget applies.

        Raises:
            LedgerError: the store cannot be asked.
        """
        matching = self._matching(subject)
        if not matching:
            return None
        accounts = tuple([self._account(rule, value, now) for rule, value in matching])
        for account, (rule, value) in zip(accounts, matching, strict=True):
            if rule.hard is None or account.slack >= amount:
                continue
            if not self._leased(account, rule.hard, amount, now):
                return Denial(rule.limit, value, account)
        for account in accounts:
            account.reserved += amount
            account.slack -= amount
        reservation = Reservation(accounts, amount, now + self.ttl)
        self.live.add(reservation)
        return reservation

    def settle(self, reservation: Reservation, cost: int) -> None:
        """Book what a request did cost; the rest of its reservation is free again."""
        self._release(reservation)
        for account in reservation.accounts:
            key = _key(account.id)
            current = self.accounts.setdefault(key, account)  # it was forgotten, if we are late
            current.unsent += cost
            current.slack -= cost

    def sweep(self, now: float) -> None:
        """Give overdue reservations back, tell the store, raise soft limits; call every second.

        Raises:
            LedgerError: the store cannot be written; nothing is lost, the next sweep tries again.
        """
        for reservation in [each for each in self.live if now >= each.until]:
            self._release(reservation)
        for key, account in list(self.accounts.items()):
            self._share(account, now)
            self._warn(account)
            over = key[-1] != self._period(account.rule.limit.period, now)
            if not account.held and (over or not account.warned):
                del self.accounts[key]  # the store has it; runs come and go

    def _release(self, reservation: Reservation) -> None:
        if not reservation.open:
            return
        reservation.open = False
        self.live.discard(reservation)
        for account in reservation.accounts:
            account.reserved -= reservation.amount
            account.slack += reservation.amount

    def _matching(self, subject: Subject) -> list[tuple[Rule, str]]:
        found: list[tuple[Rule, str]] = []
        for rule in self.rules:
            value = subject.get(rule.limit.by, "")
            if value and rule.limit.match in {"*", value}:
                found.append((rule, value))
        return found

    def _account(self, rule: Rule, value: str, now: float) -> Account:
        key = (rule.limit.name, value, self._period(rule.limit.period, now))
        account = self.accounts.get(key)
        if account is None:
            account = self.accounts[key] = Account(SEPARATOR.join(key), rule)
        account.rule = rule  # a reload may have changed the amount
        return account

    def _period(self, period: Period, now: float) -> str:
        """Return the period's start; worded once a second, as wording is dear."""
        worded, start = self._periods.get(period, (-1.0, ""))
        if worded != now // 1:
            start = period_start(period, now)
            self._periods[period] = (now // 1, start)
        return start

    def _leased(self, account: Account, hard: int, amount: int, now: float) -> bool:
        lacking = amount - max(account.slack, 0)
        taken, account.spent = self.store.exchange(account, max(lacking, hard // CHUNKS), now)
        account.unsent = 0
        account.slack = max(account.slack, 0) + taken
        return account.slack >= amount

    def _share(self, account: Account, now: float) -> None:
        """Tell the store what was spent and give back what is not needed now."""
        if not account.unsent and not account.held:
            return
        account.slack = 0
        _, account.spent = self.store.exchange(account, 0, now)
        account.unsent = 0

    def _warn(self, account: Account) -> None:
        soft = account.rule.soft
        if soft is not None and not account.warned and account.spent >= soft:
            account.warned = True
            self.on_soft(account)


def _key(account_id: str) -> tuple[str, str, str]:
    name, value, start = account_id.split(SEPARATOR)
    return name, value, start


def period_start(period: Period, now: float) -> str:
    """Return the start of the period that holds `now`, as text; "" for all time."""
    if period == "total":
        return ""
    moment = dt.datetime.fromtimestamp(now, dt.UTC)
    return moment.strftime(_FORMS[period])


_FORMS: Mapping[Period, str] = {
    "minute": "%Y-%m-%dT%H:%MZ",
    "hour": "%Y-%m-%dT%HZ",
    "day": "%Y-%m-%d",
    "month": "%Y-%m",
}


def since_ns(start: str) -> int:
    """Return the Unix nanoseconds of a period's start as `period_start` words it."""
    if not start:
        return 0
    for form in _FORMS.values():
        try:
            moment = dt.datetime.strptime(start, form).replace(tzinfo=dt.UTC)
        except ValueError:
            continue
        return int(moment.timestamp()) * 1_000_000_000
    raise LedgerError(f"{start!r:.40} is no start of a period")


def recovered(
    names: Iterable[str], limits: Iterable[Limit], spent: Callable[[Dimension, str, int], int]
) -> dict[str, int]:
    """Return what the ledger says was spent on accounts, by account; call it at start.

    Args:
        names: Ids of accounts: limit, subject and start of the period.
        limits: Limits that are configured; accounts of others are left out.
        spent: The ledger's sum of a dimension's value since a time in nanoseconds.
    """
    by_name = {limit.name: limit for limit in limits}
    found: dict[str, int] = {}
    for name in names:
        limit, value, start = _key(name)
        if limit in by_name:
            found[name] = spent(by_name[limit].by, value, since_ns(start))
    return found
