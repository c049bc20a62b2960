"""Pulumi assets and archives: what is in them, a hash of it, and a zip that is the same for the same contents."""

from __future__ import annotations

import hashlib
import io
import os
import zipfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import pulumi

from local.errors import LocalError

_SKIPPED_FOLDERS = frozenset({"__pycache__", ".git", ".venv", ".pytest_cache"})
_EPOCH = (1980, 1, 1, 0, 0, 0)  # the earliest time that a zip can hold


@dataclass(frozen=True)
class Entry:
    """A file of an archive."""

    data: bytes
    executable: bool = False


Entries = dict[str, Entry]


def asset_data(asset: pulumi.Asset) -> bytes:
    if isinstance(asset, pulumi.StringAsset):
        return asset.text.encode()
    if isinstance(asset, pulumi.FileAsset):
        return read(Path(asset.path))
    raise LocalError(f"the local target does not read assets of type {type(asset).__name__}: use a file or a string")


def archive_entries(archive: pulumi.Archive, prefix: str = "") -> Entries:
    if isinstance(archive, pulumi.AssetArchive):
        entries: Entries = {}
        for name, part in archive.assets.items():
            if isinstance(part, pulumi.Archive):
                entries |= archive_entries(part, prefix if name in {".", ""} else f"{prefix}{name}/")
            else:
                executable = isinstance(part, pulumi.FileAsset) and os.access(part.path, os.X_OK)
                entries[prefix + name] = Entry(asset_data(part), executable)
        return entries
    if isinstance(archive, pulumi.FileArchive):
        path = Path(archive.path)
        return folder_entries(path, prefix) if path.is_dir() else _zip_entries(path, prefix)
    raise LocalError(f"the local target does not read archives of type {type(archive).__name__}: use files or a folder")


def folder_entries(folder: Path, prefix: str) -> Entries:
    entries: Entries = {}
    for place, folders, files in os.walk(folder):
        folders[:] = [name for name in folders if name not in _SKIPPED_FOLDERS]
        for name in files:
            path = Path(place, name)
            entries[prefix + path.relative_to(folder).as_posix()] = file_entry(path)
    return entries


def _zip_entries(path: Path, prefix: str) -> Entries:
    try:
        with zipfile.ZipFile(io.BytesIO(read(path))) as archive:
            return {
                prefix + item.filename: Entry(archive.read(item), bool((item.external_attr >> 16) & 0o111))
                for item in archive.infolist()
                if not item.is_dir()
            }
    except zipfile.BadZipFile as error:
        raise LocalError(f"{path} is neither a folder nor a zip file") from error


def file_entry(path: Path) -> Entry:
    return Entry(read(path), os.access(path, os.X_OK))


def read(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise LocalError(f"cannot read {path}: {error.strerror}") from error


def asset_text(path: Path) -> str:
    return read(path).decode(errors="replace")


def digest(entries: Mapping[str, Entry]) -> str:
    """Return a hash of names, contents and executable bits; times and order do not count."""
    total = hashlib.sha256()
    for name, entry in sorted(entries.items()):
        total.update(f"{name}\0{entry.executable}\0{len(entry.data)}\0".encode())
        total.update(entry.data)
    return total.hexdigest()


def archive_digest(archive: pulumi.Archive) -> str:
    return digest(archive_entries(archive))


def asset_digest(asset: pulumi.Asset) -> str:
    return hashlib.sha256(asset_data(asset)).hexdigest()


def zip_bytes(entries: Mapping[str, Entry]) -> bytes:
    """Return a zip that is byte for byte the same for the same entries."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED, compresslevel=1) as archive:
        for name, entry in sorted(entries.items()):
            info = zipfile.ZipInfo(name, _EPOCH)
            info.compress_type = zipfile.ZIP_DEFLATED
            info.create_system = 3  # Unix, so that the mode counts
            info.external_attr = (0o755 if entry.executable else 0o644) << 16
            archive.writestr(info, entry.data)
    return buffer.getvalue()
