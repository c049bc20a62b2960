"""What AWS takes for the units that a run is billed in: the one table of prices. Pure.

Prices are those of us-east-1, in USD, on demand, without any free tier and in the first volume tier, as of 2026-11-26.
In other regions they are up to a half higher (Step Functions in São Paulo). `source` is the page of AWS that says it;
`read` is where and when the number was last read, since some of these pages fill in their numbers only in a browser.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

REGION = "us-east-1"
AS_OF = "2026-11-26"
RUNS = 1_000_000
"""How many runs a price is quoted for."""


class Unit(StrEnum):
    """What is billed, as the comparison names it."""

    TRANSITIONS = "state transitions"
    WRITES = "table write units"
    READS = "table read units"
    STREAM = "stream records"
    QUEUE = "queue requests"
    REQUESTS = "Lambda requests"
    GB_S = "Lambda GB-seconds"
    LOGS = "log KB"


@dataclass(frozen=True)
class Price:
    usd: float
    """Of `per` units."""
    per: int
    what: str
    source: str
    read: str

    @property
    def of_one(self) -> float:
        return self.usd / self.per


PRICES: dict[Unit, Price] = {
    Unit.TRANSITIONS: Price(
        usd=0.025,
        per=1_000,
        what="Step Functions Standard: a state that is entered, and each retry of one",
        source="https://aws.amazon.com/step-functions/pricing/",
        read="the same page, 2026-11-26",
    ),
    Unit.WRITES: Price(
        usd=0.625,
        per=1_000_000,
        what="DynamoDB on demand: a write of up to 1 KB, also to an index",
        source="https://aws.amazon.com/dynamodb/pricing/on-demand/",
        read="https://airbyte.com/data-engineering-resources/dynamodb-pricing, 2026-11-26",
    ),
    Unit.READS: Price(
        usd=0.125,
        per=1_000_000,
        what="DynamoDB on demand: a strongly consistent read of up to 4 KB",
        source="https://aws.amazon.com/dynamodb/pricing/on-demand/",
        read="https://airbyte.com/data-engineering-resources/dynamodb-pricing, 2026-11-26",
    ),
    Unit.STREAM: Price(
        usd=0.0,
        per=1_000_000,
        what="DynamoDB Streams: what Lambda reads for a function is free",
        source="https://aws.amazon.com/dynamodb/pricing/on-demand/",
        read="docs.aws.amazon.com/amazondynamodb, CostOptimization_StreamsUsage, 2026-11-23",
    ),
    Unit.QUEUE: Price(
        usd=0.40,
        per=1_000_000,
        what="SQS standard queue: a request of up to 64 KB and ten messages",
        source="https://aws.amazon.com/sqs/pricing/",
        read="https://cloudburn.io/blog/amazon-sqs-pricing (March 2026), 2026-11-26",
    ),
    Unit.REQUESTS: Price(
        usd=0.20,
        per=1_000_000,
        what="Lambda: an invocation",
        source="https://aws.amazon.com/lambda/pricing/",
        read="https://cloudchipr.com/blog/aws-lambda-pricing, 2026-11-26",
    ),
    Unit.GB_S: Price(
        usd=13.3334,
        per=1_000_000,
        what="Lambda on arm64: a second with 1 GB of memory (x86_64: $16.6667)",
        source="https://aws.amazon.com/lambda/pricing/",
        read="https://cloudchipr.com/blog/aws-lambda-pricing, 2026-11-26",
    ),
    Unit.LOGS: Price(
        usd=0.50,
        per=1_000_000,
        what="CloudWatch Logs: a KB that is taken in",
        source="https://aws.amazon.com/cloudwatch/pricing/",
        read="https://hykell.com/knowledge-base/aws-cloudwatch-logs-pricing, 2026-11-26",
    ),
}
"""One price for each unit."""


def usd_per_million(unit: Unit, count: float) -> float:
    """Return what a million runs cost that are billed `count` of a unit each."""
    return count * RUNS * PRICES[unit].of_one
