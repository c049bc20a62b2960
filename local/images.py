"""Container images without Docker: what a build would copy and install, and a name made from its content."""

from __future__ import annotations

import hashlib
import threading
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from local import archives, dockerfile
from local.archives import Entries, Entry
from local.errors import LocalError


@dataclass(frozen=True)
class BuildContext:
    """The content of an image: the files at the task root, and its recipe."""

    name: str
    recipe: dockerfile.Recipe
    files: Entries
    requirements: bytes
    digest: str


class Images:
    """The images of one run of the program, by the reference that functions use."""

    def __init__(self) -> None:
        self._by_reference: dict[str, BuildContext] = {}
        self._lock = threading.Lock()

    @staticmethod
    def read(inputs: Mapping[str, Any]) -> BuildContext:
        """Read the build context of a `docker-build` image. Raises LocalError if it cannot be run from its source."""
        location = (inputs.get("context") or {}).get("location") or "."
        folder = Path(location)
        settings = inputs.get("dockerfile") or {}
        if settings.get("inline"):
            name, text = "the inline Dockerfile", settings["inline"]
        else:
            path = Path(settings.get("location") or folder / "Dockerfile")
            name, text = str(path), archives.asset_text(path)
        recipe = dockerfile.parse(text, name)
        files = _copied(folder, recipe, name)
        requirements = b"\n".join(archives.read(folder / file) for file in recipe.requirements)
        content = files | {"Dockerfile": Entry(text.encode()), "requirements": Entry(requirements)}
        settings_text = repr([inputs.get("buildArgs"), inputs.get("platforms"), inputs.get("target")])
        digest = hashlib.sha256(f"{archives.digest(content)}{settings_text}".encode()).hexdigest()
        return BuildContext(name, recipe, files, requirements, digest)

    def add(self, context: BuildContext, inputs: Mapping[str, Any]) -> str:
        """Return the reference of the image, which names it by its content; functions find it by that."""
        tag = next(iter(inputs.get("tags") or []), "local/image")
        repository = tag.rpartition(":")[0] if ":" in tag.rpartition("/")[2] else tag
        reference = f"{repository}@sha256:{context.digest}"
        with self._lock:
            self._by_reference[reference] = context
        return reference

    def find(self, reference: str) -> BuildContext:
        with self._lock:
            context = self._by_reference.get(reference)
        if context is None:
            raise LocalError(
                f"image {reference} is not built by this program: the local target runs containers from their source, "
                "so it needs the `docker-build` image of the service"
            )
        return context


def _copied(folder: Path, recipe: dockerfile.Recipe, name: str) -> Entries:
    files: Entries = {}
    for copy in recipe.copies:
        for source in copy.sources:
            matches = sorted(folder.glob(source)) if any(sign in source for sign in "*?[") else [folder / source]
            if not matches or not matches[0].exists():
                raise LocalError(f"{name}: COPY finds no {source} in {folder}")
            for match in matches:
                files |= _place(match, copy.destination, single=len(matches) == len(copy.sources) == 1)
    return files


def _place(path: Path, destination: str, *, single: bool) -> Entries:
    into = "" if destination.rstrip("/") in {"", "."} else destination.removeprefix("./").rstrip("/") + "/"
    if path.is_dir():
        return archives.folder_entries(path, into)  # as COPY does: the folder's content, not the folder
    renamed = single and into and not destination.endswith("/")
    return {into.rstrip("/") if renamed else into + path.name: archives.file_entry(path)}
