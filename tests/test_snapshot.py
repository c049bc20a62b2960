"""The harness must fail for every program that would otherwise pass by accident."""

from __future__ import annotations

import pulumi
import pulumi_aws.iam as iam
import pulumi_aws.kinesis as kinesis
import pulumi_aws.sqs as sqs
import pytest
from pulumi_aws.get_partition import get_partition_output
from pulumi_aws.get_region import get_region_output

from tests.snapshot import Archived, Secret, snapshot


class Parent(pulumi.ComponentResource):
    def __init__(self, name: str) -> None:
        super().__init__("tests:index:Parent", name)
        child = pulumi.ResourceOptions(parent=self)
        self.first = sqs.Queue(f"{name}-first", opts=child)
        sqs.Queue(
            f"{name}-second",
            opts=pulumi.ResourceOptions(parent=self, depends_on=[self.first], protect=True),
        )
        self.register_outputs({"url": self.first.url})


class Unregistered(pulumi.ComponentResource):
    def __init__(self, name: str) -> None:
        super().__init__("tests:index:Unregistered", name)


def test_one_urn_twice_is_refused() -> None:
    def program() -> None:
        sqs.Queue("same")
        sqs.Queue("same")

    with pytest.raises(AssertionError, match=r"registered twice: urn:pulumi:test::orchestra::.*::same"):
        snapshot(program)


def test_one_name_under_two_parents_is_two_resources() -> None:
    def program() -> None:
        for name in ("left", "right"):
            sqs.Queue("same", opts=pulumi.ResourceOptions(parent=Unregistered(name)))

    # As in the engine: the parents' types are in the URN, and their names are not.
    with pytest.raises(AssertionError, match="registered twice"):
        snapshot(program)


def test_a_look_up_that_is_not_listed_is_refused() -> None:
    def program() -> None:
        pulumi.export("partition", get_partition_output().partition)

    with pytest.raises(AssertionError, match="the look-up aws:index/getPartition:getPartition"):
        snapshot(program)


def test_a_type_that_is_not_listed_is_refused() -> None:
    with pytest.raises(AssertionError, match="the resource type aws:kinesis/stream:Stream"):
        snapshot(lambda: kinesis.Stream("unlisted"))


def test_an_error_inside_apply_is_raised() -> None:
    def program() -> None:
        sqs.Queue("q").arn.apply(lambda _: 1 / 0)

    with pytest.raises(ZeroDivisionError):
        snapshot(program)


def test_an_error_in_the_program_is_raised_as_it_is() -> None:
    def program() -> None:
        sqs.Queue("q")
        raise LookupError("mine")

    with pytest.raises(LookupError, match="mine"):
        snapshot(program)


def test_an_output_formatted_into_an_input_is_refused() -> None:
    def program() -> None:
        queue = sqs.Queue("q")
        sqs.QueuePolicy("p", queue_url=queue.url, policy=f"for {queue.arn}")

    with pytest.raises(AssertionError, match=r"an Output formatted as a string: .*QueuePolicy::p"):
        snapshot(program)


def test_an_output_formatted_into_an_export_is_refused() -> None:
    def program() -> None:
        pulumi.export("broken", f"see {sqs.Queue('q').arn}")

    with pytest.raises(AssertionError, match="an Output formatted as a string: the exports"):
        snapshot(program)


def test_a_program_that_registers_nothing_is_refused() -> None:
    with pytest.raises(AssertionError, match="registered no resources"):
        snapshot(lambda: None)


def test_one_refuses_none_and_several() -> None:
    def program() -> None:
        sqs.Queue("q1")
        sqs.Queue("q2")

    snap = snapshot(program)
    assert snap.one("aws:sqs/queue:Queue", "q1").name == "q1"
    with pytest.raises(AssertionError, match=r"expected one aws:sqs/queue:Queue , found \['q1', 'q2'\]"):
        snap.one("aws:sqs/queue:Queue")
    with pytest.raises(AssertionError, match=r"expected one aws:sqs/queue:Queue q3, found \[\]"):
        snap.one("aws:sqs/queue:Queue", "q3")


def test_exports_and_settings_do_not_leak_into_the_next_run() -> None:
    def first() -> None:
        sqs.Queue("q")
        pulumi.export("setting", pulumi.Config().require("key"))

    def second() -> None:
        sqs.Queue("q")
        pulumi.export("setting", pulumi.Config().get("key") or "unset")

    assert snapshot(first, {"key": "set"}).exports == {"setting": "set"}
    assert snapshot(second).exports == {"setting": "unset"}


def test_a_run_that_fails_does_not_disturb_the_next() -> None:
    def failing() -> None:
        sqs.Queue("q").arn.apply(lambda _: 1 / 0)
        sqs.Queue("late").arn.apply(lambda arn: iam.Role(arn, assume_role_policy="{}"))

    with pytest.raises(ZeroDivisionError):
        snapshot(failing)
    assert [r.name for r in snapshot(lambda: sqs.Queue("only")).resources] == ["only"]


def test_parents_dependencies_protection_and_outputs_are_kept() -> None:
    snap = snapshot(lambda: Parent("p"))
    component = snap.one("tests:index:Parent")
    first = snap.one("aws:sqs/queue:Queue", "p-first")
    second = snap.one("aws:sqs/queue:Queue", "p-second")
    assert component.parent == snap.stack_urn
    assert component.outputs == {"url": "https://sqs.us-east-1.amazonaws.com/123456789012/p-first-1234567"}
    assert first.urn == "urn:pulumi:test::orchestra::tests:index:Parent$aws:sqs/queue:Queue::p-first"
    assert (first.parent, first.protect, first.dependencies) == (component.urn, False, frozenset())
    assert (second.parent, second.protect, second.dependencies) == (component.urn, True, frozenset({first.urn}))


def test_a_component_that_registers_no_outputs_shows() -> None:
    assert snapshot(lambda: Unregistered("u")).one("tests:index:Unregistered").outputs is None


def test_values_are_plain() -> None:
    def program() -> None:
        sqs.Queue("q", delay_seconds=3, policy=pulumi.Output.secret("hidden"))
        pulumi.export("region", get_region_output().region)
        pulumi.export(
            "archive",
            pulumi.AssetArchive({"a.py": pulumi.FileAsset("pyproject.toml"), "b.json": pulumi.StringAsset("[]")}),
        )

    snap = snapshot(program)
    queue = snap.one("aws:sqs/queue:Queue")
    assert queue.inputs == {"delaySeconds": 3, "policy": Secret("hidden")}
    assert isinstance(queue.inputs["delaySeconds"], int)
    assert snap.exports == {
        "region": "us-east-1",
        "archive": Archived(files={"a.py": "pyproject.toml"}, texts={"b.json": "[]"}),
    }
