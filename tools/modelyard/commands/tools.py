"""``modelyard tools``."""

from __future__ import annotations

import click

from modelyard.terminal import result, say


@click.group()
def command() -> None:
    """Install monitoring tools in environments of their own."""


@command.command()
@click.argument("names", nargs=-1, required=True)
def install(names: tuple[str, ...]) -> None:
    """Make the environment of a tool with uv, once a user.

    Tools such as evidently have pins that exclude those of modelyard, so they are never installed beside it.
    """
    from modelyard.installation.environments import install_tool, is_installed
    from modelyard.production.exchange.interface import exchange_named

    adapters = [(name, exchange_named(name)) for name in names]
    for name, adapter in adapters:
        if not is_installed(name, adapter.requirements):
            say(f"Installing {', '.join(adapter.requirements)} …")
        result(f"{name}: {install_tool(name, adapter.requirements)}")
