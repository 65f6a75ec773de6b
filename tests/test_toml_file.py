"""One reader of users' TOML files: what it takes, and how it refuses the rest."""

from pathlib import Path

import pytest

from inferometer.errors import GatewayError, WorkloadError
from inferometer.toml_file import read_toml


def test_a_byte_order_mark_is_no_part_of_the_text(tmp_path: Path) -> None:
    (tmp_path / "a.toml").write_bytes(b"\xef\xbb\xbfx = 1\n")
    assert read_toml(tmp_path / "a.toml", GatewayError) == {"x": 1}


@pytest.mark.parametrize(
    "text", [b"x = ", b"x = '\xff'", b"x = " + b"[" * 5000], ids=["cut", "no unicode", "deep"]
)
def test_what_is_no_toml_is_refused_by_name(tmp_path: Path, text: bytes) -> None:
    (tmp_path / "a.toml").write_bytes(text)
    with pytest.raises(WorkloadError, match=r"a\.toml: cannot be read as TOML: "):
        read_toml(tmp_path / "a.toml", WorkloadError)


def test_a_missing_file_and_a_folder_are_refused(tmp_path: Path) -> None:
    for path in (tmp_path / "none.toml", tmp_path):
        with pytest.raises(GatewayError, match="cannot be read as TOML"):
            read_toml(path, GatewayError)
