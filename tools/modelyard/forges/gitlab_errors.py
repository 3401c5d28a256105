"""GitLab's errors as sentences with remedies."""

from __future__ import annotations

from typing import Any

from modelyard.errors import ModelyardError
from modelyard.forges.interface import UnknownResult


def translated_error(error: Any, what: str) -> ModelyardError:
    """The error for an exception of python-gitlab. ``what`` names the object of the request."""
    code, message = error.response_code, str(error.error_message)[:200]
    if code == 401:
        return ModelyardError(f"GitLab does not accept the token for {what}.", "Set MODELYARD_TOKEN to a valid token.")
    if code == 403:
        return ModelyardError(
            f"The token has no permission for {what}: {message}.", "It needs the role Developer and the scope api."
        )
    if code == 404:
        return ModelyardError(
            f"GitLab does not find {what}.", "Check the number, and the read permission of the token."
        )
    if code == 429:
        return ModelyardError(
            f"GitLab's rate limit is used up; {what} was not read or written.", "Run the job again later."
        )
    if code in (400, 409, 422):
        return ModelyardError(f"GitLab refuses {what}: {message}.", "Correct the cause, then run the job again.")
    return UnknownResult(f"GitLab answered {code} for {what}.", "Run the job again later.")


def unreachable_error(error: OSError) -> ModelyardError:
    """The error for a request without an answer."""
    return UnknownResult(
        f"GitLab did not answer ({type(error).__name__}).",
        "Check the network and the server's certificate, then run the job again.",
    )
