"""A workflow definition from a file, as the JSON value that it is sent as."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import yaml

from cli.errors import BadInput
from cli.input import decoded, path_of, read_file, read_stdin
from orchestration import payload
from orchestration.errors import PayloadError
from orchestration.payload import Json

_STRING = "tag:yaml.org,2002:str"  # the one tag that says nothing new: `!!str 1` is '1'
YAML_SUFFIXES = (".yaml", ".yml")
MAX_DEPTH = payload.MAX_DEPTH + 3  # the params of a task may be as deep as a payload: workflow, tasks, task
MAX_BYTES = 4 * 1024 * 1024  # with room to spare in the 6 MiB of one Lambda request


def read(argument: str) -> Json:
    """Return the definition of the file, or of standard input for "-". Raises BadInput with one line."""
    if argument == "-":
        return parse(read_stdin(), name="", what="standard input")
    path = path_of(argument, argument)
    return parse(read_file(path, argument), name=path.name, what=argument)


def parse(raw: bytes, *, name: str, what: str) -> Json:
    text = decoded(raw, what)
    try:
        if Path(name).suffix.lower() in YAML_SUFFIXES:
            value = _parse_yaml(text, what)
        else:
            value = payload.parse(text, what=what)
        payload.dump(value, what=what, limit=MAX_BYTES, depth=MAX_DEPTH)
    except PayloadError as exc:
        raise BadInput(str(exc)) from None
    return value


def _parse_yaml(text: str, what: str) -> Json:
    try:
        return yaml.load(text, _JsonLoader)  # noqa: S506 - a safe loader that knows fewer types still
    except yaml.MarkedYAMLError as exc:
        mark = exc.problem_mark
        where = f"line {mark.line + 1}, column {mark.column + 1}: " if mark else ""
        raise BadInput(f"{what}: {where}{exc.problem or 'is not YAML'}") from None
    except yaml.YAMLError as exc:
        raise BadInput(f"{what}: is not YAML ({exc})") from None
    except RecursionError:
        raise BadInput(f"{what}: is nested too deeply") from None


class _JsonLoader(yaml.SafeLoader):
    """YAML with the types of JSON: a plain word is a string unless JSON has it as a literal."""

    yaml_implicit_resolvers: dict[str, list[tuple[str, re.Pattern[str]]]] = {}  # noqa: RUF012 - PyYAML's own attribute

    def compose_node(self, parent: Any, index: Any) -> Any:
        event = self.peek_event()  # type: ignore[no-untyped-call]
        anchor = getattr(event, "anchor", None)
        if anchor is not None:  # a few of them can stand for gigabytes
            raise yaml.MarkedYAMLError(problem="anchors and aliases are not accepted", problem_mark=event.start_mark)
        tag = getattr(event, "tag", None)
        if tag is not None and not (tag == _STRING and isinstance(event, yaml.ScalarEvent)):
            # It says what to make of a text that may be no such thing, and JSON has no more than its own types.
            shown = tag.replace("tag:yaml.org,2002:", "!!")
            raise yaml.MarkedYAMLError(problem=f"the tag {shown!r} is not accepted", problem_mark=event.start_mark)
        return super().compose_node(parent, index)

    def construct_number(self, node: yaml.ScalarNode) -> Json:
        try:
            return payload.parse(node.value, what="number")
        except PayloadError as exc:
            problem = str(exc).removeprefix("number: ")
            raise yaml.MarkedYAMLError(problem=problem, problem_mark=node.start_mark) from None

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Any, Any]:  # noqa: ARG002 - PyYAML passes it
        value: dict[str, Any] = {}
        for key_node, value_node in node.value:
            if not isinstance(key_node, yaml.ScalarNode):
                raise yaml.MarkedYAMLError(problem="a key must be a string", problem_mark=key_node.start_mark)
            key = key_node.value  # as it is written: an id is never guessed to be a number
            if key in value:
                raise yaml.MarkedYAMLError(problem=f"the key {key!r} is there twice", problem_mark=key_node.start_mark)
            value[key] = self.construct_object(value_node, deep=True)
        return value


for _tag, _pattern, _first in (
    ("bool", r"true|false", "tf"),
    ("null", r"null|~|", ["n", "~", ""]),
    ("int", r"-?(?:0|[1-9][0-9]*)", "-0123456789"),
    ("float", r"-?(?:0|[1-9][0-9]*)(?:\.[0-9]+)?(?:[eE][-+]?[0-9]+)?", "-0123456789"),
):
    _JsonLoader.add_implicit_resolver(f"tag:yaml.org,2002:{_tag}", re.compile(rf"(?:{_pattern})\Z"), list(_first))
for _tag in ("int", "float"):
    _JsonLoader.add_constructor(f"tag:yaml.org,2002:{_tag}", _JsonLoader.construct_number)
