"""OrchestrationTable: the one table that holds every run, and the stream that drives it."""

from typing import NotRequired, TypedDict

import pulumi
import pulumi_aws.dynamodb as dynamodb


class OrchestrationTableArgs(TypedDict):
    protect: NotRequired[bool]
    """Whether the table outlives a `pulumi destroy`, and a deletion by hand, until this is taken back."""


class OrchestrationTable(pulumi.ComponentResource):
    """The table, on demand, with its stream, its index of runs, its expiry and its backups."""

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
            # Only what is a key is declared: DynamoDB refuses the rest.
            attributes=[{"name": key, "type": "S"} for key in ("pk", "sk", "runs_pk", "runs_sk")],
            global_secondary_indexes=[
                {
                    "name": "runs",
                    "key_schemas": [
                        {"attribute_name": "runs_pk", "key_type": "HASH"},
                        {"attribute_name": "runs_sk", "key_type": "RANGE"},
                    ],
                    "projection_type": "KEYS_ONLY",
                }
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
