"""The body of a request: read within the limits of size and time, and unpacked."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, MutableMapping, Sequence
from typing import Any

from modelyard.manifests.configuration import Limits
from modelyard.serving.protocol import BadRequest, unpacked

Receive = Callable[[], Awaitable[MutableMapping[str, Any]]]


class Answer(Exception):
    """An early answer to a request: a status and a sentence."""

    def __init__(self, status: int, message: str) -> None:
        super().__init__(message)
        self.status = status
        self.message = message


async def read_body(receive: Receive, headers: Sequence[tuple[bytes, bytes]], limits: Limits) -> bytes:
    """The unpacked bytes; Answer 400, 408 or 413 for a body that is cut off, slow, too large or not in its encoding."""
    most = limits.body_bytes
    declared = next((value for name, value in headers if name == b"content-length"), b"0")
    if not declared.isdigit() or int(declared[:20]) > most:
        raise Answer(413, f"The body is larger than {most:,} bytes.")
    try:
        async with asyncio.timeout(limits.seconds):
            content = await _received(receive, most)
    except TimeoutError as error:
        raise Answer(408, f"The body did not arrive within {limits.seconds:g} s.") from error
    try:
        found = unpacked(headers, content, most)
    except BadRequest as error:
        raise Answer(400, str(error)) from error
    if len(found) > most:
        raise Answer(413, f"The unpacked body is larger than {most:,} bytes.")
    return found


async def _received(receive: Receive, most: int) -> bytes:
    parts = []
    size = 0
    while True:
        message = await receive()
        if message["type"] == "http.disconnect":
            raise Answer(400, "The caller closed the connection.")
        part = message.get("body", b"")
        size += len(part)
        if size > most:
            raise Answer(413, f"The body is larger than {most:,} bytes.")
        parts.append(part)
        if not message.get("more_body"):
            return b"".join(parts)
