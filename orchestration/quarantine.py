"""What no other try can mend is set aside at once: it would hold up a stream, or go round in a queue, for nothing."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager

from orchestration import failures, metrics, telemetry
from orchestration.metrics import Metric


@contextmanager
def quarantine(put: Callable[[str], None], *, metric: Metric) -> Iterator[None]:
    """Do the work of one message or record.

    An error that another try can mend is raised again, so that it is delivered again. With any other, `put` sets it
    aside, given the reason, and it counts as done; if it cannot be set aside, it has to be delivered again too.
    """
    try:
        yield
    except Exception as error:
        if failures.is_mendable(error):
            telemetry.failed("failed; it will be delivered again", error)
            raise
        try:
            put(failures.reason(error))
        except Exception as lost:
            telemetry.failed("cannot be handled, and cannot be set aside; it will be delivered again", error)
            telemetry.failed("the quarantine failed", lost)
            telemetry.tell(metrics.QUARANTINE_FAILURES)
            raise lost from None  # its context would tell the text of the other
        telemetry.failed("cannot be handled, and has been set aside", error)
        telemetry.tell(metric)
