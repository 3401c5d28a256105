"""HTTPS on loopback: git's own smart protocol through ``git http-backend``, and REST routes over a Store."""

from __future__ import annotations

import base64
import json
import os
import re
import ssl
import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl, unquote, urlsplit

import trustme
from support.waiting import SECONDS

from forge import github, gitlab
from forge.store import Refusal, Store, Token

Answer = tuple[int, Any]
BACKEND = Path(
    subprocess.run(["git", "--exec-path"], capture_output=True, text=True, check=True).stdout.strip(),
    "git-http-backend",
)


@dataclass
class Request:
    """One call: who asks for what."""

    method: str
    path: str
    query: dict[str, str]
    body: dict[str, Any]
    user: str
    url: str
    """The server's root."""


@dataclass
class Fault:
    """The next ``times`` matching calls are answered so, or not for ``hang`` seconds."""

    method: str
    path: str
    code: int = 500
    times: int = 1
    hang: float = 0.0
    headers: dict[str, str] | None = None
    act: bool = False
    """Carries the call out before answering with the fault."""


class ForgeServer:
    """Runs a Store behind TLS in a thread."""

    def __init__(self, store: Store, folder: Path) -> None:
        self.store = store
        self.faults: list[Fault] = []
        self.calls: list[tuple[str, str]] = []
        authority = trustme.CA()
        self.ca = folder / "ca.pem"
        authority.cert_pem.write_to_path(str(self.ca))
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        authority.issue_cert("localhost", "127.0.0.1").configure_cert(context)
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), _handler(self))
        self._server.daemon_threads = True
        self._server.socket = context.wrap_socket(self._server.socket, server_side=True, do_handshake_on_connect=False)
        self.host = f"localhost:{self._server.server_address[1]}"
        self.url = f"https://{self.host}"
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.05,), daemon=True)

    def remote(self, name: str = "") -> str:
        return f"{self.url}/{name or self.store.name}.git"

    def start(self) -> None:
        self._thread.start()

    def stop(self) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()

    def fault(self, method: str, path: str) -> Fault | None:
        for fault in self.faults:
            if fault.times > 0 and fault.method == method and re.search(fault.path, path):
                fault.times -= 1
                return fault
        return None


@contextmanager
def running(store: Store, folder: Path) -> Iterator[ForgeServer]:
    """A server for the time of a test."""
    server = ForgeServer(store, folder)
    server.start()
    try:
        yield server
    finally:
        server.stop()


def _handler(server: ForgeServer) -> type[BaseHTTPRequestHandler]:
    store = server.store

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        timeout = SECONDS

        def log_message(self, format: str, *args: Any) -> None:
            """Quiet."""

        def _any(self) -> None:
            parts = urlsplit(self.path)
            body = self._read()
            server.calls.append((self.command, parts.path))
            fault = server.fault(self.command, parts.path)
            if fault and fault.hang:
                time.sleep(fault.hang)
            if fault and not fault.act:
                self._send(fault.code, {"message": "made to fail"}, fault.headers)
                return
            token = self._token()
            if ".git/" in parts.path:
                self._git(parts.path, parts.query, body, token)
                return
            try:
                code, value, more = self._rest(parts.path, dict(parse_qsl(parts.query)), body, token)
            except Refusal as refusal:
                code, value, more = refusal.code, {"message": refusal.message}, None
            if fault:
                self._send(fault.code, {"message": "made to fail"}, fault.headers)
            else:
                self._send(code, value, more)

        do_GET = do_POST = do_PUT = do_PATCH = do_DELETE = do_HEAD = _any

        def _rest(
            self, path: str, query: dict[str, str], body: bytes, token: Token | None
        ) -> tuple[int, Any, dict[str, str] | None]:
            if token is None:
                raise Refusal(401, "Bad credentials")
            value = json.loads(body) if body else {}
            request = Request(self.command, path, query, value, token.user, server.url)
            routes: Callable[[Store, Request], Answer]
            if path.startswith("/api/v3/"):
                routes, request.path = github.answer, path.removeprefix("/api/v3")
            elif path.startswith("/api/v4/"):
                routes, request.path = gitlab.answer, path.removeprefix("/api/v4")
            else:
                raise Refusal(404, "Not Found")
            needed = _needed(self.command, request.path)
            if needed and not any(token.may(what, level) for what, level in needed):
                raise Refusal(403, "Resource not accessible by integration")
            with store.lock:
                code, answer = routes(store, request)
            if isinstance(answer, list):
                return code, *_page(answer, query, f"{server.url}{path}")
            return code, answer, None

        def _token(self) -> Token | None:
            given = self.headers.get("Authorization", "") or self.headers.get("PRIVATE-TOKEN", "")
            kind, _, secret = given.partition(" ")
            if kind.lower() == "basic":
                secret = base64.b64decode(secret).decode().partition(":")[2]
            return store.tokens.get(secret or kind)

        def _git(self, path: str, query: str, body: bytes, token: Token | None) -> None:
            path = unquote(path)
            name = path.lstrip("/").split(".git/")[0]
            pushing = "git-receive-pack" in path + query
            if pushing and token is None:
                self.send_response(401)
                self.send_header("WWW-Authenticate", 'Basic realm="forge"')
                self.send_header("Content-Length", "0")
                self.end_headers()
                return
            own = token is not None and name.split("/")[0] == token.user
            allowed = token is not None and token.may("contents", "write") and (
                own or store.users[token.user].permission in ("write", "admin")
            )  # fmt: skip
            if pushing and not allowed:
                self._send(403, {"message": "Write access to repository not granted."})
                return
            environment = {
                "PATH": os.environ["PATH"], "GIT_PROJECT_ROOT": str(store.folder), "GIT_HTTP_EXPORT_ALL": "1",
                "PATH_INFO": path, "QUERY_STRING": query, "REQUEST_METHOD": self.command,
                "CONTENT_TYPE": self.headers.get("Content-Type", ""), "CONTENT_LENGTH": str(len(body)),
                "HTTP_CONTENT_ENCODING": self.headers.get("Content-Encoding", ""),
                "GIT_PROTOCOL": self.headers.get("Git-Protocol", ""), "REMOTE_USER": token.user if token else "",
                "REMOTE_ADDR": "127.0.0.1", "GIT_CONFIG_GLOBAL": os.devnull, "GIT_CONFIG_NOSYSTEM": "1",
                "HOME": str(store.folder),
            }  # fmt: skip
            done = subprocess.run([str(BACKEND)], input=body, env=environment, capture_output=True, check=False)
            head, _, content = done.stdout.partition(b"\r\n\r\n")
            headers = dict(line.split(": ", 1) for line in head.decode().split("\r\n") if ": " in line)
            code = int(headers.pop("Status", "200").split()[0])
            self.send_response(code)
            for key, value in headers.items():
                self.send_header(key, value)
            self.send_header("Content-Length", str(len(content)))
            self.end_headers()
            self.wfile.write(content)

        def _read(self) -> bytes:
            if self.headers.get("Transfer-Encoding", "").lower() == "chunked":
                chunks = []
                while size := int(self.rfile.readline().split(b";")[0], 16):
                    chunks.append(self.rfile.read(size))
                    self.rfile.readline()
                self.rfile.readline()
                return b"".join(chunks)
            return self.rfile.read(int(self.headers.get("Content-Length") or 0))

        def _send(self, code: int, value: Any, more: dict[str, str] | None = None) -> None:
            content = value if isinstance(value, bytes) else b"" if code == 204 else json.dumps(value).encode()
            self.send_response(code)
            self.send_header("Content-Type", "application/json; charset=utf-8")
            self.send_header("Content-Length", str(len(content)))
            for key, text in (more or {}).items():
                self.send_header(key, text)
            self.end_headers()
            if self.command != "HEAD":
                self.wfile.write(content)

    return Handler


# Which of a workflow's permissions a call takes (docs.github.com/rest/authentication/permissions-required-for-github-apps).
_PERMISSIONS: list[tuple[str, tuple[str, ...]]] = [
    (r"/issues/(comments/\d+|\d+/comments|comments/\d+/reactions|\d+)", ("issues", "pull-requests")),
    (r"/issues$", ("issues",)),
    (r"/pulls|/commits/[^/]+/pulls", ("pull-requests",)),
    (r"/statuses", ("statuses",)),
    (r"/actions/", ("actions",)),
    (r"/commits/", ("contents",)),
]


def _needed(method: str, path: str) -> list[tuple[str, str]]:
    level = "read" if method in ("GET", "HEAD") else "write"
    for pattern, permissions in _PERMISSIONS:
        if re.search(pattern, path):
            return [(permission, level) for permission in permissions]
    return []


def _page(values: list[Any], query: dict[str, str], url: str) -> tuple[list[Any], dict[str, str]]:
    size, page = min(int(query.get("per_page", 30)), 100), int(query.get("page", 1))
    last = max(1, -(-len(values) // size))
    links = []
    for name, number in (("next", page + 1), ("last", last)):
        if page < last:
            rest = "&".join(f"{k}={v}" for k, v in query.items() if k != "page")
            links.append(f'<{url}?{rest}&page={number}>; rel="{name}"')
    headers = {"Link": ", ".join(links)} if links else {}
    headers |= {"X-Page": str(page), "X-Per-Page": str(size), "X-Total": str(len(values)), "X-Total-Pages": str(last),
                "X-Next-Page": str(page + 1) if page < last else ""}  # fmt: skip
    return values[(page - 1) * size : page * size], headers
