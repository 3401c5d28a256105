"""What GitHub's answers mean, in a sentence and a remedy."""

from __future__ import annotations

import re
from typing import Any

from modelyard.errors import ModelyardError


class Unsure(ModelyardError):
    """The request may or may not have acted."""


def told_error(errors: Any, error: Any, what: str) -> ModelyardError:
    """The error for an exception of PyGithub; ``what`` was asked for."""
    said = str((error.data or {}).get("message", "") if isinstance(error.data, dict) else error.data or "")[:200]
    status = error.status
    if isinstance(error, errors.RateLimitExceededException):
        return ModelyardError(
            f"GitHub's rate limit is used up; {what} was not read or written.", "Run the job again in an hour."
        )
    if status == 401:
        return ModelyardError(f"GitHub does not accept the token for {what}.", "Set GITHUB_TOKEN to a valid token.")
    if status == 403:
        return ModelyardError(
            f"The token may not touch {what}: {said}.",
            "Grant the job that permission; a fork's own workflow has none, its report is posted by report.yml.",
        )
    if status == 404:
        return ModelyardError(f"GitHub knows nothing of {what}.", "Check the number, and that the token may read it.")
    if status in (409, 422):
        return ModelyardError(f"GitHub refuses {what}: {said}.", "Mend what it names, then run the job again.")
    return Unsure(f"GitHub answered {status} for {what}.", "It was tried again; run the job again later.")


def unreachable(error: OSError, what: str) -> ModelyardError:
    """The error for an answer that never came."""
    kept = re.search(r"too many (\d{3}) error responses", str(error))
    if kept and kept[1] in ("403", "429"):
        return ModelyardError(
            f"GitHub's rate limit is used up ({kept[1]}); {what} was not read or written.", "Run the job again later."
        )
    if kept:
        return Unsure(f"GitHub answered {kept[1]} for {what}.", "It was tried again; run the job again later.")
    return Unsure(
        f"GitHub did not answer ({type(error).__name__}).",
        "Check the network, and that the server's certificate is trusted; then run the job again.",
    )
