"""Where a number comes from: every fact carries its source, its date and its kind."""

import datetime as dt
from dataclasses import dataclass
from enum import StrEnum


class Evidence(StrEnum):
    """How a number came to be known; shown as a badge beside it."""

    MEASURED = "measured"
    SIMULATED = "simulated"
    PREDICTED = "predicted"
    VENDOR = "vendor"
    PUBLISHED = "published"
    ASSUMED = "assumed"


@dataclass(frozen=True, slots=True, kw_only=True)
class Source:
    """Provenance of one fact.

    Attributes:
        source: Document, table or repository that states the figure, or the rule that derives it.
        as_of: Date on which the source stated it.
        evidence: How the figure came to be known.
    """

    source: str
    as_of: dt.date
    evidence: Evidence = Evidence.VENDOR
