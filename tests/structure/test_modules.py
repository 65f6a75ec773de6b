"""Guards on names, sizes, classes and imports of the package."""

import ast
import subprocess
import sys
from collections import Counter
from pathlib import Path

import pytest

import inferometer

PACKAGE = Path(inferometer.__file__).parent
MODULES = sorted(PACKAGE.rglob("*.py"))
TESTS = Path(__file__).parents[1]
VAGUE = {"utils", "util", "common", "helpers", "helper", "types", "base", "misc"}
BASES = {"Exception", "ValueError", "Protocol", "Enum", "StrEnum", "NamedTuple", "msgspec.Struct"}
LONGEST = 350
HEAVY = {"numpy", "matplotlib", "duckdb", "genai_prices", "scipy"}


def identify(path: Path) -> str:
    return path.relative_to(PACKAGE).as_posix()


@pytest.mark.parametrize("path", MODULES, ids=identify)
def test_module_is_named_by_a_noun_and_short(path: Path) -> None:
    assert path.stem not in VAGUE
    assert not VAGUE & set(path.relative_to(PACKAGE).parts)
    assert len(path.read_text(encoding="utf-8").splitlines()) <= LONGEST


@pytest.mark.parametrize("path", MODULES, ids=identify)
def test_no_class_trees(path: Path) -> None:
    tree = ast.parse(path.read_text(encoding="utf-8"))
    classes = [node for node in ast.walk(tree) if isinstance(node, ast.ClassDef)]
    protocols = {
        node.name
        for node in classes
        if any(ast.unparse(base).startswith("Protocol") for base in node.bases)
    }
    allowed = BASES | protocols | {"Named", "Record"}  # the two are Protocols of catalog
    for node in classes:
        for base in node.bases:
            name = ast.unparse(base).split("[")[0]
            assert name in allowed or name.endswith("Error"), f"{node.name}({name})"


def test_exports_are_sorted_and_resolve() -> None:
    assert sorted(inferometer.__all__) == list(inferometer.__all__)
    for name in inferometer.__all__:
        assert getattr(inferometer, name) is not None


def test_unknown_export_is_an_attribute_error() -> None:
    with pytest.raises(AttributeError, match="no_such_name"):
        _ = inferometer.no_such_name


def test_command_line_starts_without_heavy_libraries() -> None:
    code = "import inferometer.cli.app, sys; print(*sys.modules)"
    command = [sys.executable, "-c", code]
    done = subprocess.run(command, capture_output=True, text=True, check=True)  # noqa: S603
    assert "inferometer.cli.app" in done.stdout.split()
    assert not HEAVY & set(done.stdout.split())


def test_files_of_tests_have_names_of_their_own() -> None:
    """Two of one name cannot be collected together."""
    names = Counter(path.name for path in TESTS.rglob("*.py"))
    assert [name for name, count in names.items() if count > 1 and name != "conftest.py"] == []
