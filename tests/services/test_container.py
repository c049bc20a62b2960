"""The container service's build context, as far as it can be checked without building it."""

import re
from pathlib import Path

FOLDER = Path(__file__).parents[2] / "services" / "b3"


def test_the_build_context_is_what_the_dockerfile_copies() -> None:
    dockerfile = (FOLDER / "Dockerfile").read_text()
    copied = re.findall(r"^COPY (\S+) \./$", dockerfile, re.MULTILINE)
    assert len(copied) == len(re.findall(r"^(?:COPY|ADD)\b", dockerfile, re.MULTILINE)) == 2
    ignored = [line for line in (FOLDER / ".dockerignore").read_text().splitlines() if not line.startswith("#")]
    assert ignored[0] == "*"
    assert sorted(ignored[1:]) == sorted(f"!{name}" for name in ["Dockerfile", *copied])
    assert all((FOLDER / name).is_file() for name in copied)


def test_every_requirement_is_pinned_and_hashed_and_names_no_host() -> None:
    lock = (FOLDER / "requirements.txt").read_text()
    pins = re.findall(r"^([a-z0-9-]+)==[\w.]+ \\\n    --hash=sha256:[0-9a-f]{64}", lock, re.MULTILINE)
    assert pins == ["zstandard"]
    assert len(re.findall(r"^\S*==", lock, re.MULTILINE)) == len(pins)
    assert "://" not in lock


def test_the_development_environment_has_the_version_that_the_image_has() -> None:
    """The README's example sizes are those of one version of the library."""
    locks = [FOLDER / "requirements.txt", FOLDER.parents[1] / "requirements.txt"]
    versions = [re.findall(r"^zstandard==(\S+)", lock.read_text(), re.MULTILINE) for lock in locks]
    assert len(versions[0]) == 1
    assert versions[0] == versions[1]
