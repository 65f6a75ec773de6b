"""What others charge: accelerator hours and API tokens, as dated rows that are never edited."""

import datetime as dt
from dataclasses import dataclass

from inferometer.catalog.source import Source
from inferometer.units import UsdPerSecond, UsdPerToken


@dataclass(frozen=True, slots=True, kw_only=True)
class AcceleratorPrice:
    """Price of one accelerator for one hour under one commitment, valid from a day.

    Attributes:
        accelerator: Key of the accelerator.
        provider: Who charges it; "neocloud" or "hyperscaler" for an index over several.
        commitment: "on-demand", "spot", "reserved-1y", "reserved-3y" or "owned" (all-in cost).
        region: Region code, or "" where the price does not depend on it.
        price: Dollars per accelerator and second.
        valid_from: First day on which the price held.
        source: Where it was read.
    """

    accelerator: str
    provider: str
    commitment: str
    region: str = ""
    price: UsdPerSecond
    valid_from: dt.date
    source: Source


@dataclass(frozen=True, slots=True, kw_only=True)
class TokenPrice:
    """API prices of one model at one provider at one instant.

    Attributes:
        model: Provider's model id.
        provider: Provider id.
        input: Uncached input tokens.
        cached: Input tokens served from a prompt cache; None where the provider has no such price.
        output: Output tokens, reasoning included.
        tier: "standard", "batch", "flex" or "priority".
        valid_from: First day on which the price held.
        source: Where it was read.
    """

    model: str
    provider: str
    input: UsdPerToken
    cached: UsdPerToken | None
    output: UsdPerToken
    tier: str = "standard"
    valid_from: dt.date
    source: Source
