"""TaskService: one service's folder as a Lambda function that does one kind of task."""

from typing import NotRequired, TypedDict

import pulumi

from components import packaging
from components.errors import ProgramError
from components.functions import ImageCode, ZipCode, make_function
from components.packaging import Kind
from components.service_image import make_image
from components.settings import FunctionDefaults

MEMORY_MB = 256
TIMEOUT_S = 60  # what a task has when its definition does not say


class TaskServiceArgs(TypedDict):
    folder: str
    """The service's folder. The manifest in it says how it runs: a Dockerfile, package.json or pyproject.toml."""

    defaults: FunctionDefaults

    memory_mb: NotRequired[int]

    timeout_s: NotRequired[int]
    """When Lambda ends an invocation. A task that is given longer than this never gets it."""

    image_uri: NotRequired[str | None]
    """For a container service: the image to run instead of one that is built from the folder."""


class TaskService(pulumi.ComponentResource):
    """One task function, its role and its log group; for a container service, also its registry and image."""

    function_name: pulumi.Output[str]
    function_arn: pulumi.Output[str]

    def __init__(self, name: str, args: TaskServiceArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("orchestra:components:TaskService", name, None, opts)
        parts = make_function(
            name,
            parent=self,
            defaults=args["defaults"],
            description=f"Orchestra: the task service in {args['folder']}",
            code=self._code(name, args),
            memory_mb=args.get("memory_mb", MEMORY_MB),
            timeout_s=args.get("timeout_s", TIMEOUT_S),
        )
        self.log_group, self.role, self.function = parts.log_group, parts.role, parts.function
        self.function_name = self.function.name
        self.function_arn = self.function.arn
        self.register_outputs({"function_name": self.function_name, "function_arn": self.function_arn})

    def _code(self, name: str, args: TaskServiceArgs) -> ZipCode | ImageCode:
        service = packaging.read_service(args["folder"])
        given = args.get("image_uri")
        if service.kind is Kind.CONTAINER:
            architecture = args["defaults"]["architecture"]
            uri = given or make_image(
                name, parent=self, folder=args["folder"], service=service, architecture=architecture
            )
            return ImageCode(uri=uri)
        if given is not None:
            raise ProgramError(f"{args['folder']}: has no Dockerfile, and only a container service takes an image")
        return ZipCode(archive=packaging.archive(service.files), handler=service.handler, runtime=service.kind.value)
