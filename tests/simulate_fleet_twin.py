"""A naive fleet around the naive replicas: one event after another, found by looking at everything.

Written from the rules of `docs/simulator.md` alone: gateway, clients, deadlines, replicas of
different kinds, replicas that come and go at stated times, requests that wait for others, and
clients of a closed loop who take the next task whenever they have none.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
from simulate_twin import Replica, Rules, begin_step, end_step, most
from simulate_twin import Sequence as Request

from inferometer.perf.roofline import Machine
from inferometer.simulate.coefficients import coefficients
from inferometer.simulate.limits import Limits
from inferometer.workload.trace import Trace


@dataclass(slots=True)
class Member:
    """A replica of the fleet, with its own machine and limits."""

    machine: Machine
    limits: Limits
    replica: Replica = field(default_factory=Replica)
    is_open: bool = True

    @property
    def rules(self) -> Rules:
        return Rules(self.machine, self.limits, coefficients(self.machine, self.limits.budget))


@dataclass(slots=True)
class Call:
    """What the twin knows of a request beside what a replica does."""

    draw: float
    pending: int = 0
    earliest: float = 0.0
    sent: float = np.inf
    attempts: int = 0
    member: int = -1
    held: bool = False
    status: str = "unsent"
    doomed: bool = False


@dataclass(slots=True)
class Clients:
    """How clients behave; a closed loop has so `many`, an open one 0."""

    timeout: float = np.inf
    retries: int = 0
    backoff: float = 1.0
    queue: int = 10**9
    many: int = 0


Plan = Sequence[tuple[float, str, int]]
"""What happens from outside: time, "open", "close" or "stop", and the member."""


class FleetTwin:
    """One run, event by event."""

    def __init__(
        self, trace: Trace, members: list[Member], clients: Clients, draws: Sequence[float]
    ) -> None:
        self.requests = [
            Request(i, 0.0, max(1, int(p)), max(1, int(o)))
            for i, (p, o) in enumerate(zip(trace.input_tokens, trace.output_tokens, strict=True))
        ]
        self.calls = [Call(draw) for draw in draws]
        self.members, self.clients = members, clients
        self.gate: list[int] = []
        self.edges: list[tuple[int, int, float, bool]] = []
        if trace.calls is not None:
            calls = trace.calls
            self.edges = [
                (int(a), int(b), float(d), bool(s))
                for a, b, d, s in zip(
                    calls.before, calls.after, calls.delay, calls.dispatched, strict=True
                )
            ]
        for _, after, _, _ in self.edges:
            self.calls[after].pending += 1
        self.line = tasks_of(trace) if clients.many else []
        for i in (i for task in self.line for i in task):
            self.calls[i].pending += 1
        self.hands = [self.line.pop(0) for _ in range(min(clients.many, len(self.line)))]
        for i in (i for hand in self.hands for i in hand):
            self.calls[i].pending -= 1
        self.coming = [
            (0.0 if clients.many else float(at - trace.arrival[0]), 0, i)
            for i, at in enumerate(trace.arrival)
            if self.calls[i].pending == 0
        ]
        self.order: list[int] = []

    def play(self, plan: Plan = ()) -> None:
        """Play everything; events of one instant: arrivals, boundaries, deadlines, the plan."""
        script = list(plan)
        while True:
            self.coming.sort()
            arrival = self.coming[0][0] if self.coming else np.inf
            first = min(self.members, key=lambda member: member.replica.end)
            deadline, late = self.next_deadline()
            outside = script[0][0] if script else np.inf
            instant = min(arrival, first.replica.end, deadline, outside)
            if instant == np.inf:
                break
            if arrival == instant:
                self.arrive(self.coming.pop(0)[2], instant)
            elif first.replica.end == instant:
                self.boundary(first)
            elif deadline == instant:
                self.give_up(late, instant)
            else:
                _, action, member = script.pop(0)
                getattr(self, action)(member, instant)

    def next_deadline(self) -> tuple[float, int]:
        waiting = [
            (call.sent + self.clients.timeout, i)
            for i, call in enumerate(self.calls)
            if call.status == "sent" and not call.doomed
        ]
        return min(waiting, default=(np.inf, -1))

    def arrive(self, i: int, instant: float) -> None:
        call = self.calls[i]
        call.attempts += 1
        call.sent, call.status = instant, "sent"
        if call.attempts == 1:
            self.release(i, instant, at_dispatch=True)
        if any(member.is_open for member in self.members):
            self.route(i, instant)
        else:
            self.gate.append(i)

    def route(self, i: int, instant: float) -> None:
        request, call = self.requests[i], self.calls[i]
        loads = [(m.replica.load, k) for k, m in enumerate(self.members)
                 if m.is_open and request.prompt < m.limits.longest]  # fmt: skip
        if not loads:
            self.fail(i, instant, "rejected")
            return
        number = min(loads)[1]
        member = self.members[number]
        if most(request.prompt + request.output, member.rules) > member.limits.blocks:
            self.fail(i, instant, "rejected")
        elif len(member.replica.waiting) >= self.clients.queue:
            self.refuse(i, instant, "rejected")
        else:
            call.member = number
            member.replica.waiting.append(request)
            if member.replica.end == np.inf:
                member.replica.now = instant
                begin_step(member.replica, member.rules)

    def boundary(self, member: Member) -> None:
        before = list(member.replica.running)
        end_step(member.replica, member.rules)
        now = member.replica.now
        for request in before:
            if request.finished == now:
                self.calls[request.number].status = "finished"
                self.release(request.number, now, at_dispatch=False)
        for request in list(member.replica.running):
            if self.calls[request.number].doomed:
                member.replica.running.remove(request)
                self.refuse(request.number, now, "timed out")
        begin_step(member.replica, member.rules)

    def give_up(self, i: int, instant: float) -> None:
        call, request = self.calls[i], self.requests[i]
        if call.member < 0:
            self.gate.remove(i)
            self.refuse(i, instant, "timed out")
        elif request in self.members[call.member].replica.waiting:
            self.members[call.member].replica.waiting.remove(request)
            self.refuse(i, instant, "timed out")
        else:
            call.doomed = True

    def refuse(self, i: int, instant: float, status: str) -> None:
        call = self.calls[i]
        if call.attempts > self.clients.retries:
            self.fail(i, instant, status)
            return
        self.forget(i)
        call.status = "pausing"
        pause = self.clients.backoff * 2.0 ** (call.attempts - 1) * (0.5 + call.draw)
        self.coming.append((instant + pause, 1, i))

    def fail(self, i: int, instant: float, status: str) -> None:
        self.forget(i)
        self.calls[i].status = status
        self.release(i, instant, at_dispatch=False)

    def forget(self, i: int) -> None:
        request, call = self.requests[i], self.calls[i]
        call.member, call.doomed = -1, False
        request.computed = request.produced = 0
        request.admitted = request.first_token = -1.0
        request.decoding = False

    def release(self, i: int, instant: float, *, at_dispatch: bool) -> None:
        for before, after, delay, dispatched in self.edges:
            if before == i and dispatched == at_dispatch:
                self.allow(after, instant + delay)
        for hand in self.hands:
            if i in hand and not at_dispatch:
                hand.remove(i)
                if not hand and self.line:
                    hand.update(self.line.pop(0))
                    for following in hand:
                        self.allow(following, instant)
                break

    def allow(self, i: int, when: float) -> None:
        call = self.calls[i]
        call.earliest = max(call.earliest, when)
        call.pending -= 1
        if call.pending == 0:
            self.coming.append((call.earliest, 1, i))

    def open(self, number: int, instant: float) -> None:
        self.members[number].is_open = True
        held, self.gate = self.gate, list[int]()
        for i in held:
            self.route(i, instant)

    def close(self, number: int, instant: float) -> None:
        self.members[number].is_open = False

    def stop(self, number: int, instant: float) -> None:
        member = self.members[number]
        member.is_open = False
        lost = [*member.replica.waiting, *member.replica.running]
        member.replica = Replica(now=instant)
        for request in lost:
            self.refuse(request.number, instant, "lost")


def tasks_of(trace: Trace) -> list[set[int]]:
    """Return what a client does in one go, in order: the calls of an agent, or one request."""
    if trace.calls is None:
        return [{i} for i in range(len(trace))]
    tasks: dict[int, set[int]] = {}
    for i, task in enumerate(trace.calls.task):
        tasks.setdefault(int(task), set()).add(i)
    return list(tasks.values())
