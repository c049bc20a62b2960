"""OrchestrationTable: the one table that holds every run, and the stream that drives it."""

from typing import NotRequired, TypedDict

import pulumi
import pulumi_aws.dynamodb as dynamodb

# The types of all keys, of the table and of its indexes: DynamoDB takes no other attributes here.
KEYS = {"pk": "S", "sk": "S", "runs_pk": "S", "runs_sk": "S", "open_pk": "S", "check_at": "N"}


class OrchestrationTableArgs(TypedDict):
    protect: NotRequired[bool]
    """Whether the table outlives a `pulumi destroy`, and a deletion by hand, until this is taken back."""


class OrchestrationTable(pulumi.ComponentResource):
    """The table, on demand, with its stream, its indexes of runs, its expiry and its backups."""

    table_name: pulumi.Output[str]
    table_arn: pulumi.Output[str]
    stream_arn: pulumi.Output[str]

    def __init__(self, name: str, args: OrchestrationTableArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("orchestra:components:OrchestrationTable", name, None, opts)
        protect = args.get("protect", False)
        self.table = dynamodb.Table(
            name,
            billing_mode="PAY_PER_REQUEST",
            hash_key="pk",
            range_key="sk",
            attributes=[{"name": name, "type": kind} for name, kind in KEYS.items()],
            global_secondary_indexes=[
                _index("runs", "runs_pk", "runs_sk"),
                # Only a run that has not ended has these keys: the sweeper finds what is due, and reads nothing else.
                _index("open_runs", "open_pk", "check_at"),
            ],
            stream_enabled=True,
            stream_view_type="NEW_IMAGE",
            ttl={"enabled": True, "attribute_name": "expires_at"},
            point_in_time_recovery={"enabled": True},
            deletion_protection_enabled=protect,
            opts=pulumi.ResourceOptions(parent=self, protect=protect),
        )
        self.table_name = self.table.name
        self.table_arn = self.table.arn
        self.stream_arn = self.table.stream_arn
        self.register_outputs(
            {"table_name": self.table_name, "table_arn": self.table_arn, "stream_arn": self.stream_arn}
        )


def _index(name: str, hash_key: str, range_key: str) -> dynamodb.TableGlobalSecondaryIndexArgsDict:
    return {
        "name": name,
        "key_schemas": [
            {"attribute_name": hash_key, "key_type": "HASH"},
            {"attribute_name": range_key, "key_type": "RANGE"},
        ],
        "projection_type": "KEYS_ONLY",
    }
