"""The small model's tokenizer as Hugging Face tools read it, made from its GGUF file: no hub."""

import json
from pathlib import Path
from typing import Any

import gguf

CONTROL = 3
"""A GGUF token's type: it is never made from text."""


def write_tokenizer(model: Path, folder: Path) -> Path:
    """Write `tokenizer.json` and its configuration into a folder; return the folder."""
    reader = gguf.GGUFReader(model)

    def field(name: str) -> Any:
        return reader.fields[f"tokenizer.ggml.{name}"].contents()

    tokens, kinds = field("tokens"), field("token_type")
    special = [n for n, kind in enumerate(kinds) if kind == CONTROL]
    plain = {"add_prefix_space": False, "trim_offsets": True, "use_regex": True}
    byte_level = {"type": "ByteLevel", **plain}
    document = {
        "version": "1.0",
        "added_tokens": [
            {"id": n, "content": tokens[n], "special": True, "single_word": False,
             "lstrip": False, "rstrip": False, "normalized": False}
            for n in special
        ],
        "pre_tokenizer": {
            "type": "Sequence",
            "pretokenizers": [{"type": "Digits", "individual_digits": True}, byte_level],
        },
        "decoder": byte_level,
        "model": {
            "type": "BPE",
            "vocab": {token: n for n, token in enumerate(tokens)},
            "merges": field("merges"),
        },
    }  # fmt: skip
    named = {f"{name}_token": tokens[field(f"{name}_token_id")] for name in ("bos", "eos")}
    folder.mkdir()
    (folder / "tokenizer.json").write_text(json.dumps(document), encoding="utf-8")
    (folder / "tokenizer_config.json").write_text(
        json.dumps({"tokenizer_class": "PreTrainedTokenizerFast", **named}), encoding="utf-8"
    )
    return folder
