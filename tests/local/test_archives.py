from __future__ import annotations

import io
import os
import zipfile
from pathlib import Path

import pulumi
import pytest

from local.archives import Entry, archive_digest, archive_entries, digest, zip_bytes
from local.errors import LocalError


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "sub").mkdir()
    (tmp_path / "handler.py").write_text("x = 1\n")
    (tmp_path / "sub" / "run.sh").write_text("#!/bin/sh\n")
    (tmp_path / "sub" / "run.sh").chmod(0o755)
    return tmp_path


def test_a_zip_is_the_same_for_the_same_contents_whatever_their_times_and_order() -> None:
    one = zip_bytes({"a": Entry(b"1"), "b": Entry(b"2", executable=True)})
    other = zip_bytes({"b": Entry(b"2", executable=True), "a": Entry(b"1")})
    assert one == other
    with zipfile.ZipFile(io.BytesIO(one)) as archive:
        assert [(item.filename, oct(item.external_attr >> 16)) for item in archive.infolist()] == [
            ("a", "0o644"),
            ("b", "0o755"),
        ]


def test_a_folder_and_a_list_of_its_files_are_the_same_archive(folder: Path) -> None:
    listed = pulumi.AssetArchive({
        "handler.py": pulumi.FileAsset(str(folder / "handler.py")),
        "sub": pulumi.FileArchive(str(folder / "sub")),
    })  # fmt: skip
    assert archive_entries(pulumi.FileArchive(str(folder))) == archive_entries(listed)
    assert archive_entries(listed) == {
        "handler.py": Entry(b"x = 1\n"),
        "sub/run.sh": Entry(b"#!/bin/sh\n", executable=True),
    }


def test_a_zip_file_is_read_by_its_contents(folder: Path, tmp_path_factory: pytest.TempPathFactory) -> None:
    archive = pulumi.FileArchive(str(folder))
    packed = tmp_path_factory.mktemp("packed") / "code.zip"
    packed.write_bytes(zip_bytes(archive_entries(archive)))
    assert archive_digest(pulumi.FileArchive(str(packed))) == archive_digest(archive)


def test_caches_and_times_do_not_change_the_digest_but_contents_and_modes_do(folder: Path) -> None:
    archive = pulumi.FileArchive(str(folder))
    before = archive_digest(archive)
    (folder / "__pycache__").mkdir()
    (folder / "__pycache__" / "handler.pyc").write_text("")
    os.utime(folder / "handler.py", (0, 0))
    assert archive_digest(archive) == before
    (folder / "handler.py").chmod(0o755)
    assert archive_digest(archive) != before
    (folder / "handler.py").chmod(0o644)
    (folder / "handler.py").write_text("x = 2\n")
    assert archive_digest(archive) != before


def test_names_and_contents_cannot_be_shifted_into_each_other() -> None:
    assert digest({"ab": Entry(b"c")}) != digest({"a": Entry(b"bc")})


def test_what_cannot_be_read_is_named(tmp_path: Path) -> None:
    missing = tmp_path / "gone.py"
    with pytest.raises(LocalError, match=rf"^cannot read {missing}: No such file or directory$"):
        archive_entries(pulumi.AssetArchive({"gone.py": pulumi.FileAsset(str(missing))}))
    with pytest.raises(LocalError, match="RemoteArchive"):
        archive_entries(pulumi.RemoteArchive("http://127.0.0.1/x.zip"))
    (tmp_path / "no.zip").write_text("text")
    with pytest.raises(LocalError, match=r"no\.zip is neither a folder nor a zip file$"):
        archive_entries(pulumi.FileArchive(str(tmp_path / "no.zip")))
