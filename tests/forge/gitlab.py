"""The GitLab REST routes modelyard uses."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from forge.store import Refusal, Store

if TYPE_CHECKING:
    from forge.server import Request


def answer(store: Store, request: Request) -> tuple[int, Any]:
    raise Refusal(404, "404 Not Found")
