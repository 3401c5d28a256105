"""What a channel is asked, and the one way it speaks HTTP."""

from __future__ import annotations

from typing import Any, Protocol

from modelyard.errors import ModelyardError, missing_extra
from modelyard.gate.alerts import Alert
from modelyard.metrics.window import Monitoring

_SECONDS = 20


class Channel(Protocol):
    """One way to tell people. Telling the same again changes nothing, or refreshes what stands there."""

    def notify(self, alerts: tuple[Alert, ...], monitoring: Monitoring) -> str:
        """What was done, in a few words; '' for nothing. A ModelyardError when it could not be."""


def post_json(url: str, body: Any, what: str) -> None:
    """POSTs JSON. Errors name ``what`` it was, never the address: that of a webhook is a secret."""
    try:
        import requests
    except ImportError as error:
        raise missing_extra("alerts", "requests") from error
    try:
        answer = requests.post(url, json=body, timeout=_SECONDS, allow_redirects=False)
    except requests.RequestException as error:
        raise ModelyardError(
            f"{what} does not answer ({type(error).__name__}).", "Check its address; the next run tells again."
        ) from None
    if not answer.ok or answer.is_redirect:
        raise ModelyardError(
            f"{what} answered {answer.status_code}: {answer.text[:200].strip() or 'nothing more'}.",
            "Check its address; the next run tells again.",
        )
