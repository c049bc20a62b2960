"""What is made of locks and environments."""

from __future__ import annotations

import pytest

from cli.health import State, broken, fine, left_out, locked, packages

LOCK = """\
boto3==1.44.5 \\
    --hash=sha256:00 \\
    --hash=sha256:01
    # via orchestra (pyproject.toml)
colorama==0.4.6 ; sys_platform == 'win99' \\
    --hash=sha256:02
librt==0.16.0 ; sys_platform != 'win99' \\
    --hash=sha256:03
PyYAML==6.0 \\
    --hash=sha256:04
"""


def test_a_lock_has_the_packages_that_this_machine_gets() -> None:
    assert locked(LOCK) == {"boto3": "1.44.5", "librt": "0.16.0", "pyyaml": "6.0"}


@pytest.mark.parametrize(
    ("installed", "found"),
    [
        ({"boto3": "1.44.4", "librt": "0.16.0", "pyyaml": "6.0"}, "boto3 is 1.44.4, and some.txt says 1.44.5"),
        ({"boto3": "1.44.5", "librt": "0.16.0"}, "pyyaml is missing, and some.txt says 6.0"),
        ({}, "boto3 is missing, and some.txt says 1.44.5, and 2 more differ"),
    ],
)
def test_an_environment_that_differs_from_its_lock_is_broken(installed: dict[str, str], found: str) -> None:
    assert packages("packages", "some.txt", LOCK, installed, "make it") == broken("packages", found, "make it")


def test_what_an_environment_has_besides_and_how_a_version_is_written_do_not_matter() -> None:
    installed = {"boto3": "1.44.5", "librt": "0.16", "pyyaml": "6.0.0", "orchestra": "0.1.0"}
    assert packages("packages", "some.txt", LOCK, installed, "") == fine("packages", "all 3 packages of some.txt")


def test_what_is_broken_and_not_needed_is_left_out() -> None:
    fault = broken("Pulumi", "is not on the path", "install it")
    assert fault.unless(needed=True, why="only AWS needs it") == fault
    assert fault.unless(needed=False, why="only AWS needs it") == left_out(
        "Pulumi", "is not on the path; only AWS needs it"
    )
    assert fine("Pulumi", "v3").unless(needed=False, why="only AWS needs it") == fine("Pulumi", "v3")


def test_a_check_is_a_document() -> None:
    assert broken("uv", "is missing", "make setup").document() == {
        "name": "uv",
        "state": State.BROKEN,
        "found": "is missing",
        "mend": "make setup",
    }
