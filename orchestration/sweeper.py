"""The Sweeper function: every minute it looks at the runs that are due, and does in them what got lost.

Where nothing was lost it finds nothing to do, and tells only how many runs are open, if any is. Two at the same time
are harmless, as is one that is cut off: what it did not get to is due the next minute too.
"""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass
from functools import cache

from aws_lambda_powertools.utilities.typing import LambdaContext

from orchestration import aws, metrics, telemetry
from orchestration.engine import Engine, Swept
from orchestration.payload import Json
from orchestration.settings import Settings
from orchestration.telemetry import logger, tracer

PARALLEL_RUNS = 8
SPARE_MS = 15_000
"""No run is begun with less time left than this: the slowest has to end before the function does."""


@dataclass(frozen=True)
class Summary:
    """How many runs were due, and what came of them."""

    checked: int
    repaired: int
    failed: int
    left: int  # for lack of time


@cache
def engine() -> Engine:
    """Return what this process works with, made once."""
    return aws.engine(Settings.read(os.environ))


@logger.inject_lambda_context(clear_state=True)
@tracer.capture_lambda_handler(capture_response=False)
def handler(_event: Json, context: LambdaContext) -> dict[str, int]:
    return asdict(sweep(engine(), lambda: context.get_remaining_time_in_millis() > SPARE_MS))


def sweep(engine: Engine, has_time: Callable[[], bool]) -> Summary:
    """Look at every run that is due, several at a time, as long as there is time."""
    # In another order each time: if many fail for good, and are due each time, no run is always behind them.
    due = sorted(engine.store.overdue(engine.clock.now()), key=lambda _: engine.chance.jitter())
    with ThreadPoolExecutor(PARALLEL_RUNS, thread_name_prefix="sweep") as pool:
        found = list(pool.map(lambda run_id: _sweep(engine, run_id) if has_time() else None, due))
    swept = [outcome for outcome in found if isinstance(outcome, Swept)]
    summary = Summary(
        checked=len(swept),
        repaired=sum(1 for outcome in swept if outcome.repairs),
        failed=sum(1 for outcome in found if isinstance(outcome, Exception)),
        left=sum(1 for outcome in found if outcome is None),
    )
    _tell(summary, Counter(str(repair) for outcome in swept for repair in outcome.repairs))
    _measure(engine)
    return summary


def _sweep(engine: Engine, run_id: str) -> Swept | Exception:
    """Look at one run. What is wrong with it is told, and is no other run's concern."""
    try:
        swept = engine.sweep(run_id)
    except Exception as error:  # noqa: BLE001 - it is told, and the other runs are looked at
        telemetry.failed("could not be swept; it is tried again the next minute", error, run_id=run_id)
        return error
    if swept.repairs:
        logger.warning("repaired", extra={"run_id": run_id, "repairs": [str(repair) for repair in swept.repairs]})
    if swept.ended and swept.run is not None:
        telemetry.run_ended(swept.run)
    return swept


def _measure(engine: Engine) -> None:
    """Tell how many runs are open, and for how long one of them is due that no sweep gets to or gets done with."""
    found = engine.store.open_runs()
    if found.count:
        telemetry.tell(metrics.OPEN_RUNS, found.count)
    if found.first_due_at is not None and (lag := engine.clock.now() - found.first_due_at) > 0:
        telemetry.tell(metrics.SWEEP_LAG, lag)


def _tell(summary: Summary, repairs: Counter[str]) -> None:
    for metric, value in {metrics.RUNS_SWEPT: summary.checked, metrics.SWEEP_FAILURES: summary.failed}.items():
        if value:
            telemetry.tell(metric, value)
    for kind, value in repairs.items():
        telemetry.tell(metrics.SWEEPER_REPAIRS, value, kind=kind)
    if summary.left:
        logger.warning("not all runs that are due could be looked at in time", extra=asdict(summary))
