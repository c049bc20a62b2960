"""Every way in which a command can end early, with its exit code. Each message is one line for a person."""

from __future__ import annotations

EXIT_OK = 0
EXIT_FAILED = 1
EXIT_USAGE = 2
EXIT_INTERRUPTED = 130  # what a shell reports for a program that SIGINT ended


class CliError(Exception):
    """The base. `code` is what a program matches on in `--json` output, the message is for the person who asked."""

    code = "Error"
    exit_code = EXIT_FAILED


class BadInput(CliError):
    """What the user gave cannot be used; nothing was sent."""

    code = "InvalidInput"
    exit_code = EXIT_USAGE


class NoDeployment(CliError):
    """There is no deployment to talk to, or it cannot be told which; nothing was sent."""

    code = "NoDeployment"
    exit_code = EXIT_USAGE


class Refused(CliError):
    """The Orchestrator read the request and refused it."""

    exit_code = EXIT_USAGE

    def __init__(self, code: str, message: str) -> None:
        super().__init__(message)
        self.code = code


class RemoteError(CliError):
    """The other side failed, or could not be reached. `passing` says that the same request may well succeed soon."""

    code = "RemoteError"

    def __init__(self, message: str, *, passing: bool = False) -> None:
        super().__init__(message)
        self.passing = passing


class Ended(CliError):
    """The run has ended already, otherwise than was asked for."""

    code = "Ended"


class Unwatched(CliError):
    """The run has begun, and nobody can tell how it goes on."""

    code = "Unwatched"


class LocalTarget(CliError):
    """The local target could not do what it was asked."""

    code = "LocalTarget"


class Interrupted(CliError):
    """The user pressed Ctrl-C."""

    code = "Interrupted"
    exit_code = EXIT_INTERRUPTED
