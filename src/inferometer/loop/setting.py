"""What can be set on a local engine, and which of it the engine ships."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

import msgspec

from inferometer.errors import ScenarioError
from inferometer.toml_file import read_toml

AS_SHIPPED = "as-shipped"
"""Weights in the format of the file, whatever it is."""

KV_FORMATS = ("f16", "q8_0", "q4_0")
"""Formats of the KV cache that llama.cpp's CPU kernels read."""

MOST_ENGINES = 64
"""Engines beyond which a number of them on one machine is taken for a slip."""

LARGEST = 1 << 20
"""Slots, tokens or threads beyond which a setting is taken for a slip."""

LONGEST_DRAFT = 64
"""Tokens beyond which a draft is taken for a slip."""

SPARE = 16
"""Tokens of context beyond prompt and output: what an engine adds at the start of a prompt."""

CONTEXT_STEP = 64
"""Tokens to whose multiples a context is rounded up."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Setting:
    """One configuration of a local llama.cpp server; the defaults are what the server ships.

    Attributes:
        weights: Format of the weights: "as-shipped", "f16", "q8_0", "q5_0" or "q4_0".
        kv: Format of the KV cache.
        slots: Sequences that run at a time.
        context: Tokens of context of each slot.
        batch: Token budget of one step.
        micro_batch: Tokens that one pass computes.
        threads: Threads of arithmetic; 0 leaves it to the engine, which takes every core.
        prefix_cache: Whether a slot keeps its last prompt for the next one that begins alike.
        draft: Tokens proposed at a time where a sequence repeats itself; 0 for no drafts.
        unified: Whether all slots share one KV cache, in place of a stretch of it for each. A slot
            has the same context in either.
    """

    weights: str = AS_SHIPPED
    kv: str = "f16"
    slots: int = 4
    context: int = 1024
    batch: int = 2048
    micro_batch: int = 512
    threads: int = 0
    prefix_cache: bool = True
    draft: int = 0
    unified: bool = True

    def __post_init__(self) -> None:
        for fault in _faults(self):
            raise ScenarioError(f"setting: {fault}")

    def __str__(self) -> str:
        parts = [self.weights, f"{self.slots} slots"]
        parts += [f"kv {self.kv}"] if self.kv != "f16" else []
        parts += [f"batch {self.batch}"] if self.batch != 2048 else []
        parts += [f"pass {self.micro_batch}"] if self.micro_batch != 512 else []
        parts += [f"{self.threads} threads"] if self.threads else []
        parts += [] if self.prefix_cache else ["no prefix cache"]
        parts += [f"draft {self.draft}"] if self.draft else []
        parts += [] if self.unified else ["split cache"]
        return ", ".join(parts)


NAMES = tuple(field.name for field in fields(Setting))


def _faults(setting: Setting) -> Iterator[str]:
    for name, least in (("slots", 1), ("context", 64), ("batch", 32), ("micro_batch", 32)):
        if not least <= getattr(setting, name) <= LARGEST:
            yield f"{name} is {getattr(setting, name)}; {least} to {LARGEST} is wanted"
    if not 0 <= setting.threads <= LARGEST:
        yield f"threads is {setting.threads}; at least 0 is wanted, and 0 leaves it to the engine"
    if not 0 <= setting.draft <= LONGEST_DRAFT:
        yield f"draft is {setting.draft}; 0 to {LONGEST_DRAFT} tokens are wanted, 0 for no drafts"
    if setting.draft and setting.slots * (1 + setting.draft) > setting.batch:
        yield (
            f"draft is {setting.draft}: {setting.slots} slots then verify "
            f"{setting.slots * (1 + setting.draft)} tokens in a step, above batch {setting.batch}; "
            "raise batch or shorten the draft"
        )
    if setting.kv not in KV_FORMATS:
        yield f"kv is {setting.kv!r}; one of {', '.join(KV_FORMATS)}"


def context_for(tokens: int) -> int:
    """Return the context of a slot that holds so many tokens of prompt and output."""
    return -(-(tokens + SPARE) // CONTEXT_STEP) * CONTEXT_STEP


def read_settings(path: Path) -> tuple[Setting, int]:
    """Return the setting and the number of engines that a file asks for.

    A `[setting]` table has the fields of `Setting`; the `[deployment]` table of a scenario is
    taken as far as llama.cpp can follow it (weights, KV format, limits, replicas).

    Raises:
        ScenarioError: unreadable, neither table, or a key that is not known.
    """
    raw = read_toml(path, ScenarioError)
    if isinstance(raw.get("setting"), dict):
        return _setting(raw["setting"], path), 1
    if isinstance(raw.get("deployment"), dict):
        return _of_deployment(raw["deployment"], path)
    raise ScenarioError(f"{path}: neither a [setting] nor a [deployment] table")


def _setting(table: Mapping[str, Any], path: Path) -> Setting:
    for key in table:
        if key not in NAMES:
            raise ScenarioError(f"{path}: setting.{key}: unknown; known are {', '.join(NAMES)}")
    try:
        return msgspec.convert(table, Setting)
    except msgspec.ValidationError as error:
        raise ScenarioError(f"{path}: setting: {error}") from error


_LLAMA_CPP = ("llama.cpp", "llama-server", "llamacpp")
_OF_DEPLOYMENT: Mapping[str, str] = {
    "weights": "weights",
    "kv": "kv",
    "max_num_seqs": "slots",
    "max_batched_tokens": "batch",
    "draft_tokens": "draft",
}
"""Field of a setting by its name in a scenario's [deployment]."""


def _of_deployment(table: Mapping[str, Any], path: Path) -> tuple[Setting, int]:
    engine = table.get("engine", "vllm")
    if engine not in _LLAMA_CPP:
        raise ScenarioError(
            f"{path}: deployment.engine is {engine!r}; here llama.cpp is launched. For vLLM give "
            "`up --engine vllm --model NAME`"
        )
    if table.get("draft_cost"):
        raise ScenarioError(
            f"{path}: deployment.draft_cost is {table['draft_cost']!r}, so a draft model is meant, "
            "which is not launched here; leave it out for drafts looked up in the text"
        )
    named = {  # 0 and "" leave it to the engine, as in any scenario
        ours: table[name] for name, ours in _OF_DEPLOYMENT.items() if table.get(name)
    }
    if named.get("kv") in {"bf16", "fp16"}:
        named["kv"] = "f16"
    replicas = table.get("replicas", 1)
    if not isinstance(replicas, int) or not 1 <= replicas <= MOST_ENGINES:
        raise ScenarioError(
            f"{path}: deployment.replicas is {replicas!r}; 1 to {MOST_ENGINES} run locally"
        )
    return _setting(named, path), replicas


def setting_text(setting: Setting) -> str:
    """Return the setting as a file that `up` reads."""
    return toml_table("[setting]", {name: getattr(setting, name) for name in NAMES})


def toml_table(head: str, values: Mapping[str, object]) -> str:
    """Return a table of TOML with its head."""
    return "\n".join((head, *(f"{name} = {toml_value(one)}" for name, one in values.items()), ""))


def toml_value(value: object) -> str:
    """Return a value of TOML: strings, numbers and flags are written as in JSON."""
    return msgspec.json.encode(value).decode()
