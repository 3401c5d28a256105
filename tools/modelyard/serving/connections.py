"""Connections whose requests must begin in time: the head of a request has a limit of seconds and of bytes."""

from __future__ import annotations

from asyncio import TimerHandle
from typing import Any, ClassVar

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol


class HeadTooLarge(Exception):
    """The head of a request has too many bytes."""


class BoundedProtocol(HttpToolsProtocol):  # type: ignore[misc] # without stubs it is Any
    """uvicorn's protocol, which by itself waits for ever for the end of a request's head and keeps any size of it."""

    head_seconds: ClassVar[float] = 10.0
    head_bytes: ClassVar[int] = 64_000

    def connection_made(self, transport: Any) -> None:
        """Starts the clock: a connection that never sends a request is closed too."""
        super().connection_made(transport)
        self._timer: TimerHandle | None = None
        self._head = 0
        self._await_head()

    def connection_lost(self, exc: Exception | None) -> None:
        """Stops the clock."""
        self._stop()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        """Counts what arrives before the head is complete."""
        waits = self._timer is not None
        super().data_received(data)
        if waits and self._timer is not None:
            self._head += len(data)
            if self._head > self.head_bytes and not self.transport.is_closing():
                self._refuse(b"431 Request Header Fields Too Large")

    def on_message_begin(self) -> None:
        """Starts the clock of the next request on the same connection."""
        super().on_message_begin()
        self._fields = 0
        if self._timer is None:
            self._await_head()

    def on_url(self, url: bytes) -> None:
        """Counts a part of the address."""
        self._count(len(url))
        super().on_url(url)

    def on_header(self, name: bytes, value: bytes) -> None:
        """Counts a header."""
        self._count(len(name) + len(value))
        super().on_header(name, value)

    def on_headers_complete(self) -> None:
        """Stops the clock: the limits of bodies are the application's."""
        self._stop()
        super().on_headers_complete()

    def _count(self, size: int) -> None:
        self._fields += size
        if self._fields > self.head_bytes:
            raise HeadTooLarge  # httptools stops parsing, and the answer is 400

    def _await_head(self) -> None:
        self._head = 0
        self._timer = self.loop.call_later(self.head_seconds, self._refuse, b"408 Request Timeout")

    def _stop(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _refuse(self, status: bytes) -> None:
        self._stop()
        if not self.transport.is_closing():
            self.transport.write(b"HTTP/1.1 " + status + b"\r\nconnection: close\r\ncontent-length: 0\r\n\r\n")
            self.transport.close()
