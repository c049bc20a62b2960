from __future__ import annotations

from pathlib import Path

import pytest

from local.dockerfile import Copy, Recipe, parse
from local.errors import LocalError

ROOT = Path(__file__).parents[2]
BASE = "FROM public.ecr.aws/lambda/python:3.13\n"


def test_the_container_service_of_this_project_is_understood() -> None:
    recipe = parse((ROOT / "services" / "b3" / "Dockerfile").read_text(), "Dockerfile")
    assert recipe == Recipe(
        copies=(Copy(("requirements.txt",), "./"), Copy(("handler.py",), "./")),
        requirements=("requirements.txt",),
        environment=(),
        handler="handler.handler",
    )


def test_what_people_write_is_understood() -> None:
    text = (
        BASE + "ARG X=1\nENV A=1 B='two words'\nENV C three\nWORKDIR /var/task\n# a comment\n"
        'COPY --chown=1 src/ ${LAMBDA_TASK_ROOT}/src/\nCOPY ["a b.py", "."]\n'
        "RUN pip install \\\n  # why\n  --requirement=req/prod.txt\n"
        'CMD [ "src.app.handler" ]\n'
    )
    assert parse(text, "Dockerfile") == Recipe(
        copies=(Copy(("src/",), "src/"), Copy(("a b.py",), ".")),
        requirements=("req/prod.txt",),
        environment=(("A", "1"), ("B", "two words"), ("C", "three")),
        handler="src.app.handler",
    )


@pytest.mark.parametrize(
    ("lines", "said"),
    [
        ("FROM alpine\n", "line 1: the local target runs images that are FROM an AWS Lambda Python image, not alpine"),
        (BASE + "RUN dnf install -y gcc\n", "line 2: .* cannot do `RUN dnf install -y gcc`"),
        (BASE + "RUN pip install requests\n", "line 2: .* cannot do `RUN pip install requests`"),
        (BASE + "COPY --from=build /x .\n", "line 2: .* cannot do `COPY --from=build /x .`"),
        (BASE + "COPY x /etc/x\n", "line 2: the local target copies to /var/task .* not to /etc/x"),
        (BASE + 'ENTRYPOINT ["x"]\n', "line 2: .* cannot do `ENTRYPOINT"),
        (BASE + "CMD handler.handler\n", "line 2: CMD must be a list with the handler"),
        (BASE, "there is no CMD with the handler"),
    ],
)
def test_what_cannot_run_from_source_is_refused_with_its_line(lines: str, said: str) -> None:
    with pytest.raises(LocalError, match=f"^Dockerfile(, |: ){said}"):
        parse(lines, "Dockerfile")
