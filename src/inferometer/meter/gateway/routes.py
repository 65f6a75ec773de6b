"""The routes that the gateway serves; a path is compared whole, byte for byte.

Anything else is 404: no normalisation, no prefix match, so that `//v1`, `/v1/../admin` or
`%2e%2e` cannot name a route that the checks did not see.
"""

from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Route:
    """One metered path of the API.

    Attributes:
        name: Name in configuration, rows and metrics.
        path: Path of the public API and, after the base URL, of the upstream.
        family: Family of its usage objects (`usage.FAMILIES`).
        limit_fields: Fields that bound the output, the one to price by first.
        items: Fields that hold lists, with the most entries allowed.
        streams: Whether `stream` may be true.
        asks_usage: Whether a stream reports usage only if `stream_options` asks.
    """

    name: str
    path: str
    family: str
    limit_fields: tuple[str, ...]
    items: Mapping[str, int]
    streams: bool = True
    asks_usage: bool = False


_MESSAGES = {"messages": 10_000, "tools": 512}
CHAT = Route(
    "chat",
    "/chat/completions",
    "openai",
    ("max_completion_tokens", "max_tokens"),
    _MESSAGES,
    asks_usage=True,
)
COMPLETIONS = Route("completions", "/completions", "openai", ("max_tokens",), {}, asks_usage=True)
EMBEDDINGS = Route("embeddings", "/embeddings", "openai", (), {}, streams=False)
RESPONSES = Route(
    "responses", "/responses", "responses", ("max_output_tokens",), {"input": 10_000, "tools": 512}
)
MESSAGES = Route("messages", "/messages", "anthropic", ("max_tokens",), _MESSAGES)

METERED: Mapping[bytes, Route] = {
    b"/v1" + route.path.encode(): route
    for route in (CHAT, COMPLETIONS, EMBEDDINGS, RESPONSES, MESSAGES)
}
NAMES = frozenset(route.name for route in METERED.values())
MODELS = b"/v1/models"
PROBES = LIVE, READY = b"/livez", b"/readyz"
