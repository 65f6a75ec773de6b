"""Names of catalogue records: one key, many spellings, and the nearest ones when none matches.

Two spellings are the same name if they agree after lowering case and dropping the publisher's
prefix ("NVIDIA", "AMD Instinct", everything up to the last slash) and all punctuation but the
points inside version numbers. So "NVIDIA H100 SXM", "h100_sxm" and "H100-SXM" are one name, and
"qwen2.5-7b" and "qwen2-57b" are two.
"""

import difflib
import re
from collections.abc import Iterable, Mapping
from typing import Protocol, TypeVar

from inferometer.errors import CatalogError

_PREFIXES = frozenset({"nvidia", "amd", "intel", "google", "geforce", "instinct", "tesla", "cloud"})
_WORD = re.compile(r"[a-z0-9]+(?:\.[0-9]+)*")


class Named(Protocol):
    """A record with a key; other spellings are in its field `aliases`, if it has one."""

    @property
    def key(self) -> str:
        """Name in the catalogue."""
        ...


N = TypeVar("N", bound=Named)


def normalise(name: str) -> str:
    """Return the form under which spellings of one name are equal."""
    words = _WORD.findall(name.rsplit("/", 1)[-1].lower())
    while len(words) > 1 and words[0] in _PREFIXES:
        words = words[1:]
    return "".join(words)


def spellings_of(record: Named) -> tuple[str, ...]:
    """Return the key of a record and its aliases."""
    return (record.key, *getattr(record, "aliases", ()))


def index(records: Mapping[str, N], *, origin: str = "catalogue") -> dict[str, N]:
    """Return the records by every normalised key and alias.

    Raises:
        CatalogError: two records share a name, or a name has no letter or digit.
    """
    found: dict[str, N] = {}
    faults: list[str] = []
    for record in records.values():
        for name in spellings_of(record):
            short = normalise(name)
            other = found.setdefault(short, record)
            if not short:
                faults.append(f"{origin}: {record.key}.aliases: {name!r} is not a name")
            elif other.key != record.key:
                faults.append(f"{origin}: {record.key}.aliases: {name!r} already names {other.key}")
    if faults:
        raise CatalogError("\n".join(faults))
    return found


def resolve(records: Mapping[str, N], name: str, *, kind: str = "record") -> N:
    """Return the record that `name` spells.

    Args:
        records: Where to look, by key.
        name: Key or alias, in any spelling.
        kind: What the records are, for the message.

    Raises:
        CatalogError: no record has that name; the message lists the nearest ones.
    """
    if name in records:
        return records[name]
    names = index(records)
    try:
        return names[normalise(name)]
    except KeyError:
        spellings = [n for r in records.values() for n in spellings_of(r)]
        near, known = nearest(name, spellings), ""
        if not near:
            near, known = nearest(name, spellings, 0.0), f"; known: {', '.join(sorted(records))}"
        hint = f"nearest: {', '.join(near)}{known}"
        raise CatalogError(f"no {kind} is named {name!r}; {hint}") from None


def nearest(name: str, known: Iterable[str], cutoff: float = 0.5) -> list[str]:
    """Return up to three of the `known` names that look most like `name`, best first.

    A likeness below `cutoff`, from 0 to 1, does not count.
    """
    spellings: dict[str, str] = {}
    for candidate in known:
        spellings.setdefault(normalise(candidate) or candidate, candidate)
    matches = difflib.get_close_matches(normalise(name) or name, spellings, n=3, cutoff=cutoff)
    return [spellings[match] for match in matches]
