"""Container registries, and images as `docker-build` makes them; here one is recorded and runs from its source."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Any

from local.handlers.base import Handler, Inputs, Outputs, Scope, tag_list
from local.images import Images
from local.pulumi_runtime import Registered


class Repository(Handler):
    type = "aws:ecr/repository:Repository"
    name_limit = 256

    def physical_name(self, generated: str, inputs: Inputs) -> str:  # noqa: ARG002
        return generated.lower()

    def create(self, scope: Scope, inputs: Inputs) -> Registered:
        repository = scope.aws.client("ecr").create_repository(
            repositoryName=inputs["name"],
            imageTagMutability=inputs.get("imageTagMutability") or "MUTABLE",
            imageScanningConfiguration={
                "scanOnPush": bool((inputs.get("imageScanningConfiguration") or {}).get("scanOnPush"))
            },
            **{name.lower(): tags for name, tags in tag_list(inputs).items()},
        )["repository"]
        return Registered(
            inputs["name"],
            {
                "arn": repository["repositoryArn"],
                "name": inputs["name"],
                "registryId": repository["registryId"],
                "repositoryUrl": repository["repositoryUri"],
            },
        )

    def update(self, scope: Scope, current: Registered, inputs: Inputs, changed: Collection[str]) -> Outputs:
        if "imageTagMutability" in changed:
            scope.aws.client("ecr").put_image_tag_mutability(
                repositoryName=current.id, imageTagMutability=inputs.get("imageTagMutability") or "MUTABLE"
            )
        return dict(current.outputs)

    def delete(self, scope: Scope, current: Registered) -> None:
        scope.aws.client("ecr").delete_repository(repositoryName=current.id, force=True)


class LifecyclePolicy(Handler):
    type = "aws:ecr/lifecyclePolicy:LifecyclePolicy"
    name_property = None
    replacing = ("repository",)

    def create(self, scope: Scope, inputs: Inputs) -> Registered:
        scope.aws.client("ecr").put_lifecycle_policy(
            repositoryName=inputs["repository"], lifecyclePolicyText=inputs["policy"]
        )
        return Registered(inputs["repository"], {"registryId": scope.aws.account})

    def update(self, scope: Scope, current: Registered, inputs: Inputs, changed: Collection[str]) -> Outputs:  # noqa: ARG002
        return dict(self.create(scope, inputs).outputs)

    def delete(self, scope: Scope, current: Registered) -> None:
        scope.aws.client("ecr").delete_lifecycle_policy(repositoryName=current.id)


class BuiltImage(Handler):
    type = "docker-build:index:Image"
    name_property = None
    replacing = ()

    def fingerprint(self, images: Images, inputs: Inputs) -> Mapping[str, Any]:  # noqa: ARG002
        return {"contextHash": Images.read(inputs).digest}

    def create(self, scope: Scope, inputs: Inputs) -> Registered:
        reference = scope.images.add(Images.read(inputs), inputs)
        digest = reference.rpartition("@")[2]
        return Registered(
            reference, {"ref": reference, "digest": digest, "contextHash": digest.removeprefix("sha256:")}
        )

    def keep(self, scope: Scope, current: Registered, inputs: Inputs) -> None:  # noqa: ARG002
        """Let functions that are made in this run find the image."""
        scope.images.add(Images.read(inputs), inputs)

    def update(self, scope: Scope, current: Registered, inputs: Inputs, changed: Collection[str]) -> Outputs:  # noqa: ARG002
        return dict(self.create(scope, inputs).outputs)

    def delete(self, scope: Scope, current: Registered) -> None:
        """Nothing was built, so there is nothing to delete."""
