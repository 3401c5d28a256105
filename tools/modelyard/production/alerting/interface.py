"""The interface of a channel, and the HTTP request that webhook and Alertmanager share."""

from __future__ import annotations

from typing import Any, Protocol

from modelyard.errors import ModelyardError, missing_extra
from modelyard.gate.alerts import Alert
from modelyard.metrics.window import Monitoring

_SECONDS = 20
_REMEDY = "Check its address; the next run notifies it again."


class Channel(Protocol):
    """One way to notify people. Repeating a notification changes nothing, or refreshes what the channel shows."""

    def notify(self, alerts: tuple[Alert, ...], monitoring: Monitoring) -> str:
        """Notifies the channel of a window's alerts.

        Returns what was done in a few words, '' for nothing; a ModelyardError when the channel failed.
        """


def post_json(url: str, body: Any, channel: str) -> None:
    """POSTs JSON; a ModelyardError for any answer but success.

    Errors name the ``channel`` and never the address, because the address of a webhook is a secret.
    """
    try:
        import requests
    except ImportError as error:
        raise missing_extra("alerts", "requests") from error
    try:
        answer = requests.post(url, json=body, timeout=_SECONDS, allow_redirects=False)
    except requests.RequestException as error:
        raise ModelyardError(f"{channel} does not answer ({type(error).__name__}).", _REMEDY) from None
    if not answer.ok or answer.is_redirect:
        said = answer.text[:200].strip() or "with an empty body"
        raise ModelyardError(f"{channel} answered {answer.status_code}: {said}.", _REMEDY)
