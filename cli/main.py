"""The `orchestra` command: this file puts the commands together, `commands/` has each topic."""

from __future__ import annotations

from importlib.metadata import version
from typing import Annotated

import typer
from typer.main import get_command

from cli.boundary import Boundary
from cli.commands import asl, catalog, compare, control, demo, dlq, doctor, inspect, metrics, run, verify
from cli.options import EXIT_CODES

app = typer.Typer(
    name="orchestra",
    cls=Boundary,
    no_args_is_help=True,
    rich_markup_mode="markdown",
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
    epilog=EXIT_CODES,
)


def _print_version(wanted: bool) -> None:
    if wanted:
        print(f"orchestra {version('orchestra')}")
        raise typer.Exit


@app.callback()
def orchestra(
    _version: Annotated[
        bool, typer.Option("--version", callback=_print_version, is_eager=True, help="Print the version.")
    ] = False,
) -> None:
    """Durable DAG workflows of AWS Lambda tasks, in your own account.

    Try it without an account: orchestra demo
    """


app.command("demo", epilog=EXIT_CODES)(demo.demo)
app.command("run", help=run.HELP, epilog=EXIT_CODES)(run.run)
app.command("status", epilog=EXIT_CODES)(inspect.status)
app.command("list", epilog=EXIT_CODES)(inspect.list_runs)
app.command("output", epilog=EXIT_CODES)(inspect.output)
app.command("cancel", epilog=control.CANCEL_EXIT_CODES)(control.cancel)
app.command("redrive", epilog=EXIT_CODES)(control.redrive)
app.command("verify", epilog=verify.VERIFY_EXIT_CODES)(verify.verify)
app.command("metrics", epilog=EXIT_CODES)(metrics.metrics)
app.command("workflows", epilog=EXIT_CODES)(catalog.workflows)
app.command("register", epilog=EXIT_CODES)(catalog.register)
app.command("asl", epilog=EXIT_CODES)(asl.asl)
app.command("compare", epilog=compare.COMPARE_EXIT_CODES)(compare.compare)
app.command("doctor", epilog=doctor.DOCTOR_EXIT_CODES)(doctor.doctor)
app.add_typer(dlq.app, name="dlq", help="Look after messages and stream records that could not be handled.")
# Only its name and help: the boundary imports cli.local when it is called.
app.add_typer(typer.Typer(), name="local", help="Run the whole system on this machine, without an AWS account.")


def main() -> None:
    get_command(app).main(prog_name="orchestra")
