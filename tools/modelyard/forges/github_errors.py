"""GitHub's errors as sentences with remedies."""

from __future__ import annotations

import re
from typing import Any

from modelyard.errors import ModelyardError
from modelyard.forges.interface import UnknownResult


def translated_error(errors: Any, error: Any, what: str) -> ModelyardError:
    """The error for an exception of PyGithub. ``what`` names the object of the request."""
    message = str((error.data or {}).get("message", "") if isinstance(error.data, dict) else error.data or "")[:200]
    status = error.status
    if isinstance(error, errors.RateLimitExceededException):
        return ModelyardError(
            f"GitHub's rate limit is used up; {what} was not read or written.", "Run the job again in an hour."
        )
    if status == 401:
        return ModelyardError(f"GitHub does not accept the token for {what}.", "Set GITHUB_TOKEN to a valid token.")
    if status == 403:
        return ModelyardError(
            f"The token has no permission for {what}: {message}.",
            "Grant the job that permission. A fork's workflow never has it; report.yml posts the report of a fork.",
        )
    if status == 404:
        return ModelyardError(
            f"GitHub does not find {what}.", "Check the number, and the read permission of the token."
        )
    if status in (409, 422):
        return ModelyardError(f"GitHub refuses {what}: {message}.", "Correct the cause, then run the job again.")
    return UnknownResult(f"GitHub answered {status} for {what}.", "All retries failed; run the job again later.")


def unreachable_error(error: OSError, what: str) -> ModelyardError:
    """The error for a request without an answer."""
    kept = re.search(r"too many (\d{3}) error responses", str(error))
    if kept and kept[1] in ("403", "429"):
        return ModelyardError(
            f"GitHub's rate limit is used up ({kept[1]}); {what} was not read or written.", "Run the job again later."
        )
    if kept:
        return UnknownResult(f"GitHub answered {kept[1]} for {what}.", "All retries failed; run the job again later.")
    return UnknownResult(
        f"GitHub did not answer ({type(error).__name__}).",
        "Check the network and the server's certificate, then run the job again.",
    )
