"""What schedules obey: limits of an engine, rules of the gateway before it."""

from typing import NamedTuple


class Limits(NamedTuple):
    """Settings of the engine that the schedule obeys.

    Attributes:
        budget: Tokens of one step.
        sequences: Running sequences of a lane.
        blocks: KV pages of a lane; see `blocks`.
        block: Tokens per block.
        full: Pages per block of the layers that see everything.
        page: Pages per block of all layers.
        hashed: Prompt tokens per hash.
        hosted: KV pages in the host's memory.
        overhead: Pages that a sequence takes beside its tokens (recurrent state).
        longest: Prompt and output tokens of one request together.
        chunked: Whether a prompt may be cut, and decode beside others: 1 or 0.
        static: Whether a batch takes requests only until it decodes: 1 or 0.
        queries: Tokens of a decoding sequence in a step: 1, or drafted + 1 when verifying.
        stride: Tokens that it gets by a step, in 1/`state.WHOLE`.
        prefillers: Lanes, the first ones, that compute prompts for the others; 0 for none.
    """

    budget: int
    sequences: int
    blocks: int
    block: int
    full: int
    page: int
    hashed: int
    hosted: int
    overhead: int
    longest: int
    chunked: int
    static: int
    queries: int
    stride: int
    prefillers: int


class Rules(NamedTuple):
    """What the gateway and its clients obey.

    Attributes:
        router: Place in `router.ROUTERS`.
        queue: Requests that may wait at one lane.
        gate: Requests that the gateway holds while no lane is open.
        timeout: How long a client waits for the end of an answer, s.
        retries: How often a client sends a request again that was refused, lost or timed out.
        backoff: Mean pause before the first of these, s; it doubles from one to the next.
    """

    router: int
    queue: int
    gate: int
    timeout: float
    retries: int
    backoff: float
