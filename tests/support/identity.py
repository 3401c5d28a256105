"""Doubles on loopback of who gives a job its OpenID token, and of AWS, which exchanges it for a role's keys."""

from __future__ import annotations

import base64
import http.server
import json
import threading
import urllib.parse
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

SUBJECT = "repo:acme/models:environment:production"
"""Whom the tokens are about."""


class Endpoint(http.server.BaseHTTPRequestHandler):
    """GitHub's token endpoint of one job: a token for whatever audience is asked for, each time another one."""

    asked: list[str]

    def do_GET(self) -> None:
        query = urllib.parse.parse_qs(urllib.parse.urlsplit(self.path).query)
        if self.headers["Authorization"] != "bearer request-token" or query["api-version"] != ["2.0"]:
            self.send_error(401)
            return
        self.asked.append(query["audience"][0])
        claims = json.dumps({"sub": SUBJECT, "aud": query["audience"][0], "jti": len(self.asked)}).encode()
        token = f"e30.{base64.urlsafe_b64encode(claims).decode().rstrip('=')}.c2ln"
        content = json.dumps({"count": 1, "value": token}).encode()
        self.send_response(200)
        self.end_headers()
        self.wfile.write(content)

    def log_message(self, *_arguments: object) -> None:
        """Nothing is printed."""


class Exchange(http.server.BaseHTTPRequestHandler):
    """AWS's token service: a role's keys for a token that its trust names."""

    asked: list[dict[str, str]]

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"])).decode()
        self.asked.append({name: values[0] for name, values in urllib.parse.parse_qs(body).items()})
        content = f"""<AssumeRoleWithWebIdentityResponse xmlns="https://sts.amazonaws.com/doc/2011-06-15/">
<AssumeRoleWithWebIdentityResult><Credentials><AccessKeyId>ASIA{len(self.asked)}</AccessKeyId>
<SecretAccessKey>secret</SecretAccessKey><SessionToken>session</SessionToken>
<Expiration>2999-01-01T00:00:00Z</Expiration></Credentials></AssumeRoleWithWebIdentityResult>
</AssumeRoleWithWebIdentityResponse>""".encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    def log_message(self, *_arguments: object) -> None:
        """Nothing is printed."""


@contextmanager
def token_endpoint() -> Iterator[tuple[str, list[str]]]:
    """The URL of GitHub's token endpoint, and the audiences that it was asked for."""
    asked: list[str] = []
    with _serving(Endpoint, asked) as url:
        yield url, asked


@contextmanager
def token_service() -> Iterator[tuple[str, list[dict[str, str]]]]:
    """The URL of AWS's token service, and what it was asked."""
    asked: list[dict[str, str]] = []
    with _serving(Exchange, asked) as url:
        yield url, asked


@contextmanager
def _serving(kind: type[http.server.BaseHTTPRequestHandler], asked: list[Any]) -> Iterator[str]:
    handler = type("Answering", (kind,), {"asked": asked})
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()
