"""YAML that is the same byte for byte whenever its content is: written, and read strictly."""

import io
from collections.abc import Mapping
from typing import Any

import yaml

from inferometer.errors import ScenarioError

WIDTH = 1 << 16
"""Columns: nothing is folded."""


def dump(document: Any) -> str:
    """Return a document as YAML in block style, keys in their order."""
    text = io.StringIO()
    dumper = yaml.SafeDumper(
        text, default_flow_style=False, sort_keys=False, width=WIDTH, allow_unicode=True
    )
    # NOTE: on the instance, since the class is shared by every user of PyYAML in the process
    own = {**yaml.SafeDumper.yaml_representers, str: _string, tuple: _list}
    vars(dumper).update(yaml_representers=own, ignore_aliases=_never_an_anchor)
    dumper.open()
    dumper.represent(document)
    dumper.close()
    return text.getvalue()


def load(text: str, where: str) -> Mapping[str, Any]:
    """Return the one document of a YAML text: a mapping, no key twice, no aliases, no tags.

    Raises:
        ScenarioError: anything else, with its place.
    """
    try:
        if any(isinstance(event, yaml.AliasEvent) for event in yaml.parse(text)):
            raise ScenarioError(f"{where}: anchors and aliases are not read; write values out")
        _refuse_twice(yaml.compose(text, Loader=yaml.SafeLoader), where)
        value = yaml.safe_load(text)
    except (yaml.YAMLError, RecursionError) as error:
        raise ScenarioError(f"{where}: not valid YAML: {' '.join(str(error).split())}") from error
    if not isinstance(value, dict):
        raise ScenarioError(f"{where}: a mapping is wanted, not {type(value).__name__}")
    return value


def _refuse_twice(node: yaml.Node | None, where: str) -> None:
    if isinstance(node, yaml.SequenceNode):
        for item in node.value:
            _refuse_twice(item, where)
    if not isinstance(node, yaml.MappingNode):
        return
    seen = set[str]()
    for key, value in node.value:
        if key.value in seen:
            raise ScenarioError(f"{where}: line {key.start_mark.line + 1}: {key.value!r} twice")
        seen.add(str(key.value))
        _refuse_twice(value, where)


def _never_an_anchor(_: object) -> bool:
    """Return that a part is written out again wherever it recurs."""
    return True


def _string(dumper: yaml.SafeDumper, text: str) -> yaml.ScalarNode:
    style = "|" if "\n" in text else None
    return dumper.represent_scalar("tag:yaml.org,2002:str", text, style=style)


def _list(dumper: yaml.SafeDumper, items: tuple[Any, ...]) -> yaml.SequenceNode:
    return dumper.represent_list(list(items))
