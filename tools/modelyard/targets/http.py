"""JSON over HTTP, for adapters of servers with a REST interface."""

from __future__ import annotations

import base64
from pathlib import Path
from typing import Any

from modelyard.errors import ModelyardError, missing_extra

_SECONDS = 30
_PART = 1 << 20


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
            raise self._silent(error) from error
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

    def download(self, path: str, into: Path, most: int) -> None:
        """Writes a file of at most so many bytes; ModelyardError for a larger one. No redirect is followed."""
        try:
            with self._session.get(self._url + path, timeout=_SECONDS, allow_redirects=False, stream=True) as answer:
                if answer.status_code != 200:
                    raise ModelyardError(f"{self._what} answered {answer.status_code} to GET {path}.", "Read its log.")
                size = 0
                with into.open("wb") as file:
                    for part in answer.iter_content(_PART):
                        size += len(part)
                        if size > most:
                            raise ModelyardError(
                                f"{path} of {self._what} has more than {most:,} bytes.", "Take a smaller file."
                            )
                        file.write(part)
        except self._requests.RequestException as error:
            raise self._silent(error) from error

    def _silent(self, error: Exception) -> ModelyardError:
        return ModelyardError(
            f"{self._what} at {self._url} does not answer ({type(error).__name__}).",
            "Start it, or correct its url in modelyard.yaml.",
        )

    def reachable(self, path: str) -> bool | None:
        """Whether a path answers 200; None when the server does not answer."""
        try:
            return bool(self._session.get(self._url + path, timeout=_SECONDS).ok)
        except self._requests.RequestException:
            return None
