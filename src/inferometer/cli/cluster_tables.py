"""The cost sheet of a cluster as tables for people."""

from typing import Any

from inferometer.cli.cluster import Against, Cluster
from inferometer.cli.result import show_rows
from inferometer.report.numerals import dollars, number

HOUR = 3600.0


def show_cluster(found: Cluster) -> None:
    """Print the sheet."""
    title = f"{found.servers} x {found.server}: {found.accelerators} x {found.accelerator}"
    rows: list[dict[str, Any]] = [
        {
            "part": name.replace("_", " "),
            "per year": dollars(amount),
            "share": f"{amount / found.total:.1%}",
        }
        for name, amount in found.parts.items()
    ]
    rows.append({"part": "total", "per year": dollars(found.total), "share": "100.0%"})
    show_rows(title, rows)
    facts = {
        "paid at the start": dollars(found.purchase),
        "mean draw of IT equipment, kW": found.draw / 1e3,
        "utilisation": f"{found.utilisation:.1%}",
        "$ per accelerator-hour, in use or not": found.hour * HOUR,
    }
    facts |= {f"all-in as published, {name}, $/h": value for name, value in found.published.items()}
    show_rows("The cluster", [{"quantity": name, "value": value} for name, value in facts.items()])
    show_rows("Accelerator-hour in use", [
        {"use": share, "$/h, idle time paid too": price} for share, price in found.useful.items()
    ])  # fmt: skip
    show_rows(
        "Against rent that is paid only while in use", [_row(against) for against in found.against]
    )


def _row(against: Against) -> dict[str, Any]:
    use, hours, daily = against.break_even_use, against.break_even_hours, against.hours_per_day
    late = daily is None or daily > 24
    return {
        "rent": against.commitment,
        "of": against.provider,
        "$/h": against.rent * HOUR,
        "owning pays from use": "never" if use is None else f"{use:.1%}",
        "purchase back after h in use": "never" if hours is None else number(hours / HOUR),
        "h per day over the life": "not in its life" if late else daily,
        "derived": against.derived,
    }
