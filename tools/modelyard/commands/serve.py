"""``modelyard serve``."""

from __future__ import annotations

import os
import re

import click
import msgspec

from modelyard.errors import UsageError
from modelyard.options import open_repository
from modelyard.secrets.interface import Secrets
from modelyard.serving.server import serve
from modelyard.terminal import say


@click.command()
@click.option("--env", "name", required=True, metavar="ENV", help="The environment whose models are served.")
@click.option("--port", type=click.IntRange(1, 65535), help="The port, instead of the one in modelyard.yaml.")
@click.option(
    "--otlp",
    metavar="URL",
    help="Send spans and metrics of inferences to this OpenTelemetry collector, such as http://127.0.0.1:4318.",
)
@click.pass_context
def command(context: click.Context, name: str, port: int | None, otlp: str | None) -> None:
    """Serve an environment's models over HTTP.

    The protocol is the Open Inference Protocol v2. The server applies what deploy changes without dropping a request,
    and logs every prediction to .modelyard/local/ENV/log/. Ends on Ctrl-C or SIGTERM after open requests are answered.
    """
    repository = open_repository(context)
    environment = repository.environment(name)
    if port is not None:
        environment = msgspec.structs.replace(environment, port=port)
    if otlp and not re.fullmatch(r"https?://[^\s@/]+(/\S*)?", otlp):
        raise UsageError(f"--otlp {otlp} is not the URL of a collector.", "Write it as http://HOST:4318.")
    serve(environment, repository.root, Secrets(os.environ), say, otlp or "")
