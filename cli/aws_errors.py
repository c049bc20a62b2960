"""AWS's errors, and those on the way to it, each as one line that says how to mend it. Pure."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from botocore import exceptions as aws

from cli.errors import CliError, NoDeployment, RemoteError

if TYPE_CHECKING:
    from cli.deployment import Target

_ACCESS = frozenset({"AccessDeniedException", "AccessDenied", "UnauthorizedOperation"})
_IDENTITY = frozenset(
    {
        "ExpiredToken",
        "ExpiredTokenException",
        "InvalidClientTokenId",
        "InvalidSignatureException",
        "IncompleteSignature",
        "MissingAuthenticationTokenException",
        "UnrecognizedClientException",
    }
)
_THROTTLES = frozenset({"TooManyRequestsException", "ThrottlingException", "Throttling", "EC2ThrottledException"})


def explain(exc: Exception, target: Target, needs: str = "") -> CliError:
    """Return the error that the user sees. `needs` is what the credentials need, if not to invoke the Orchestrator."""
    if isinstance(exc, aws.ClientError):
        return _of_answer(exc, target, needs or f"lambda:InvokeFunction on {target.orchestrator_arn}")
    for kinds, line in _ON_THE_WAY:
        if isinstance(exc, kinds):
            return line(_short(exc), target)
    return RemoteError(f"the request to {_where(target)} failed: {_short(exc)}")


def _no_credentials(_said: str, _target: Target) -> CliError:
    return NoDeployment(
        "no AWS credentials found; log in (aws sso login), or set AWS_PROFILE, or AWS_ACCESS_KEY_ID and "
        "AWS_SECRET_ACCESS_KEY"
    )


def _no_profile(said: str, _target: Target) -> CliError:
    return NoDeployment(f"{said}; check AWS_PROFILE and ~/.aws/config")


def _no_region(_said: str, _target: Target) -> CliError:
    return NoDeployment("no AWS region is known; give --region, or set AWS_DEFAULT_REGION")


def _stale_credentials(said: str, _target: Target) -> CliError:
    return NoDeployment(f"the AWS credentials cannot be used ({said}); log in again: aws sso login")


def _unreachable(said: str, target: Target) -> CliError:
    mend = "start the stack again: orchestra local up" if target.local else "check the network, region and endpoint"
    return RemoteError(f"{_where(target)} cannot be reached ({said}); {mend}", passing=True)


def _no_endpoint(said: str, _target: Target) -> CliError:
    return NoDeployment(f"{said}; check --region and AWS_ENDPOINT_URL")


_ON_THE_WAY: tuple[tuple[tuple[type[Exception], ...], Callable[[str, Target], CliError]], ...] = (
    ((aws.NoCredentialsError, aws.PartialCredentialsError), _no_credentials),
    ((aws.ProfileNotFound, aws.ConfigParseError), _no_profile),
    ((aws.NoRegionError,), _no_region),
    ((aws.SSOError, aws.TokenRetrievalError, aws.CredentialRetrievalError), _stale_credentials),
    ((aws.HTTPClientError, aws.ConnectionError), _unreachable),
    ((ValueError, aws.InvalidRegionError), _no_endpoint),
)


def _of_answer(exc: aws.ClientError, target: Target, needs: str) -> CliError:
    error = exc.response.get("Error", {})
    code = error.get("Code", "Unknown")
    said = error.get("Message") or code
    if code in _ACCESS:
        return RemoteError(f"AWS denied access: {said}; ask for {needs}")
    if code in _IDENTITY:
        return RemoteError(f"AWS does not accept these credentials ({said}); log in again, or check AWS_PROFILE")
    if code == "ResourceNotFoundException":
        mend = "orchestra local up" if target.local else "pulumi up, or check the ARN, the region and the account"
        return NoDeployment(f"there is no function {target.orchestrator_arn}; try: {mend}")
    if code in _THROTTLES:
        return RemoteError(
            f"AWS throttles the Orchestrator ({said}); try again later, or raise its concurrency", passing=True
        )
    status = exc.response.get("ResponseMetadata", {}).get("HTTPStatusCode", 0)
    return RemoteError(f"AWS answered {code}: {said}", passing=status >= 500)


def _where(target: Target) -> str:
    return target.endpoint_url or f"Lambda in {target.region or 'the default region'}"


def _short(exc: Exception) -> str:
    """Return the first line of an error; urllib3's hold the whole story."""
    return str(exc).splitlines()[0] if str(exc) else type(exc).__name__
