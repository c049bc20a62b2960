from __future__ import annotations

from pathlib import Path

import pytest

from local.errors import LocalError
from local.paths import Project, find_project
from local.program import load_settings

PROJECT = """
name: sample
config:
  aws:region: {value: eu-west-1}
  retention: {type: integer, default: 30, description: days}
  services: {type: array, default: [a, b]}
  required: {type: string, description: what it is for}
"""


def settings(folder: Path, stack: str, project: str = PROJECT) -> dict[str, str]:
    (folder / "Pulumi.yaml").write_text(project)
    (folder / "Pulumi.local.yaml").write_text(f"config:\n{stack}" if stack else "")
    return dict(load_settings(Project(folder, "local")).config)


def test_defaults_and_given_values_come_as_the_sdk_wants_them(tmp_path: Path) -> None:
    assert settings(tmp_path, "  sample:required: x\n  retention: 7\n") == {
        "aws:region": "eu-west-1",
        "sample:required": "x",
        "sample:retention": "7",
        "sample:services": '["a", "b"]',
    }
    assert load_settings(Project(tmp_path, "local")).region == "eu-west-1"


@pytest.mark.parametrize(
    ("stack", "said"),
    [
        ("", r"Pulumi\.local\.yaml: the setting sample:required is missing: what it is for"),
        ("  required: x\n  retention: seven\n", r".*: sample:retention must be of type integer, and is 'seven'"),
        ("  required: x\n  retention: true\n", r".*: sample:retention must be of type integer, and is True"),
        ("  required: {secure: AAAB}\n", r".*: sample:required is encrypted, which only the Pulumi CLI can read: .*"),
        ("  required: [\n", r".*Pulumi\.local\.yaml is not YAML: .*"),
    ],
)
def test_what_is_wrong_is_said_in_one_line(tmp_path: Path, stack: str, said: str) -> None:
    with pytest.raises(LocalError, match=f"^{said}$"):
        settings(tmp_path, stack)


def test_a_project_without_a_name_is_refused(tmp_path: Path) -> None:
    with pytest.raises(LocalError, match="there is no `name`"):
        settings(tmp_path, "", "runtime: python\n")


def test_the_project_is_found_from_below_and_its_absence_is_said(tmp_path: Path) -> None:
    (tmp_path / "project" / "services").mkdir(parents=True)
    (tmp_path / "project" / "Pulumi.yaml").write_text("name: x\n")
    found = find_project("local", tmp_path / "project" / "services")
    assert found.root == (tmp_path / "project").resolve()
    with pytest.raises(LocalError, match=r"^there is no Pulumi\.yaml in "):
        find_project("local", tmp_path)


@pytest.mark.parametrize("name", ["", "../x", "a b", "emulator", "python", "containers"])
def test_a_stack_cannot_be_named_like_something_else(name: str, tmp_path: Path) -> None:
    with pytest.raises(LocalError, match="cannot be the name of a stack"):
        find_project(name, tmp_path)
