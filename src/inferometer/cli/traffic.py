"""Requests by the name of where they are: a trace file, the meter's ledger, or one on a server."""

from contextlib import closing
from dataclasses import replace
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

from inferometer.errors import LedgerError
from inferometer.meter.store.opening import is_server, open_database
from inferometer.workload.formats.columns import Read, trace_of
from inferometer.workload.formats.files import read
from inferometer.workload.formats.ledger import LAST, columns_of, read_ledger


def requests_of(name: str) -> Read:
    """Return the requests of a trace file, or of a ledger with a postgresql:// address.

    Raises:
        WorkloadError: a file that cannot be read, or no usable requests.
        LedgerError: a server that cannot be asked, or an address with a password.
    """
    return attempts_of(name) if is_server(name) else read(Path(name))


def attempts_of(ledger: str, since: int = 0, until: int = LAST) -> Read:
    """Return the requests of a ledger, file or address, that started within [since, until), ns.

    Raises:
        WorkloadError: a file that cannot be read, or no usable requests.
        LedgerError: a server that cannot be asked, or an address with a password.
    """
    if is_server(ledger):
        name = Path(name_of(ledger))
        with closing(open_database(ledger)) as database:
            columns = columns_of(database, name, since, until)
    else:
        columns = read_ledger(Path(ledger), since, until)
    return replace(trace_of(columns), format="ledger")


def name_of(ledger: str) -> str:
    """Return what a ledger is called: its file, or the database of its address.

    Raises:
        LedgerError: an address with a password, which reports would show, or none at all.
    """
    if not is_server(ledger):
        return ledger
    try:
        parts = urlsplit(ledger)
    except ValueError:  # its text would show the address
        raise LedgerError("the ledger's address is none; postgresql://user@host/name") from None
    if parts.password is not None or "password" in parse_qs(parts.query):
        raise LedgerError("reports show a ledger's address: give its password in PGPASSWORD")
    return parts.path.strip("/") or "postgresql"
