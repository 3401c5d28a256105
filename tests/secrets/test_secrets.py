"""References to secrets, read from real stores as far as they can be had; and that no value leaks anywhere."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import boto3
import pytest
from modelyard.errors import ModelyardError, UsageError
from modelyard.manifests.configuration import Environment
from modelyard.secrets.interface import Secrets
from moto import mock_aws
from msgspec import ValidationError, convert
from support.cluster import cluster
from support.server import request, serving
from support.yard import commit_all, git, tool

CANARY = "canary-5f1d9c-secret"


def test_a_variable() -> None:
    assert Secrets({"A": CANARY}).read("env:A") == CANARY
    with pytest.raises(ModelyardError, match="variable B is not set"):
        Secrets({"A": CANARY}).read("env:B")
    with pytest.raises(ModelyardError, match="is empty"):
        Secrets({"A": ""}).read("env:A")


@pytest.mark.parametrize("text", [CANARY, "env:", "env:A B", "file:/etc/passwd", "vault:x y", "env:A\n"])
def test_manifests_accept_only_references_to_secrets(text: str) -> None:
    with pytest.raises(ValidationError):
        convert({"name": "p", "tokens": [{"role": "caller", "token": text}]}, Environment)


def test_an_unknown_secret_store() -> None:
    with pytest.raises(ModelyardError, match="No installed secret store reads"):
        Secrets({}).read("gcp:a")


@pytest.fixture
def aws(monkeypatch: pytest.MonkeyPatch) -> Iterator[Secrets]:
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.setenv(name, "testing")
    with mock_aws():
        client = boto3.client("secretsmanager", "eu-west-1")
        client.create_secret(Name="models/token", SecretString=CANARY)
        client.create_secret(Name="models/all", SecretString=json.dumps({"token": CANARY, "count": 3}))
        yield Secrets({"AWS_REGION": "eu-west-1"})


def test_secrets_manager(aws: Secrets) -> None:
    assert aws.read("aws-sm:models/token") == CANARY and aws.read("aws-sm:models/all#token") == CANARY
    for place in ("models/all#other", "models/all#count", "models/token#token"):
        with pytest.raises(ModelyardError, match="no text under that key"):
            aws.read(f"aws-sm:{place}")
    with pytest.raises(ModelyardError, match="ResourceNotFoundException"):
        aws.read("aws-sm:nobody")


@pytest.fixture
def vault() -> Iterator[str]:
    """What of Vault's HTTP interface hvac uses: JWT login, and version 2 of its key-value store."""

    class Handler(BaseHTTPRequestHandler):
        def log_message(self, format: str, *args: Any) -> None:
            pass

        def do_POST(self) -> None:
            said = json.loads(self.rfile.read(int(self.headers["content-length"])))
            sound = self.path == "/v1/auth/ci/login" and said == {"role": "deploy", "jwt": "ci-token"}
            self._answer(
                200 if sound else 400, {"auth": {"client_token": "session"}} if sound else {"errors": [f"no {said}"]}
            )

        def do_GET(self) -> None:
            if self.headers["x-vault-token"] != "session":
                self._answer(403, {"errors": ["permission denied"]})
            elif self.path.partition("?")[0] == "/v1/kv/data/models/production":
                self._answer(200, {"data": {"data": {"token": CANARY}, "metadata": {"version": 1}}})
            else:
                self._answer(404, {"errors": []})

        def _answer(self, status: int, body: Any) -> None:
            content = json.dumps(body).encode()
            self.send_response(status)
            self.send_header("content-type", "application/json")
            self.send_header("content-length", str(len(content)))
            self.end_headers()
            self.wfile.write(content)

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
    thread.start()
    yield f"http://127.0.0.1:{server.server_address[1]}"
    server.shutdown()
    server.server_close()
    thread.join()


def test_vault_accepts_the_token_of_the_ci(vault: str) -> None:
    environ = {"VAULT_ADDR": vault, "VAULT_ROLE": "deploy", "VAULT_JWT": "ci-token", "VAULT_AUTH_PATH": "ci"}
    secrets = Secrets(environ)
    assert secrets.read("vault:kv/models/production#token") == CANARY
    for place, words in (("kv/models/other#token", "InvalidPath"), ("kv/models/production#other", "no text under")):
        with pytest.raises(ModelyardError, match=words):
            secrets.read(f"vault:{place}")
    with pytest.raises(ModelyardError, match="refused the login of the role deploy") as told:
        Secrets(environ | {"VAULT_JWT": CANARY}).read("vault:kv/models/production#token")
    assert CANARY not in str(told.value) and told.value.__cause__ is None, "what a server echoes is not repeated"
    for missing, words in (("VAULT_ADDR", "VAULT_ADDR is not set"), ("VAULT_JWT", "Neither VAULT_TOKEN nor VAULT_JWT")):
        with pytest.raises(UsageError, match=words):
            Secrets({k: v for k, v in environ.items() if k != missing}).read("vault:kv/models/production#token")
    with pytest.raises(UsageError, match="is not a valid reference"):
        secrets.read("vault:kv#token")


def test_a_secret_reaches_no_log_no_report_no_evidence_and_no_git_object(rival: Path) -> None:
    """Plants a canary in every place that takes a reference, lets things go right and wrong, and greps everything."""
    with cluster(CANARY) as (url, state):
        config = rival / "modelyard.yaml"
        lines = [
            '    tokens: [{role: operator, token: "env:CANARY"}]', '    log: {hash_key: "env:CANARY"}',
            "  - name: cluster", "    target: kserve",
            f"    settings: {{server: {url}, token: env:CANARY, storage: 'file://{rival.parent}/store', ready_seconds: 2}}",
            "secrets: {allow: [{ref: 'env:CANARY', host: 127.0.0.1}]}",
        ]  # fmt: skip
        config.write_text(config.read_text().rstrip("\n") + "\n" + "\n".join(lines) + "\n")
        (rival / "deployments/cluster").mkdir()
        (rival / "deployments/cluster/flight-delay.yaml").write_text("model: flight-delay\nversion: v1.1.0\n")
        commit_all(rival, "A cluster\n\nApproved-by: Grace Reviewer <grace@example.org>")
        said = []
        for arguments in (("deploy",), ("status", "--live"), ("validate",), ("rollback", "flight-delay", "--env", "cluster"),
                          ("history", "flight-delay"), ("site",), ("--debug", "status", "--live")):  # fmt: skip
            done = tool_all(rival, *arguments)
            said.append(done)
        state.fails, state.token = "Broken", "another"
        said += [tool_all(rival, "deploy", "--env", "cluster"), tool_all(rival, "status", "--live")]
        with serving(rival, "production", CANARY=CANARY) as server:
            assert server.call("POST", "/v2/models/flight-delay/infer", request())[0] == 401
        said.append(server.said())
    assert any("route all to v1.1.0" in text for text in said), "it was really used"
    assert not [text for text in said if CANARY in text]
    everything = git(rival, "rev-list", "--objects", "--all")
    objects = git(rival, "cat-file", "--batch-all-objects", "--batch-check=%(objectname)").split()
    assert len(objects) > 50 and everything
    for name in objects:
        assert CANARY not in git(rival, "cat-file", "-p", name)
    files = [path for path in rival.parent.rglob("*") if path.is_file() and ".git/objects" not in str(path)]
    assert not [path for path in files if CANARY.encode() in path.read_bytes()]


def tool_all(yard: Path, *arguments: str) -> str:
    done = tool(yard, *arguments, expect=None, CANARY=CANARY) if "--debug" not in arguments else None
    if done is None:
        import os
        import subprocess
        import sys

        from support.yard import IDENTITY

        done = subprocess.run(
            [sys.executable, "-m", "modelyard", *arguments], cwd=yard, env=os.environ | IDENTITY | {"CANARY": CANARY},
            capture_output=True, text=True, check=False,
        )  # fmt: skip
    return done.stdout + done.stderr
