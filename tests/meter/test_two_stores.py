"""Reports on PostgreSQL: an oracle is the same rows in SQLite, and every answer is the same."""

import json
import sys
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path

import pytest
from meter.test_attribution import REPLICA, flight
from meter.test_costs import SCENARIO
from meter_cases import START_NS, amounts, attempt, attempts
from postgres_cases import Server, why_not

from inferometer.cli.app import run
from inferometer.cli.traffic import attempts_of
from inferometer.errors import LedgerError
from inferometer.meter.chargeback import HOUR_NS, attribute
from inferometer.meter.spent import spent
from inferometer.meter.store.opening import months, open_database, open_ledger
from inferometer.workload.trace import Trace

pytest.importorskip("asyncpg", reason="no asyncpg: pip install 'inferometer[postgres]'")
from inferometer.meter.store import postgres_reading
from inferometer.meter.store.postgres import PostgresLedger, place_of

pytestmark = pytest.mark.skipif(bool(why_not()), reason=why_not())

NAMES = ("Zeta", "alpha", "_x", "Émile", "a b", "zeta")
"""Sorted in one way by bytes and in another by language, as a server may."""
ROWS = [
    *attempts(900),
    *(attempt(8000 + n, tenant=name, session=name) for n, name in enumerate(NAMES)),
    *(attempt(7000 + n, started_ns=START_NS, tenant=NAMES[n]) for n in range(3)),
    *(flight(9000 + n, 60 * n, 0.5, 20)._replace(**amounts(None)) for n in range(40)),
]
SPAN = ("--since", "2025-12-01", "--until", "2025-12-03T06:30:00")
BILL = "date,provider,usd\n2025-12-01,openai,0.5\n2025-12-02,openai,1\n2025-12-01,self-hosted,8\n"


@pytest.fixture(scope="module")
def ledgers(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[str, str]]:
    """The same rows and the same shares in a file and on a server."""
    file, server = str(tmp_path_factory.mktemp("both") / "ledger.db"), Server.made()
    server.start()
    few = pytest.MonkeyPatch()
    few.setattr(postgres_reading, "ROUND_TRIP", 100)  # answers take several
    try:
        for ledger in (file, server.address):
            with closing(open_ledger(ledger)) as store:
                assert store.append(ROWS) == len(ROWS)
            with closing(open_database(ledger, read_only=False)) as database:
                for _ in range(2):  # an hour that was shared is shared anew
                    shared = attribute(database, REPLICA, START_NS, START_NS + 2 * HOUR_NS)
                    assert shared == 8 * 10**9
        yield file, server.address
    finally:
        few.undo()
        server.stop("fast")
        server.remove()


@pytest.fixture
def said(ledgers: tuple[str, str], capsys: pytest.CaptureFixture[str]) -> Callable[..., list[str]]:
    """What a command prints for each of the two."""

    def both(*words: str) -> list[str]:
        found = list[str]()
        for ledger in ledgers:
            assert run([ledger if word == "LEDGER" else word for word in words]) == 0
            found.append(capsys.readouterr().out)
        return found

    return both


@pytest.mark.parametrize("by", ["", "tenant,model", "run", "key,day", "hour", "session,served"])
@pytest.mark.parametrize("span", [(), SPAN, SPAN[:2]])
def test_costs(said: Callable[..., list[str]], by: str, span: tuple[str, ...]) -> None:
    file, server = said("costs", "LEDGER", "--by", by, *span, "--format", "json")
    assert server == file
    assert json.loads(file)["nano_usd"] > 0


@pytest.mark.parametrize("version", ["1.2", "1.4"])
def test_focus(ledgers: tuple[str, str], tmp_path: Path, version: str) -> None:
    files = [tmp_path / "a.csv", tmp_path / "b.csv"]
    for ledger, file in zip(ledgers, files, strict=True):
        assert run(("meter", "focus", ledger, str(file), "--version", version)) == 0
    rows = [file.read_text(encoding="utf-8").splitlines() for file in files]
    assert rows[0] == rows[1]
    assert len(rows[0]) > 1000


def test_reconcile(said: Callable[..., list[str]], tmp_path: Path) -> None:
    (tmp_path / "bill.csv").write_text(BILL)
    file, server = said(
        "reconcile", "LEDGER", "--bill", str(tmp_path / "bill.csv"), "--format", "json"
    )
    assert server == file
    assert '"self-hosted"' in file


@pytest.mark.parametrize("span", [(), SPAN])
def test_spans(said: Callable[..., list[str]], span: tuple[str, ...]) -> None:
    file, server = said("meter", "spans", "LEDGER", *span)
    assert server == file
    assert len(file) > 10**5


def test_metrics(said: Callable[..., list[str]]) -> None:
    file, server = said("meter", "metrics", "LEDGER")
    assert server == file
    assert 'tenant="Émile"' in file


def test_archive(
    ledgers: tuple[str, str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    question = "SELECT * FROM attempts ORDER BY request, attempt"
    answers = list[str]()
    for ledger, name in zip(ledgers, "ab", strict=True):
        assert run(("meter", "archive", ledger, str(tmp_path / name))) == 0
        capsys.readouterr()
        assert run(("meter", "ask", str(tmp_path / name), question, "--format", "json")) == 0
        answers.append(capsys.readouterr().out)
    assert answers[0] == answers[1]
    assert len(json.loads(answers[0])["rows"]) == len(ROWS)


def test_budgets_start_with_the_same(ledgers: tuple[str, str]) -> None:
    answers = list[list[int]]()
    for ledger in ledgers:
        with closing(open_database(ledger)) as database:
            assert months(database) == ["2025_12", "2026_01"]
            answers.append([
                spent(database, dimension, value, since)
                for dimension, value in (("tenant", "Émile"), ("key", "key-1"), ("session", "Zeta"))
                for since in (0, START_NS, START_NS + 1)
            ])  # fmt: skip
    assert answers[0] == answers[1]
    assert all(answers[0][:6])


def test_attribute_and_import(
    ledgers: tuple[str, str], said: Callable[..., list[str]], tmp_path: Path
) -> None:
    (tmp_path / "s.toml").write_text(SCENARIO)
    (tmp_path / "log.jsonl").write_text(
        json.dumps({
            "request_id": "r1", "model": "gpt-5", "startTime": "2025-12-05T00:00:00Z",
            "endTime": "2025-12-05T00:00:01Z", "prompt_tokens": 10, "completion_tokens": 5,
            "spend": 0.5, "custom_llm_provider": "openai",
        })
    )  # fmt: skip
    log = ("--log", "litellm", "--format", "json")
    file, server = said("meter", "import", "LEDGER", str(tmp_path / "log.jsonl"), *log)
    assert server == file
    span = ("--since", "2025-12-01T01:00", "--until", "2025-12-01T02:00", "--upstream", "gpu")
    words = ("meter", "attribute", "LEDGER", str(tmp_path / "s.toml"), *span)
    file, server = said(*words, "--usd-per-hour", "2.5", "--format", "json")
    assert server == file
    assert json.loads(file)["usd"] == "2.500000000"


PASSWORDS = (
    "postgresql://me:hidden@127.0.0.1:1/x",
    "postgresql://me:hid/den@127.0.0.1:1/x",
    "postgresql://me:hidden#@127.0.0.1:1/x",
    "postgresql://127.0.0.1:1/x?user=me&password=hidden",
    "postgresql://me:hidden",
    "postgres://me:hidden@[::1/x",
    "postgresql://me:hidden@127.0.0.1:port/x",
)


def _rows(trace: Trace) -> list[tuple[object, ...]]:
    """Rows of a trace; those of one instant may come in any order."""
    assert trace.tenant is not None
    columns = (trace.arrival, trace.input_tokens, trace.output_tokens, trace.tenant)
    return sorted(zip(*(column.tolist() for column in columns), strict=True))


@pytest.mark.parametrize("address", PASSWORDS)
def test_no_password_is_shown(address: str, capsys: pytest.CaptureFixture[str]) -> None:
    for words in (("costs", address), ("meter", "spans", address), ("meter", "metrics", address)):
        assert run(words) == 2
        found = capsys.readouterr()
        assert "hid" not in found.out + found.err
        assert "den" not in found.out + found.err
    with pytest.raises(LedgerError) as error:
        PostgresLedger(address)
    assert "hid" not in str(error.value)
    assert place_of("postgresql://me:hidden@db.example:5432/x?a=b") == "db.example:5432/x"


def test_without_the_driver_the_extra_is_named(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    for name in ("asyncpg", "inferometer.meter.store.postgres_reading"):
        monkeypatch.setitem(sys.modules, name, None)
    assert run(("costs", "postgresql://127.0.0.1:1/x")) == 2
    assert "inferometer[postgres]" in capsys.readouterr().err


def test_a_trace(ledgers: tuple[str, str]) -> None:
    """The requests that a plan is made for, and those of a part of the time."""
    for span in ((), (START_NS, START_NS + HOUR_NS)):
        file, server = (attempts_of(ledger, *span) for ledger in ledgers)
        assert server.counts == file.counts
        assert file.counts.kept > 50
        assert _rows(server.trace) == _rows(file.trace)


def test_a_plan_and_what_came_of_it(said: Callable[..., list[str]]) -> None:
    asked = ("--model", "llama-3.1-8b", "--gpu", "h100-sxm", "--format", "json")
    file, server = map(json.loads, said("explain", "--trace", "LEDGER", *asked))
    assert server["waterfall"] == file["waterfall"]
    file, server = map(
        json.loads, said("explain", "--trace", "LEDGER", "--actual", "LEDGER", *asked)
    )
    assert server["served"] == file["served"]
    assert server["waterfall"] == file["waterfall"]


@pytest.mark.parametrize("address", ["postgresql://me:hush@h/x", "postgres://h/x?password=hush"])
@pytest.mark.parametrize("option", ["--trace", "--actual"])
def test_no_password_in_a_trace(
    address: str, option: str, ledgers: tuple[str, str], capsys: pytest.CaptureFixture[str]
) -> None:
    named = {"--trace": ledgers[0], option: address}
    words = ("explain", "--model", "llama-3.1-8b", "--gpu", "h100-sxm")
    assert run((*words, *(word for pair in named.items() for word in pair))) == 2
    said = capsys.readouterr()
    assert "PGPASSWORD" in said.err
    assert "hush" not in said.err + said.out


def test_old_months_can_be_dropped(
    ledgers: tuple[str, str], said: Callable[..., list[str]]
) -> None:
    """Last here, as it changes both: attempts go, costs stay, a late row opens its month again."""
    before = said("costs", "LEDGER", "--by", "tenant,hour", "--format", "json")
    held = [len(_of_december(ledger)) for ledger in ledgers]
    file, server = said("meter", "expire", "LEDGER", "2026-01", "--format", "json")
    assert file == server
    assert json.loads(file)["dropped"] == [{"month": "2025-12", "rows": held[0]}]
    assert held[0] == held[1] > 900
    assert said("costs", "LEDGER", "--by", "tenant,hour", "--format", "json") == before
    for ledger in ledgers:
        assert not _of_december(ledger)
        with closing(open_ledger(ledger)) as store:
            assert store.append([attempt(5)]) == 1
        assert _of_december(ledger) == [attempt(5).request]


def _of_december(ledger: str) -> list[str]:
    with closing(open_database(ledger)) as database:
        if "2025_12" not in months(database):
            return []
        return [name for (name,) in database.execute("SELECT request FROM attempt_2025_12")]
