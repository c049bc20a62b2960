"""What goes into each function's code: explicit, sorted lists of files, so that nothing else can slip in. Pure.

A folder is never archived as it is: Pulumi hashes all that it finds there, so that running the tests once, which leaves
caches behind, would deploy every function again. The archive's hash covers names and contents alone.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from enum import Enum
from fnmatch import fnmatchcase
from importlib import metadata
from pathlib import Path

import pulumi

from components.errors import ProgramError

Files = Mapping[str, Path]
"""The file at each path of an archive, in order of path."""

SKIPPED_FOLDERS = frozenset({"__pycache__", "node_modules", "tests"})

BUNDLED = ("aws-lambda-powertools", "aws-xray-sdk", "jmespath", "typing-extensions", "wrapt")
"""The distributions beside the engine's own code. Lambda's Python runtime has boto3, so that boto3 is left out."""


class Kind(Enum):
    """How a service runs. Its manifest says which."""

    CONTAINER = "container"
    NODE = "nodejs24.x"
    PYTHON = "python3.13"


@dataclass(frozen=True)
class _Rule:
    """What one kind of service packages, and the file that its handler is in."""

    manifest: str
    kind: Kind
    entry: str
    include: tuple[str, ...]
    exclude: tuple[str, ...] = ()


_PYTHON = _Rule("pyproject.toml", Kind.PYTHON, "handler.py", ("*.py",), ("test_*.py", "*_test.py", "conftest.py"))
_RULES = (
    _Rule("Dockerfile", Kind.CONTAINER, "Dockerfile", ("*",), ("*.md", "*.in", "test_*", "*_test.py", "conftest.py")),
    _Rule("package.json", Kind.NODE, "index.mjs", ("*.mjs", "*.js", "*.json"), ("*.test.mjs", "*.test.js")),
    _PYTHON,
)
"""In order: a container service may have another manifest beside its Dockerfile."""


@dataclass(frozen=True, kw_only=True)
class Service:
    """A service's folder, read."""

    kind: Kind
    files: Files

    @property
    def handler(self) -> str:
        return "index.handler" if self.kind is Kind.NODE else "handler.handler"

    @property
    def content_hash(self) -> str:
        """Return the SHA-256 of the files' paths and contents, as 64 hexadecimal digits."""
        digest = hashlib.sha256()
        for path, file in self.files.items():
            content = file.read_bytes()
            digest.update(f"{path}\0{len(content)}\0".encode())
            digest.update(content)
        return digest.hexdigest()


def read_service(folder: str) -> Service:
    """Return the service of `folder`, by the manifest in it. Raises ProgramError if there is none that could run."""
    root = Path(folder)
    if not root.is_dir():
        raise ProgramError(f"{folder}: is not a folder; a service's folder is services/<its name>")
    rule = next((rule for rule in _RULES if (root / rule.manifest).is_file()), None)
    if rule is None:
        manifests = ", ".join(rule.manifest for rule in _RULES)
        raise ProgramError(f"{folder}: has none of {manifests}, one of which says how the service runs")
    files = _select(root, rule)
    if rule.entry not in files:
        raise ProgramError(f"{folder}: has no {rule.entry}, where the handler of a {rule.manifest} service is")
    return Service(kind=rule.kind, files=files)


def engine_files(folder: Path) -> Files:
    """Return the engine's code, from the package's `folder`, and the pure-Python files of what it imports.

    The files come from the environment that runs the program, which the lock describes: what is tested is what ships.
    A compiled extension is for this machine, not for Lambda, and each of these distributions does without.
    """
    files = {f"{folder.name}/{path}": file for path, file in _select(folder, _PYTHON).items()}
    for name in BUNDLED:
        files |= _distribution(name)
    return dict(sorted(files.items()))


def archive(files: Files, texts: Mapping[str, str] | None = None) -> pulumi.AssetArchive:
    """Return the archive of `files` and of `texts` that exist nowhere else, in order of path."""
    assets: dict[str, pulumi.Asset | pulumi.Archive] = {
        path: pulumi.FileAsset(_portable(file)) for path, file in files.items()
    }
    assets |= {path: pulumi.StringAsset(text) for path, text in (texts or {}).items()}
    return pulumi.AssetArchive(dict(sorted(assets.items())))


def _select(root: Path, rule: _Rule) -> dict[str, Path]:
    files = {}
    for file in sorted(root.rglob("*")):
        parts = file.relative_to(root).parts
        skipped = any(part.startswith(".") or part in SKIPPED_FOLDERS for part in parts)
        named = any(fnmatchcase(file.name, pattern) for pattern in rule.include)
        left_out = any(fnmatchcase(file.name, pattern) for pattern in rule.exclude)
        if named and not left_out and not skipped and file.is_file():
            files["/".join(parts)] = file
    return files


def _distribution(name: str) -> dict[str, Path]:
    """Return the code and data of an installed distribution, by the record of what its wheel held."""
    try:
        found = metadata.distribution(name)
    except metadata.PackageNotFoundError:
        raise ProgramError(f"{name}: is not installed; `make setup` installs what the lock names") from None
    return {
        record.as_posix(): Path(str(found.locate_file(record)))
        for record in found.files or ()
        if record.suffix in (".py", ".json")
        and ".." not in record.parts  # a script, installed beside the interpreter
        and not record.parts[0].endswith(".dist-info")
    }


def _portable(file: Path) -> str:
    """Return a path that is the same on every machine wherever that can be: Pulumi keeps it in the stack's state."""
    cwd = Path.cwd()
    return str(file.relative_to(cwd)) if file.is_relative_to(cwd) else str(file)
