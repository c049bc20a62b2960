"""Shell completion: the script for each shell is printed, and what it asks the command for is answered."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

import pytest

ORCHESTRA = Path(sys.executable).with_name("orchestra")


def orchestra(*arguments: str, program: str = str(ORCHESTRA), **variables: str) -> subprocess.CompletedProcess[str]:
    """Run the command as a shell does, which passes what is to be completed in variables."""
    environment = {**os.environ, **variables}
    return subprocess.run(
        [program, *arguments], env=environment, capture_output=True, text=True, timeout=60, check=False
    )


@pytest.fixture
def bash() -> str:
    return shutil.which("bash") or pytest.skip("there is no bash")


@pytest.mark.parametrize(
    ("shell", "registers"),
    [
        ("bash", "complete -o default -F _orchestra_completion orchestra"),
        ("zsh", "compdef _orchestra_completion orchestra"),
        ("fish", "complete --command orchestra --no-files"),
    ],
)
def test_the_script_of_each_shell_is_printed(shell: str, registers: str) -> None:
    done = orchestra(_ORCHESTRA_COMPLETE=f"source_{shell}")

    assert (done.returncode, done.stderr) == (0, "")
    assert registers in done.stdout
    assert f"_ORCHESTRA_COMPLETE=complete_{shell}" in done.stdout


def test_the_script_of_the_shell_that_asks_is_printed(bash: str) -> None:
    """The shell is found among the processes above, whatever SHELL says."""
    script = f'"{ORCHESTRA}" --show-completion; true'  # `true`, so that bash does not make way for the command
    done = orchestra("-c", script, program=bash)

    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.strip() == orchestra(_ORCHESTRA_COMPLETE="source_bash").stdout.strip()


WORDS = [
    (["orchestra", "re"], ["redrive", "register"]),
    (["orchestra", "local", ""], ["up", "preview", "down", "reset", "status"]),
    (["orchestra", "dlq", "re"], ["redrive"]),
    (["orchestra", "run", "abc", "--engine", ""], ["dynamodb", "stepfunctions"]),
    (["orchestra", "doctor", "--"], ["--aws", "--stack", "--json", "--help"]),
]


@pytest.mark.parametrize(("words", "completions"), WORDS)
def test_bash_completes(words: list[str], completions: list[str], bash: str, tmp_path: Path) -> None:
    """With the function that the script defines, called as bash calls it."""
    typed = " ".join(f"'{word}'" for word in words)
    script = (
        f'eval "$(_ORCHESTRA_COMPLETE=source_bash orchestra)"; COMP_WORDS=({typed}); COMP_CWORD={len(words) - 1}; '
        "_orchestra_completion orchestra; printf '%s\\n' \"${COMPREPLY[@]}\""
    )
    done = orchestra("-c", script, program=bash, PATH=f"{ORCHESTRA.parent}:{os.environ['PATH']}", HOME=str(tmp_path))

    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.split() == completions


@pytest.mark.parametrize(
    ("variables", "line"),
    [
        ({"_ORCHESTRA_COMPLETE": "complete_zsh"}, '"up":"Deploy the Pulumi program to this machine,..."'),
        (
            {"_ORCHESTRA_COMPLETE": "complete_fish", "_TYPER_COMPLETE_FISH_ACTION": "get-args"},
            "up\tDeploy the Pulumi program to this machine,...",
        ),
    ],
)
def test_zsh_and_fish_are_told_what_a_command_does(variables: Mapping[str, str], line: str) -> None:
    done = orchestra(_TYPER_COMPLETE_ARGS="orchestra local u", **variables)

    assert (done.returncode, done.stderr) == (0, "")
    assert line in done.stdout


def test_completion_is_installed_for_the_shell_that_asks(bash: str, tmp_path: Path) -> None:
    done = orchestra("-c", f'"{ORCHESTRA}" --install-completion; true', program=bash, HOME=str(tmp_path))

    script = tmp_path / ".bash_completions" / "orchestra.sh"
    assert (done.returncode, done.stderr) == (0, "")
    assert f"bash completion installed in {script}" in done.stdout
    assert f"source '{script}'" in (tmp_path / ".bashrc").read_text()
    assert script.read_text().strip() == orchestra(_ORCHESTRA_COMPLETE="source_bash").stdout.strip()
