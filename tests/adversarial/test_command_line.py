"""Arguments that want to do harm: whatever is typed, it is one line and a documented exit code."""

from __future__ import annotations

from hypothesis import example, given, settings
from hypothesis import strategies as st

from tests.adversarial.product import Product

# What a shell passes on: any text but NUL, also bytes that are no UTF-8, which Python shows as lone surrogates.
words = st.text(st.characters(exclude_characters="\0")) | st.binary(max_size=8).map(
    lambda raw: raw.replace(b"\0", b"").decode(errors="surrogateescape")
)


COMMANDS = [
    (), ("run",), ("run", "abc", "--no-wait", "--input"), ("run", "abc", "--no-wait", "--run-id"), ("status",),
    ("output", "r"), ("cancel",), ("redrive",), ("redrive", "r", "--from"), ("verify",), ("list", "--workflow"),
    ("list", "--status"), ("list", "--cursor"), ("list", "--limit"), ("register",), ("dlq", "show"), ("dlq", "redrive"),
    ("dlq", "drop", "--yes"), ("dlq", "drop"),
]  # fmt: skip


@settings(max_examples=40)  # each is a whole command
@given(st.sampled_from(COMMANDS), words)
@example(("register",), "~0")
@example(("run", "abc", "--no-wait", "--input"), "@~0")
@example(("run", "abc", "--no-wait", "--input"), "\udcff")
def test_any_argument_is_answered_or_refused_in_one_line(command: tuple[str, ...], word: str) -> None:
    product = Product()
    option = command[-1:] and command[-1].startswith("-")
    called = (
        product.orchestra(*command[:-1], f"{command[-1]}={word}") if option else product.orchestra(*command, "--", word)
    )
    assert called.exit_code in {0, 2}
    if called.exit_code == 2:
        assert called.stderr.startswith("error: ")
        assert len(called.stderr.splitlines()) == 1
        assert "--json" in word or called.stdout == ""
