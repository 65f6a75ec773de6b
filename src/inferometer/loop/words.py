"""Prompts of a wanted number of tokens, made of common words; no one's text is used or kept.

Each word with its leading space is one token of nearly every vocabulary. What an engine counted is
what is reported, so that a vocabulary that cuts them shows.
"""

import numpy as np

from inferometer.workload.synthesis import generator
from inferometer.workload.trace import Trace

WORDS = (
    *("the", "of", "and", "to", "in", "is", "it", "you", "that", "he", "was", "for"),
    *("on", "are", "with", "as", "his", "they", "be", "at", "one", "have", "this", "from"),
    *("or", "had", "by", "hot", "but", "some", "what", "there", "we", "can", "out", "other"),
    *("were", "all", "your", "when", "up", "use", "word", "how", "said", "an", "each", "she"),
    *(
        "which",
        "do",
        "their",
        "time",
        "if",
        "will",
        "way",
        "about",
        "many",
        "then",
        "them",
        "would",
    ),
    *("write", "like", "so", "these"),
)
"""The alphabet of prompts."""


def prompt_words(trace: Trace, row: int, tokens: int, seed: int) -> str:
    """Return the first `tokens` tokens of a request's prompt.

    Requests that share hashes of blocks share those words; turns of one session begin alike, each
    with what was said before; all others differ from their first words on.

    Args:
        trace: Where the request comes from.
        row: Its place there.
        tokens: Wanted length.
        seed: Of the words.
    """
    picks = _shared(trace, row, tokens, seed)
    stream = f"prompt {row}" if trace.session is None else f"session {trace.session[row]}"
    rest = generator(seed, stream).integers(0, len(WORDS), max(tokens - len(picks), 0))
    return " ".join(WORDS[place] for place in (*picks, *rest))


def _shared(trace: Trace, row: int, tokens: int, seed: int) -> list[int]:
    """Return the words of the blocks whose content the trace identifies."""
    prefixes = trace.prefixes
    if prefixes is None:
        return []
    hashes = prefixes.hashes[prefixes.offsets[row] : prefixes.offsets[row + 1]]
    size = prefixes.block_size
    wanted = hashes[: -(-tokens // size)]
    picks = [generator(seed, f"block {name}").integers(0, len(WORDS), size) for name in wanted]
    found: list[int] = np.concatenate(picks).tolist() if picks else []
    return found[:tokens]
