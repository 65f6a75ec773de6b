"""Budget events: once each, signed, off the path, counted when they cannot be told."""

import asyncio
import hashlib
import hmac
from pathlib import Path
from typing import Any

import pytest
from gateway_cases import COMPLETION, Step, Upstream, answer, ask, document, run, standing

from inferometer.errors import GatewayError
from inferometer.meter import config
from inferometer.meter.gateway.webhook import Webhook

KEY = b"a-secret-of-the-webhook"


async def told(folder: Path, scripts: list[list[Step]], requests: int = 6) -> Any:
    """Spend a budget; return events as received, statuses, and failures to tell."""
    limit = {"name": "b", "by": "tenant", "soft_usd": "0.0003", "hard_usd": "0.001"}
    receiver, failures = Upstream(scripts), list[int]()
    server = await asyncio.start_server(receiver.serve, "127.0.0.1", 0)
    receiver.port = server.sockets[0].getsockname()[1]
    async with standing(folder, [[answer(COMPLETION)]], budget=[limit]) as stand:
        url = f"http://127.0.0.1:{receiver.port}/hook"
        hook = Webhook(url, KEY, lambda: failures.append(1), pauses=(0.0, 0.01))
        stand.core.webhook = hook
        stand.core.budgets.on_soft = lambda account: hook.tell(
            "soft_limit_passed", account.id, account.rule.limit, account.spent
        )
        statuses = [(await stand.post(ask(max_tokens=64))).status for _ in range(requests)]
        until = asyncio.get_running_loop().time() + 10
        while len(receiver.seen) + len(failures) < 2 and asyncio.get_running_loop().time() < until:
            await asyncio.sleep(0.01)
        await asyncio.sleep(0.1)
    server.close()
    return receiver.seen, statuses, failures


def test_both_limits_are_told_once_and_signed(tmp_path: Path) -> None:
    seen, statuses, failures = run(told(tmp_path, [[answer({})]]))
    assert statuses.count(402) > 1
    events = {one.fields["event"]: one.fields for one in seen}
    assert len(seen) == len(events) == 2
    assert not failures
    for one in seen:
        wanted = "sha256=" + hmac.new(KEY, one.body, hashlib.sha256).hexdigest()
        assert one.header("x-inferometer-signature") == wanted
    hard = events["hard_limit_reached"]
    assert (hard["budget"], hard["by"], hard["subject"]) == ("b", "tenant", "acme")
    assert events["soft_limit_passed"]["spent_nano_usd"] >= 300_000
    assert len({event["id"] for event in events.values()}) == 2


@pytest.mark.parametrize(
    "bad", [answer({}, "500 X"), answer({}, "302 Found", location="http://127.0.0.1:1/"), "reset"]
)
def test_a_receiver_that_fails_is_tried_again_and_then_counted(tmp_path: Path, bad: Step) -> None:
    seen, statuses, failures = run(told(tmp_path, [[bad]]))
    assert 200 in statuses
    assert len(failures) == 2, "both events"
    assert len(seen) == 4, "twice each"


FAULTS = [
    ({"webhook": "http://h/x"}, "webhook_secret: missing"),
    ({"webhook": "file:///etc/passwd", "webhook_secret": "env:X"}, "gateway.webhook: "),
]


@pytest.mark.parametrize(("settings", "fault"), FAULTS)
def test_settings_that_cannot_be(settings: dict[str, str], fault: str) -> None:
    with pytest.raises(GatewayError, match=fault):
        config.parse(document([1], gateway=settings), "test")
