from __future__ import annotations

import json
import shutil
import subprocess
from pathlib import Path

import pulumi
import pytest

from components import packaging
from components.errors import ProgramError
from components.packaging import Kind

ROOT = Path(__file__).parents[2]

LITTER = (
    "README.md",
    ".env",
    ".pytest_cache/v/cache/lastfailed.json",
    "__pycache__/handler.cpython-311.pyc",
    "__pycache__/index.mjs",
    "node_modules/left/index.js",
    "tests/fixture.json",
    "tests/helper.py",
    "tests/helper.mjs",
    "test_handler.py",
    "handler_test.py",
    "conftest.py",
    "index.test.mjs",
    "index.test.js",
    "notes.txt",
    "sub/.hidden/module.py",
    "sub/.hidden/module.mjs",
    "sub/__pycache__/module.py",
)


def write(root: Path, *paths: str) -> str:
    for path in paths:
        (root / path).parent.mkdir(parents=True, exist_ok=True)
        (root / path).write_text(path)
    return str(root)


@pytest.mark.parametrize(
    ("kind", "handler", "code"),
    [
        (Kind.NODE, "index.handler", ["index.mjs", "package.json", "sub/data.json", "sub/lib.js", "sub/lib.mjs"]),
        (Kind.PYTHON, "handler.handler", ["handler.py", "sub/__init__.py", "sub/lib.py"]),
    ],
)
def test_a_service_is_its_code_and_nothing_else(tmp_path: Path, kind: Kind, handler: str, code: list[str]) -> None:
    manifest = {Kind.NODE: "package.json", Kind.PYTHON: "pyproject.toml"}[kind]
    service = packaging.read_service(write(tmp_path, *LITTER, manifest, *code))
    assert (service.kind, service.handler) == (kind, handler)
    assert {path: str(file) for path, file in service.files.items()} == {p: str(tmp_path / p) for p in code}
    assert list(service.files) == code  # in order of path


def test_the_runtimes_are_those_that_lambda_names() -> None:
    assert (Kind.NODE.value, Kind.PYTHON.value) == ("nodejs24.x", "python3.13")


def test_a_dockerfile_decides_whatever_is_beside_it(tmp_path: Path) -> None:
    folder = write(tmp_path, "Dockerfile", "pyproject.toml", "package.json", "handler.py")
    assert packaging.read_service(folder).kind is Kind.CONTAINER


@pytest.mark.parametrize(
    ("files", "problem"),
    [
        ([], "has none of Dockerfile, package.json, pyproject.toml, one of which says how the service runs"),
        (
            ["package.json", "main.mjs"],
            "has no index.mjs, where the handler of a package.json service is",
        ),
        (
            ["pyproject.toml", "sub/handler.py"],
            "has no handler.py, where the handler of a pyproject.toml service is",
        ),
    ],
)
def test_a_folder_that_could_not_run_is_refused(tmp_path: Path, files: list[str], problem: str) -> None:
    with pytest.raises(ProgramError) as refused:
        packaging.read_service(write(tmp_path, *files))
    assert str(refused.value) == f"{tmp_path}: {problem}"


def test_a_folder_that_is_not_there_is_refused() -> None:
    with pytest.raises(ProgramError) as refused:
        packaging.read_service("services/nothing")
    assert str(refused.value) == ("services/nothing: is not a folder; a service's folder is services/<its name>")


def test_the_hash_is_of_what_is_there_and_where(tmp_path: Path) -> None:
    write(tmp_path / "one", "Dockerfile", "a/b", "c")
    shutil.copytree(tmp_path / "one", tmp_path / "two")
    before = packaging.read_service(str(tmp_path / "one")).content_hash
    assert packaging.read_service(str(tmp_path / "two")).content_hash == before
    write(tmp_path / "two", ".pytest_cache/x", "__pycache__/y")
    assert packaging.read_service(str(tmp_path / "two")).content_hash == before
    (tmp_path / "two/c").write_text("changed")
    assert packaging.read_service(str(tmp_path / "two")).content_hash != before
    (tmp_path / "one/c").rename(tmp_path / "one/d")
    assert packaging.read_service(str(tmp_path / "one")).content_hash != before


def test_an_edit_of_a_test_or_of_the_readme_is_no_new_image(tmp_path: Path) -> None:
    folder = write(tmp_path, "Dockerfile", "handler.py", "requirements.txt")
    before = packaging.read_service(folder).content_hash
    write(tmp_path, "README.md", "test_handler.py", "requirements.in")
    assert packaging.read_service(folder).content_hash == before


def test_the_hash_tells_where_one_file_ends_and_the_next_begins(tmp_path: Path) -> None:
    for name, first, second in (("one", "xy", "z"), ("two", "x", "yz")):
        write(tmp_path / name, "Dockerfile")
        (tmp_path / name / "a").write_text(first)
        (tmp_path / name / "b").write_text(second)
    one, two = (packaging.read_service(str(tmp_path / name)).content_hash for name in ("one", "two"))
    assert one != two


def test_the_services_of_this_repository() -> None:
    """What each holds, whatever running the tests or an editor has left in its folder."""
    found = {}
    for folder in sorted((ROOT / "services").iterdir()):
        if folder.is_dir() and not folder.name.startswith((".", "_")):
            service = packaging.read_service(str(folder))
            if service.kind is not Kind.CONTAINER:
                found[folder.name] = (service.kind, list(service.files))
    assert found == {
        "a": (Kind.NODE, ["index.mjs", "package.json"]),
        "b1": (Kind.NODE, ["index.mjs", "package.json"]),
        "b2": (Kind.PYTHON, ["handler.py"]),
        "c": (Kind.NODE, ["index.mjs", "package.json"]),
        "probe": (Kind.PYTHON, ["handler.py"]),
    }


def test_an_archive_is_in_order_and_its_paths_are_relative_to_the_project() -> None:
    archive = packaging.archive(
        {"z.py": ROOT / "components/errors.py", "a.py": Path("/elsewhere/a.py")}, {"m.json": "[]"}
    )
    assets = archive.assets
    assert list(assets) == ["a.py", "m.json", "z.py"]
    a, m, z = assets.values()
    assert isinstance(a, pulumi.FileAsset)
    assert isinstance(m, pulumi.StringAsset)
    assert isinstance(z, pulumi.FileAsset)
    assert (a.path, m.text, z.path) == ("/elsewhere/a.py", "[]", "components/errors.py")


def test_a_distribution_that_is_not_installed_is_refused(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(packaging, "BUNDLED", ("no-such-distribution",))
    with pytest.raises(ProgramError) as refused:
        packaging.engine_files(tmp_path)
    assert str(refused.value) == ("no-such-distribution: is not installed; `make setup` installs what the lock names")


def test_the_bundle_is_the_engine_and_pure_python_alone(tmp_path: Path) -> None:
    engine = tmp_path / "orchestration"
    write(engine, *LITTER, "__init__.py", "store.py")
    files = packaging.engine_files(engine)
    own = {path for path in files if path.startswith("orchestration/")}
    others = set(files) - own
    assert own == {"orchestration/__init__.py", "orchestration/store.py"}
    assert {Path(path).suffix for path in files} == {".py", ".json"}
    top = {path.split("/")[0] for path in others}
    assert top == {"aws_lambda_powertools", "aws_xray_sdk", "jmespath", "typing_extensions.py", "wrapt"}
    assert list(files) == sorted(files)
    assert not [path for path, file in files.items() if not file.is_file()]


IMPORTS = """
import json, sys
sys.path.insert(0, {folder!r})
import aws_lambda_powertools, aws_xray_sdk.core, wrapt
from aws_lambda_powertools import Logger, Metrics, Tracer
from aws_lambda_powertools.utilities.batch import BatchProcessor
from aws_xray_sdk.core import patch, xray_recorder
from aws_xray_sdk.core.sampling.local import sampler
patch(["botocore"])
Logger(service="s"); Metrics(namespace="n"); Tracer(service="s")
import orchestration.workflow
outside = [
    name for name, module in sys.modules.items()
    if name.split(".")[0] in ("aws_lambda_powertools", "aws_xray_sdk", "orchestration", "wrapt", "typing_extensions")
    and getattr(module, "__file__", None) and not module.__file__.startswith({folder!r})
]
print(json.dumps(dict(outside=outside, pulumi="pulumi" in sys.modules)))
"""


def unpack(folder: Path) -> Path:
    for path, file in packaging.engine_files(ROOT / "orchestration").items():
        target = folder / path
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(file, target)
    return folder


def run_isolated(code: str) -> str:
    """Run in the interpreter that has boto3 and nothing else, as Lambda's has."""
    python = ROOT / ".orchestra/python/bin/python"
    environment = {
        "AWS_EC2_METADATA_DISABLED": "true",
        "AWS_DEFAULT_REGION": "us-east-1",
        "AWS_LAMBDA_FUNCTION_NAME": "worker",
        "PYTHONDONTWRITEBYTECODE": "1",
    }
    done = subprocess.run(
        [str(python), "-I", "-c", code], env=environment, capture_output=True, text=True, timeout=60, check=False
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_the_bundle_imports_with_boto3_beside_it_and_nothing_else(tmp_path: Path) -> None:
    folder = unpack(tmp_path)
    printed = run_isolated(IMPORTS.format(folder=str(folder)))
    assert json.loads(printed.splitlines()[-1]) == {"outside": [], "pulumi": False}


@pytest.mark.parametrize("module", ["orchestrator", "worker"])
def test_the_handlers_import_from_the_bundle(tmp_path: Path, module: str) -> None:
    folder = unpack(tmp_path)
    environment = {"TABLE_NAME": "runs", "QUEUE_URL": "https://queue", "SERVICES": "{}"}
    code = (
        f"import os, sys; os.environ.update({environment!r}); sys.path.insert(0, {str(folder)!r});"
        f" import orchestration.{module} as m; print(callable(m.handler))"
    )
    assert run_isolated(code).splitlines()[-1] == "True"


def test_the_bundle_fits(tmp_path: Path) -> None:
    """Lambda takes 50 MB zipped; a bundle that is far from that starts fast."""
    archive = shutil.make_archive(str(tmp_path / "bundle"), "zip", unpack(tmp_path / "unpacked"))
    assert Path(archive).stat().st_size < 2_000_000
