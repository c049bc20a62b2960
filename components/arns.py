"""ARNs of what is not there yet, or of many at once, from the ARN of something that is. Pure."""


def beside(arn: str, service: str, resource: str) -> str:
    """Return the ARN of a resource in the partition, the region and the account of another."""
    _, partition, _, region, account, *_ = arn.split(":")
    return f"arn:{partition}:{service}:{region}:{account}:{resource}"


def executions(machine_arn: str) -> str:
    """Return the pattern of the executions of a state machine, whose own ARN may be a pattern.

    Source: the Service Authorization Reference, "Resource types defined by AWS Step Functions" (2026).
    """
    name = machine_arn.split(":", 6)[6]
    return beside(machine_arn, "states", f"execution:{name}:*")
