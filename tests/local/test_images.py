from __future__ import annotations

from pathlib import Path

import pytest

from local.archives import Entry
from local.errors import LocalError
from local.images import Images

DOCKERFILE = """FROM public.ecr.aws/lambda/python:3.13
COPY requirements.txt .
RUN pip install -r requirements.txt
COPY *.py ./
COPY data/ data/
COPY one.txt renamed.txt
CMD ["handler.handler"]
"""


@pytest.fixture
def context(tmp_path: Path) -> Path:
    for name, text in {
        "Dockerfile": DOCKERFILE,
        "requirements.txt": "",
        "handler.py": "x",
        "other.py": "y",
        "data/words.txt": "w",
        "one.txt": "1",
        "README.md": "not in the image",
    }.items():
        path = tmp_path / name
        path.parent.mkdir(exist_ok=True)
        path.write_text(text)
    return tmp_path


def test_an_image_holds_what_the_dockerfile_copies(context: Path) -> None:
    read = Images.read({"context": {"location": str(context)}})
    assert read.files == {
        "requirements.txt": Entry(b""),
        "handler.py": Entry(b"x"),
        "other.py": Entry(b"y"),
        "data/words.txt": Entry(b"w"),
        "renamed.txt": Entry(b"1"),
    }


def test_the_digest_follows_what_is_in_the_image_and_nothing_else(context: Path) -> None:
    inputs = {"context": {"location": str(context)}}
    before = Images.read(inputs).digest
    (context / "README.md").write_text("changed")
    assert Images.read(inputs).digest == before
    (context / "handler.py").write_text("changed")
    assert Images.read(inputs).digest != before
    assert Images.read({**inputs, "platforms": ["linux/arm64"]}).digest != Images.read(inputs).digest


def test_a_function_finds_the_image_by_its_reference(context: Path) -> None:
    images, inputs = Images(), {"context": {"location": str(context)}, "tags": ["registry.example:5000/b3:latest"]}
    read = Images.read(inputs)
    reference = images.add(read, inputs)
    assert reference == f"registry.example:5000/b3@sha256:{read.digest}"
    assert images.find(reference) is read
    with pytest.raises(LocalError, match=r"^image elsewhere:1 is not built by this program"):
        images.find("elsewhere:1")


def test_a_missing_file_is_named(context: Path) -> None:
    (context / "one.txt").unlink()
    with pytest.raises(LocalError, match=r"Dockerfile: COPY finds no one\.txt in "):
        Images.read({"context": {"location": str(context)}})
