"""JSON over HTTP, for adapters of servers with a REST interface."""

from __future__ import annotations

import base64
from typing import Any

from modelyard.errors import ModelyardError, missing_extra

_SECONDS = 30


class Http:
    """One server. Errors name the path, never a header."""

    def __init__(self, url: str, what: str, token: str = "", extra: str = "mlserver") -> None:
        """``token`` goes as a bearer token, ``user:password`` as basic authentication (RFC 7617).

        ``extra`` names what installs the HTTP library.
        """
        try:
            import requests
        except ImportError as error:
            raise missing_extra(extra, "requests") from error
        self._requests = requests
        self._session = requests.Session()
        self._url, self._what = url.rstrip("/"), what
        if token:  # a bearer token has no colon (RFC 6750)
            basic = f"Basic {base64.b64encode(token.encode()).decode()}"
            self._session.headers["authorization"] = basic if ":" in token else f"Bearer {token}"

    def call(
        self, method: str, path: str, body: Any = None, *, missing: bool = False, content: bytes | None = None
    ) -> Any:
        """The decoded answer; None if it is empty and, with ``missing``, for 404."""
        try:
            answer = self._session.request(
                method, self._url + path, json=body, data=content, timeout=_SECONDS, allow_redirects=False
            )
        except self._requests.RequestException as error:
            raise ModelyardError(
                f"{self._what} at {self._url} does not answer ({type(error).__name__}).",
                "Start it, or correct its url in modelyard.yaml.",
            ) from error
        if missing and answer.status_code in (400, 404):
            return None
        if not answer.ok:
            said = answer.text[:300].strip()
            raise ModelyardError(
                f"{self._what} answered {answer.status_code} to {method} {path.partition('?')[0]}: {said}",
                "Read its log.",
            )
        kind = answer.headers.get("content-type", "")
        return answer.json() if answer.content and "json" in kind else answer.text or None

    def reachable(self, path: str) -> bool | None:
        """Whether a path answers 200; None when the server does not answer."""
        try:
            return bool(self._session.get(self._url + path, timeout=_SECONDS).ok)
        except self._requests.RequestException:
            return None
