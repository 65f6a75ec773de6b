"""What becomes of a folder: written once, the same the second time, never lost."""

import os
from pathlib import Path

import deploy_cases
import pytest

from inferometer.deploy.folder import changes, difference, write
from inferometer.errors import ScenarioError

FILES = deploy_cases.files_of("vllm")


def test_second_difference_is_empty(tmp_path: Path) -> None:
    first = difference(tmp_path, FILES)
    assert first.count("--- /dev/null") == len(FILES)
    write(tmp_path, FILES, overwrite=False)
    assert difference(tmp_path, FILES) == ""
    assert os.access(tmp_path / "engine" / "serve.sh", os.X_OK)
    write(tmp_path, FILES, overwrite=False)  # nothing is in the way of the same files


def test_changes_by_hand_are_shown_and_kept(tmp_path: Path) -> None:
    write(tmp_path, FILES, overwrite=False)
    service = tmp_path / "kubernetes" / "service.yaml"
    service.write_text(service.read_text().replace("port: 80", "port: 81"), encoding="utf-8")
    shown = difference(tmp_path, FILES)
    assert "-    port: 81" in shown
    assert "+    port: 80" in shown
    with pytest.raises(ScenarioError, match=r"kubernetes/service\.yaml would change"):
        write(tmp_path, FILES, overwrite=False)
    assert "port: 81" in service.read_text()
    write(tmp_path, FILES, overwrite=True)
    assert difference(tmp_path, FILES) == ""


def test_what_is_no_longer_emitted_is_stale_and_foreign_files_are_not(tmp_path: Path) -> None:
    write(tmp_path, FILES, overwrite=False)
    (tmp_path / "notes.txt").write_text("mine", encoding="utf-8")
    fewer = {path: text for path, text in FILES.items() if "scaledobject" not in path}
    stale = [path for path, state in changes(tmp_path, fewer).items() if state == "stale"]
    assert stale == ["kubernetes/scaledobject.yaml"]
    assert "+++ /dev/null" in difference(tmp_path, fewer)


def test_what_cannot_be_written_or_read_is_named(tmp_path: Path) -> None:
    (tmp_path / "engine").write_text("a file", encoding="utf-8")
    with pytest.raises(ScenarioError, match="engine"):
        write(tmp_path, FILES, overwrite=False)
    (tmp_path / "kubernetes").mkdir()
    (tmp_path / "kubernetes" / "service.yaml").write_bytes(b"\xff\xfe")
    with pytest.raises(ScenarioError, match=r"service\.yaml: cannot be read"):
        changes(tmp_path, FILES)
