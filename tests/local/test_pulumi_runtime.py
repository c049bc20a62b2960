"""The contract with Pulumi's SDK: what `local/pulumi_runtime.py` relies on, run against the SDK that is installed."""

from __future__ import annotations

import json
import logging
import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pulumi
import pytest
from pulumi_aws.get_region import get_region, get_region_output
from pulumi_aws.iam import Role, RolePolicy
from pulumi_aws.lambda_ import Function
from pulumi_aws.provider import Provider

from local.pulumi_runtime import Registered, Registration, Run, evaluate, is_secret, is_unknown, unwrap_secret

STACK = "urn:pulumi:local::sample::pulumi:pulumi:Stack::sample-local"


@dataclass
class Recorder:
    """Answers everything, and remembers what it was asked."""

    registered: dict[str, Registration] = field(default_factory=dict)
    outputs: dict[str, Any] = field(default_factory=dict)
    looked_up: list[tuple[str, dict[str, Any]]] = field(default_factory=list)
    computed: Mapping[str, Any] = field(default_factory=lambda: {"arn": "arn:made"})
    stopped: bool = False

    def register(self, wanted: Registration) -> Registered:
        self.registered[f"{wanted.type}::{wanted.name}"] = wanted
        return Registered(f"id-of-{wanted.name}", self.computed if wanted.custom else {})

    def look_up(self, token: str, arguments: dict[str, Any], _parent: str) -> Mapping[str, Any]:
        self.looked_up.append((token, arguments))
        return {"region": "us-east-1", "id": "us-east-1"}

    def read(self, type_: str, name: str, _parent: str) -> Registered:
        raise AssertionError(f"{type_} {name}")

    def export(self, outputs: dict[str, Any]) -> None:
        self.outputs = outputs

    def stop(self) -> None:
        self.stopped = True


def run(
    program: Callable[[], None],
    recorder: Recorder | None = None,
    *,
    dry_run: bool = False,
    config: Mapping[str, str] | None = None,
) -> Recorder:
    recorder = recorder or Recorder()
    log = logging.getLogger("test")
    evaluate(Run("sample", "local", Path.cwd(), config or {}, dry_run, log), recorder, program)
    return recorder


class Component(pulumi.ComponentResource):
    def __init__(self, name: str, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("sample:index:Component", name, None, opts)
        self.role = Role(f"{name}-role", assume_role_policy="{}", opts=pulumi.ResourceOptions(parent=self))
        self.register_outputs({"arn": self.role.arn})


def test_urns_are_those_of_pulumis_engine() -> None:
    recorder = run(lambda: pulumi.export("arn", Component("part").role.arn))
    component = recorder.registered["sample:index:Component::part"]
    role = recorder.registered["aws:iam/role:Role::part-role"]
    assert component.urn == "urn:pulumi:local::sample::sample:index:Component::part"
    assert component.parent == STACK
    assert role.urn == "urn:pulumi:local::sample::sample:index:Component$aws:iam/role:Role::part-role"
    assert role.parent == component.urn
    assert (component.custom, role.custom) == (False, True)
    assert recorder.outputs == {"arn": "arn:made"}


def test_a_registration_has_its_dependencies_and_options() -> None:
    def program() -> None:
        role = Role("role", assume_role_policy="{}")
        other = Role("other", assume_role_policy="{}")
        RolePolicy(
            "policy",
            role=role.id,
            policy="{}",
            opts=pulumi.ResourceOptions(
                depends_on=[other],
                protect=True,
                retain_on_delete=True,
                ignore_changes=["policy"],
                replace_on_changes=["role"],
                aliases=[pulumi.Alias(name="before")],
            ),
        )

    policy = run(program).registered["aws:iam/rolePolicy:RolePolicy::policy"]
    prefix = "urn:pulumi:local::sample::aws:iam/"
    assert policy.inputs == {"role": "id-of-role", "policy": "{}"}
    assert policy.dependencies == (f"{prefix}role:Role::other", f"{prefix}role:Role::role")
    assert (policy.protect, policy.retain) == (True, True)
    assert (policy.ignore_changes, policy.replace_on_changes) == (("policy",), ("role",))
    assert policy.aliases == (f"{prefix}rolePolicy:RolePolicy::before",)


def test_an_explicit_provider_is_named_by_its_urn_and_id() -> None:
    def program() -> None:
        west = Provider("west", region="us-west-2")
        Role("role", assume_role_policy="{}", opts=pulumi.ResourceOptions(provider=west))

    recorder = run(program)
    provider = recorder.registered["pulumi:providers:aws::west"]
    assert provider.inputs["region"] == "us-west-2"
    assert recorder.registered["aws:iam/role:Role::role"].provider == f"{provider.urn}::id-of-west"


def test_inputs_keep_secrets_marked_and_archives_alive() -> None:
    def program() -> None:
        Function(
            "function",
            role="r",
            memory_size=256,
            description=pulumi.Output.secret("hidden"),
            code=pulumi.AssetArchive({"a.py": pulumi.StringAsset("x")}),
        )

    inputs = run(program).registered["aws:lambda/function:Function::function"].inputs
    assert is_secret(inputs["description"])
    assert unwrap_secret(inputs["description"]) == "hidden"
    assert isinstance(inputs["code"], pulumi.AssetArchive)
    assert inputs["memorySize"] == 256


def test_what_is_left_out_is_unknown_in_a_dry_run() -> None:
    def program() -> None:
        role = Role("role", assume_role_policy="{}")
        RolePolicy("policy", role="r", policy=role.arn.apply(lambda arn: json.dumps({"Resource": arn})))
        pulumi.export("arn", role.arn)

    recorder = run(program, Recorder(computed={}), dry_run=True)
    assert is_unknown(recorder.registered["aws:iam/rolePolicy:RolePolicy::policy"].inputs["policy"])
    assert is_unknown(recorder.outputs["arn"])


def test_look_ups_are_answered_in_both_forms() -> None:
    def program() -> None:
        pulumi.export("both", [get_region().region, get_region_output().region])

    recorder = run(program)
    assert recorder.outputs == {"both": ["us-east-1", "us-east-1"]}
    assert [token for token, _ in recorder.looked_up] == ["aws:index/getRegion:getRegion"] * 2


def test_configuration_is_the_projects() -> None:
    def program() -> None:
        settings = pulumi.Config()
        pulumi.export("seen", {"name": settings.require("name"), "on": settings.require_bool("on")})

    assert run(program, config={"sample:name": "x", "sample:on": "true"}).outputs == {"seen": {"name": "x", "on": True}}


def test_secret_outputs_stay_marked() -> None:
    assert is_secret(run(lambda: pulumi.export("s", pulumi.Output.secret("x"))).outputs["s"])


def test_what_fails_comes_out_as_itself_and_stops_the_backend() -> None:
    for program in (
        lambda: 1 / 0,
        lambda: pulumi.export("x", Role("role", assume_role_policy="{}").arn.apply(lambda _: 1 / 0)),
    ):
        recorder = Recorder()
        with pytest.raises(ZeroDivisionError):
            run(program, recorder)  # type: ignore[arg-type]
        assert recorder.stopped


def test_registrations_that_are_under_way_have_ended_when_it_returns() -> None:
    started, release, ended = threading.Event(), threading.Event(), []

    class Slow(Recorder):
        def register(self, wanted: Registration) -> Registered:
            if wanted.name == "slow":
                started.set()
                release.wait(10)
                ended.append(wanted.name)
            if wanted.name == "bad":
                started.wait(10)
                threading.Timer(0.05, release.set).start()
                raise RuntimeError("bad")
            return super().register(wanted)

    def program() -> None:
        Role("slow", assume_role_policy="{}")
        Role("bad", assume_role_policy="{}")

    with pytest.raises(RuntimeError, match="bad"):
        run(program, Slow())
    assert ended == ["slow"]


def test_evaluations_do_not_see_each_other() -> None:
    run(lambda: pulumi.export("first", 1))
    assert run(lambda: pulumi.export("second", 2)).outputs == {"second": 2}
