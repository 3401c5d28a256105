"""``modelyard audit``."""

from __future__ import annotations

import click

from modelyard.commands.opening import open_checkout
from modelyard.delivery.guarding import check_registry, restore_tags
from modelyard.report.registry import render_faults
from modelyard.terminal import finish, result, result_json, say


@click.group()
def command() -> None:
    """Check and export what the registry can prove."""


@command.command()
@click.option("--restore", is_flag=True, help="First put deleted and moved tags back, here and on the remote.")
@click.option("--json", "as_json", is_flag=True, help="Print the faults as JSON.")
@click.pass_context
def check(context: click.Context, restore: bool, as_json: bool) -> None:
    """Compare tags with their filed copies, and evidence with its digests.

    Reports deleted, moved, hand-made, lightweight and foreign tags, rewritten and corrupt evidence. Ends with 1 when
    what the registry says may not be true.
    """
    _, git = open_checkout(context)
    if restore:
        for name in restore_tags(git):
            say(f"put back: {name}")
    found = check_registry(git)
    if as_json:
        result_json(found)
    else:
        result(render_faults(found))
    finish("fail" if any(fault.level == "error" for fault in found) else "pass")
