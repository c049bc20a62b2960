"""The container image of a service: built from its folder, pushed to a registry of its own, named by its digest."""

import pulumi
import pulumi_aws.ecr as ecr
import pulumi_docker_build as docker_build

from components.packaging import Service

KEPT_IMAGES = 10  # what one can roll back to

PLATFORMS = {"arm64": "linux/arm64", "x86_64": "linux/amd64"}


def make_image(
    name: str, *, parent: pulumi.Resource, folder: str, service: Service, architecture: str
) -> pulumi.Output[str]:
    """Return the URI of the image that the folder's Dockerfile describes.

    The tag is the content's hash, because the registry refuses to move a tag. The function refers to the digest, so
    that it changes when, and only when, the image does.
    """
    child = pulumi.ResourceOptions(parent=parent)
    repository = ecr.Repository(
        name.lower(),  # the registry allows no capitals
        image_tag_mutability="IMMUTABLE",
        image_scanning_configuration={"scan_on_push": True},
        force_delete=True,  # an image is built from source: there is nothing in it to lose
        opts=child,
    )
    ecr.LifecyclePolicy(name, repository=repository.name, policy=pulumi.Output.json_dumps(_keep_newest()), opts=child)
    login = ecr.get_authorization_token_output(registry_id=repository.registry_id)
    image = docker_build.Image(
        name,
        context={"location": folder},
        platforms=[docker_build.Platform(PLATFORMS[architecture])],
        push=True,
        tags=[pulumi.Output.concat(repository.repository_url, ":", architecture, "-", service.content_hash[:16])],
        registries=[
            {
                "address": repository.repository_url,
                "username": login.user_name,
                "password": pulumi.Output.secret(login.password),
            }
        ],
        opts=child,
    )
    return pulumi.Output.concat(repository.repository_url, "@", image.digest)


def _keep_newest() -> dict[str, object]:
    return {
        "rules": [
            {
                "rulePriority": 1,
                "description": f"keep the newest {KEPT_IMAGES} images",
                "selection": {
                    "tagStatus": "any",
                    "countType": "imageCountMoreThan",
                    "countNumber": KEPT_IMAGES,
                },
                "action": {"type": "expire"},
            }
        ]
    }
