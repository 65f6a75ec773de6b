"""`inferometer meter`: what fills the ledger or works on it, beside the gateway."""

import sys
import time
from contextlib import closing
from pathlib import Path

from cyclopts import App

from inferometer.candidates import one
from inferometer.catalog.efficiency import efficiencies
from inferometer.cli import inputs
from inferometer.cli.costs import FOREVER, instant, usd
from inferometer.cli.meter_export import archive, ask, expire, metrics, spans
from inferometer.cli.options import Format, Question, Stated, deployment_spec, scenario_of
from inferometer.cli.result import plain, show_json, show_rows
from inferometer.cli.scenario import Scenario
from inferometer.deployment import Deployment
from inferometer.errors import LedgerError
from inferometer.meter.chargeback import Replica, attribute
from inferometer.meter.exposition import fetch, samples
from inferometer.meter.focus import Account, rows, unpriced
from inferometer.meter.focus_file import write
from inferometer.meter.importing.files import import_file
from inferometer.meter.power import between, counters
from inferometer.meter.price_list import listed
from inferometer.meter.price_overrides import overrides
from inferometer.meter.prices import PriceTable
from inferometer.meter.readings import append, load, reading
from inferometer.meter.scrape import counted
from inferometer.meter.scrape import lines as scraped
from inferometer.meter.store.opening import open_database, open_ledger
from inferometer.meter.work_table import work_table
from inferometer.perf.power import idle_power

app = App(name="meter", help="Import into the ledger, share costs over it, scrape engines, export.")
for _command in (archive, ask, expire, metrics, spans):
    app.command(_command)


@app.command(name="attribute")
def attribute_(
    ledger: str,
    file: Path | None = None,
    /,
    *,
    upstream: str,
    usd_per_hour: float,
    since: str,
    until: str,
    readings: Path | None = None,
    question: Question | None = None,
    deployment: Stated | None = None,
    format: Format = "table",  # noqa: A002 - the option's name
) -> None:
    """Share the cost of one replica of our own over the requests that it served.

    Hour by hour, by modelled work and cache held; idle time and head-room are rows of their own.
    An hour that was shared before is shared anew. Hours that readings cover have measured energy,
    and what the engine served beyond the rows is a row of its own; in others the draw is declared:
    idle and full draw of the catalogue's accelerator and host.

    Args:
        ledger: The ledger, a SQLite file or a postgresql:// address.
        file: Scenario that states the deployment, a TOML file; options lie on top of it.
        upstream: The replica's name in the gateway's configuration.
        usd_per_hour: What the replica costs while it is up, used or not.
        since: First instant (UTC), as 2026-11-01 or 2026-11-01T06:00.
        until: End, exclusive.
        readings: File that `inferometer meter watch` wrote beside the replica.
        question: What is asked.
        deployment: The deployment.
        format: A table for people, or JSON.
    """
    scenario, built, catalog = _stated(file, question, deployment)
    chips = built.parallelism.accelerators
    host = built.node.host_power / built.node.accelerators * chips
    replica = Replica(
        upstream=upstream,
        cost=_rate(usd_per_hour),
        work=work_table(built, efficiencies(catalog)),
        idle_power=float(idle_power(one(built))[0]) * chips + host,
        busy_power=built.accelerator.tdp * chips + host,
        carbon=inputs.site_of(scenario).carbon,
    )
    first, last = instant(since, "since", 0), instant(until, "until", 0)
    if last <= first:
        raise LedgerError(f"until {until} is not after since {since}")
    read = load(readings) if readings else ()
    open_database(ledger).close()  # refuses what is not there, which the next line would make
    open_ledger(ledger).close()  # brings an older one up to date
    with closing(open_database(ledger, read_only=False)) as database:
        total = attribute(database, replica, first, last, read)
    answer = {"upstream": upstream, "hours": (last - first) / 3.6e12, "usd": usd(total)}
    if format == "json":
        show_json(answer)
    else:
        show_rows("Shared", [answer])


def _rate(usd_per_hour: float) -> float:
    if not 0 <= usd_per_hour < float("inf"):
        raise LedgerError(
            f"usd_per_hour is {usd_per_hour}; a finite amount of at least 0 is wanted"
        )
    return usd_per_hour / 3600


@app.command
def focus(
    ledger: str,
    out: Path,
    /,
    *,
    version: str = "1.2",
    since: str = "",
    until: str = "",
    account: str = "inferometer",
    issuer: str = "internal",
) -> None:
    """Write costs as FOCUS rows: CSV, or Parquet by the suffix.

    Attempts without a price are left out, and counted on stderr.

    Args:
        ledger: The ledger, a SQLite file or a postgresql:// address.
        out: File to write, .csv or .parquet.
        version: Version of the specification, 1.2 or 1.4.
        since: First day or instant (UTC).
        until: End, exclusive.
        account: Billing account.
        issuer: Who issues the bill for replicas of our own.
    """
    first, last = instant(since, "since", 0), instant(until, "until", FOREVER)
    with closing(open_database(ledger)) as database:
        lines = rows(database, first, last, Account(id=account, issuer=issuer), version)
        count = write(lines, out, version)
        missing = unpriced(database, first, last)
    sys.stderr.write(f"{out}: {count} rows; {missing} attempts have no price and are not in it\n")


@app.command(name="import")
def import_(
    ledger: str,
    files: tuple[Path, ...],
    /,
    *,
    log: str = "auto",
    prices: Path | None = None,
    format: Format = "table",  # noqa: A002 - the option's name
) -> None:
    """Read other tools' logs into the ledger; a second time changes nothing.

    LiteLLM_SpendLogs and Langfuse observations (JSON, JSON lines or CSV) and OpenTelemetry GenAI
    spans (OTLP/JSON), also gzip. Amounts that a log holds are kept; rows without are priced by the
    price list, and stay unpriced where it knows none.

    Args:
        ledger: The ledger, a SQLite file or a postgresql:// address; made if it is not there.
        files: Logs.
        log: litellm, langfuse or otel; auto tells it by the fields.
        prices: TOML file of own price rows, before the list.
        format: A table for people, or JSON.
    """
    table = PriceTable(*([overrides(prices)] if prices else []), listed)
    if not files:
        raise LedgerError("name at least one log file")
    with closing(open_ledger(ledger)) as store:
        found = [import_file(file, store, log=log, table=table) for file in files]
        store.remember(table.rows())
    rows = [{"file": file.name, **plain(one)} for file, one in zip(files, found, strict=True)]
    if format == "json":
        show_json({"imported": rows})
    else:
        show_rows("Imported", rows)


@app.command
def scrape(
    url: str,
    file: Path | None = None,
    /,
    *,
    usd_per_hour: float,
    every: float = 60.0,
    question: Question | None = None,
    deployment: Stated | None = None,
    format: Format = "table",  # noqa: A002 - the option's name
) -> None:
    """Share a replica's cost over models from its engine's counters alone: no gateway needed.

    Reads the page twice. What the replica cost beyond the time that its tokens took is unallocated.
    vLLM, SGLang and llama.cpp are known.

    Args:
        url: The engine's metrics, as http://127.0.0.1:8000/metrics.
        file: Scenario that states the deployment, a TOML file; options lie on top of it.
        usd_per_hour: What the replica costs while it is up, used or not.
        every: Seconds between the two readings.
        question: What is asked.
        deployment: The deployment.
        format: A table for people, or JSON.
    """
    if not 0 < every <= 86_400:
        raise LedgerError(f"every is {every} s; more than 0 and at most a day is wanted")
    cost = _rate(usd_per_hour)
    _, built, catalog = _stated(file, question, deployment)
    work, model = work_table(built, efficiencies(catalog)), built.model.key
    energy = counters()
    began, first = time.monotonic(), counted(samples(fetch(url)), model)
    time.sleep(every)
    last, seconds = counted(samples(fetch(url)), model), time.monotonic() - began
    joules = between(energy, counters())
    found = scraped(first, last, seconds, cost, work)
    shown = [plain(one) | {"usd": usd(one.nano)} for one in found]
    measured = {
        "seconds": seconds,
        "energy_wh": None if joules is None else joules / 3.6e9,
        "power": energy.label,
    }
    if format == "json":
        show_json({"lines": shown, **measured})
    else:
        show_rows("Cost by model", shown)
        show_rows("Readings", [measured])


@app.command
def watch(url: str, out: Path, /, *, every: float = 60.0, times: int = 0) -> None:
    """Append readings of an engine's counters and of this machine's energy, for `attribute`.

    Run it where the replica runs and has the machine's accelerators to itself: NVML and RAPL count
    the machine. It goes on until it is interrupted; a reading that fails is said and left out.

    Args:
        url: The engine's metrics, as http://127.0.0.1:8000/metrics.
        out: File of lines to append to.
        every: Seconds between readings.
        times: Readings after which to end; 0 for never.
    """
    if not 0 < every <= 86_400 or times < 0:
        raise LedgerError(
            f"every {every} s, {times} times: more than 0 s, at most a day, is wanted"
        )
    done = 0
    while not times or done < times:
        if done:
            time.sleep(every)
        done += 1
        try:
            page = counted(samples(fetch(url)), "")
        except LedgerError as error:
            sys.stderr.write(f"{error}\n")
            continue
        append(out, reading(time.time_ns(), page, counters()))


def _stated(
    file: Path | None, question: Question | None, deployment: Stated | None
) -> tuple[Scenario, Deployment, Path | None]:
    """Return the scenario, the deployment that it states, and its own catalogue."""
    scenario = scenario_of(file, question or Question(), deployment)
    catalog = inputs.overlay_of(scenario)
    spec = deployment_spec(scenario)
    return scenario, inputs.deployment_of(inputs.model_of(scenario), spec, catalog), catalog
