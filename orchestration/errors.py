"""Every error of the engine, by what its caller should do about it."""

from __future__ import annotations


class OrchestraError(Exception):
    """The base of all; raise one of the kinds below."""


class Refused(OrchestraError):
    """A request that is answered with one line, before anything is written or invoked.

    `code` is what a program matches on; the message is for the person who asked.
    """

    code = "InvalidRequest"


class InvalidRequest(Refused):
    """The request is malformed, or breaks a limit; the same request can never succeed."""


class NotFound(Refused):
    """The run, task or workflow that the request names does not exist."""

    code = "NotFound"


class NoSuchRun(NotFound):
    """There is no run of this id, as far as the engine that was asked knows."""


class Conflict(Refused):
    """The name is taken by something else: a run id by another input, a workflow by a declared one."""

    code = "Conflict"


class WorkflowError(InvalidRequest, ValueError):
    """A workflow definition that breaks a rule. `field` is the path of what is wrong, e.g. `tasks.B1.after`."""

    def __init__(self, field: str, problem: str) -> None:
        super().__init__(f"{field}: {problem}")
        self.field = field
        self.problem = problem

    def within(self, outer: str) -> WorkflowError:
        """Return the same error, its field seen from one level further out."""
        return WorkflowError(f"{outer}.{self.field}", self.problem)


class PayloadError(InvalidRequest, ValueError):
    """A value that is not JSON as Orchestra accepts it."""


class PayloadTooLarge(PayloadError):
    """A value that is JSON, and larger than the limit."""


class Missing(OrchestraError):
    """What a task should be given is not in the table: somebody has deleted it."""


class IllegalTransition(OrchestraError):
    """A move that the transition table does not have: a bug in the engine, never a user's mistake."""


class Retryable(OrchestraError):
    """The work could not be done now; leave the message or record, so that it is delivered again."""
