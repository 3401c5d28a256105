"""``modelyard serve``."""

from __future__ import annotations

import os

import click
import msgspec

from modelyard.options import open_repository
from modelyard.secrets.interface import Secrets
from modelyard.serving.server import serve
from modelyard.terminal import say


@click.command()
@click.option("--env", "name", required=True, metavar="ENV", help="The environment whose models are served.")
@click.option("--port", type=click.IntRange(1, 65535), help="The port, instead of the one in modelyard.yaml.")
@click.pass_context
def command(context: click.Context, name: str, port: int | None) -> None:
    """Serve an environment's models over HTTP.

    The protocol is the Open Inference Protocol v2. The server applies what deploy changes without dropping a request,
    and logs every prediction to .modelyard/local/ENV/log/. Ends on Ctrl-C or SIGTERM after open requests are answered.
    """
    repository = open_repository(context)
    environment = repository.environment(name)
    if port is not None:
        environment = msgspec.structs.replace(environment, port=port)
    serve(environment, repository.root, Secrets(os.environ), say)
