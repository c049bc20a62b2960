from __future__ import annotations

import pulumi
from pulumi.runtime import rpc

from local.plan import UNKNOWN
from local.pulumi_runtime import secret
from local.values import canonical, has_secret, plain


def test_whole_numbers_are_ints_again_and_others_stay() -> None:
    assert plain({"memory": 256.0, "ratio": 0.5, "on": True, "list": [1.0, secret(2.0)]}) == {
        "memory": 256,
        "ratio": 0.5,
        "on": True,
        "list": [1, 2],
    }
    assert isinstance(plain(256.0), int)


def test_a_canonical_value_never_holds_a_secret() -> None:
    text = str(canonical({"password": secret("hunter2"), "nested": [secret({"a": "hunter2"})]}))
    assert "hunter2" not in text
    assert canonical(secret("x")) == canonical(secret("x"))
    assert canonical(secret("x")) != canonical(secret("y"))
    assert canonical(secret("x")) != canonical("x")


def test_unknown_values_and_assets_are_marked() -> None:
    assert canonical(rpc.UNKNOWN) == UNKNOWN
    assert canonical(pulumi.StringAsset("a")) == canonical(pulumi.StringAsset("a"))
    assert canonical(pulumi.StringAsset("a")) != canonical(pulumi.StringAsset("b"))


def test_a_secret_is_found_wherever_it_is() -> None:
    assert has_secret({"a": [{"b": secret(1)}]})
    assert not has_secret({"a": [{"b": 1}]})
