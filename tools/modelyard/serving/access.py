"""Who may do what with the server: a bearer token opens a role."""

from __future__ import annotations

import hmac
from collections.abc import Iterable, Sequence
from hashlib import sha256

from modelyard.manifests.configuration import Role

_MAY: dict[Role, frozenset[str]] = {
    "viewer": frozenset({"view"}),
    "caller": frozenset({"infer"}),
    "operator": frozenset({"view", "infer", "control"}),
}


class Access:
    """Tokens as digests; the tokens themselves are not kept."""

    def __init__(self, tokens: Iterable[tuple[Role, str]]) -> None:
        self._known = [(sha256(token.encode()).digest(), _MAY[role]) for role, token in tokens]

    @property
    def open(self) -> bool:
        """Whether nobody has to show a token, except for control, which then nobody has."""
        return not self._known

    def allows(self, headers: Sequence[tuple[bytes, bytes]], deed: str) -> bool | None:
        """Whether a request may view, infer or control; None when it shows no token that is known."""
        if not self._known:
            return deed != "control"
        shown = next((value for name, value in headers if name == b"authorization"), b"")
        if shown[:7].lower() != b"bearer ":
            return None
        digest = sha256(shown[7:].strip()).digest()
        found: bool | None = None
        for known, deeds in self._known:  # all of them, so that the time taken tells nothing
            if hmac.compare_digest(known, digest):
                found = bool(found) or deed in deeds
        return found
