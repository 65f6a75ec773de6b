"""The queue: bounded, by priority class, first come first served within a class."""

from collections import deque
from typing import Any

from inferometer.meter.config import PRIORITIES, Priority
from inferometer.meter.gateway.ticket import Ticket


class Queue:
    """Exchanges that wait for a free upstream, by model and route."""

    def __init__(self, limit: int) -> None:
        self.limit = limit
        self.length = 0
        self._lines: dict[tuple[str, str], dict[Priority, deque[Any]]] = {}

    def put(self, exchange: Any, ticket: Ticket) -> bool:
        """Let an exchange wait; return False if the queue is full."""
        if self.length >= self.limit:
            return False
        lines = self._lines.setdefault(_line_of(ticket), {name: deque() for name in PRIORITIES})
        lines[ticket.identity.key.priority].append(exchange)
        self.length += 1
        return True

    def remove(self, exchange: Any, ticket: Ticket) -> None:
        """Take an exchange out, wherever it stands; nothing happens if it does not wait."""
        lines = self._lines.get(_line_of(ticket), {})
        line = lines.get(ticket.identity.key.priority, deque())
        if exchange in line:
            line.remove(exchange)
            self.length -= 1

    def first(self, model: str, route: str) -> Any:
        """Take the next exchange of a model and route; None if none waits."""
        for line in self._lines.get((model, route), {}).values():
            if line:
                self.length -= 1
                return line.popleft()
        return None


def _line_of(ticket: Ticket) -> tuple[str, str]:
    return ticket.call.model, ticket.call.route.name
