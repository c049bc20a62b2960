from __future__ import annotations

from local.state import Phase, Record, State

RECORD = Record(
    urn="urn:pulumi:local::p::a:b:C::n",
    type="a:b:C",
    name="n",
    id="id",
    inputs={"a": [1, {"b": None}]},
    outputs={"arn": "x"},
    dependencies=("urn:other",),
    parent="",
    protect=True,
    retain=False,
    region="us-east-1",
)


def test_a_state_survives_being_written() -> None:
    state = State({RECORD.urn: RECORD}, [RECORD], {"o": {"value": 1, "secret": False}}, Phase.DEPLOYING)
    assert State.from_json(state.to_json()) == state
