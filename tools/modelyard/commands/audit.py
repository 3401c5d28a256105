"""``modelyard audit``."""

from __future__ import annotations

from pathlib import Path

import click

from modelyard.audit.attribution import attribute
from modelyard.audit.export import export as write_bundle
from modelyard.audit.export import heads
from modelyard.audit.mirror.writing import mirror_faults
from modelyard.checkout.guard import check_registry, restore_tags
from modelyard.options import open_checkout, window_of
from modelyard.report.terminal.registry import render_attribution, render_faults
from modelyard.secrets.permission import open_secrets
from modelyard.terminal import finish, result, result_json, say


@click.group()
def command() -> None:
    """Check and export what the registry can prove."""


@command.command()
@click.option("--restore", is_flag=True, help="First restore deleted and moved tags, here and on the remote.")
@click.option("--json", "as_json", is_flag=True, help="Print the faults as JSON.")
@click.pass_context
def check(context: click.Context, restore: bool, as_json: bool) -> None:
    """Compare tags and evidence with what was filed and mirrored.

    Reports deleted, moved, handmade, lightweight and foreign tags, and rewritten or corrupt evidence. Exits with 1 for
    a fault that may make the registry wrong.
    """
    checkout = open_checkout(context)
    if restore:
        for name in restore_tags(checkout):
            say(f"restored: {name}")
    found = (*check_registry(checkout), *mirror_faults(checkout))
    if as_json:
        result_json(found)
    else:
        result(render_faults(found))
    finish("fail" if any(fault.level == "error" for fault in found) else "pass")


@command.command()
@click.option("--out", type=click.Path(path_type=Path, dir_okay=False), default=Path("build/audit.zip"),
              show_default=True, help="The bundle; verify.pyz is written beside it.")  # fmt: skip
@click.option(
    "--env", "environment", metavar="ENV", help="The environment whose versions are audited; default: the last one."
)
@click.option("--anchor", type=click.Path(path_type=Path, exists=True, dir_okay=False),
              help="The output of an earlier audit anchor, to prove that nothing changed since.")  # fmt: skip
@click.pass_context
def export(context: click.Context, out: Path, environment: str | None, anchor: Path | None) -> None:
    """Write one file for an auditor, and its verifier.

    python build/verify.pyz build/audit.zip prints PASS or FAIL for each claim. It needs only the standard library.
    """
    checkout = open_checkout(context)
    repository = checkout.repository
    chosen = environment or repository.config.environments[-1].name
    count = write_bundle(checkout, out, repository.environment(chosen).name, anchor)
    result(str(out))
    say(f"  {count} git objects. Verify with: python {out.with_name('verify.pyz')} {out}")


@command.command()
@click.pass_context
def anchor(context: click.Context) -> None:
    """Print an anchor: the heads, to keep elsewhere.

    Save the output outside of the repository, with its date. Give it to audit export or to the verifier later.
    """
    checkout = open_checkout(context)
    result_json(heads(checkout))


@command.command("restore")
@click.argument("url", metavar="URL")
@click.argument("folder", metavar="FOLDER", type=click.Path(path_type=Path))
@click.option("--endpoint", default="", metavar="URL", help="The server's URL, where it is not AWS.")
@click.option("--region", default="", metavar="REGION", help="The bucket's region; default: AWS_REGION.")
@click.option("--until", default="", metavar="RECORD", help="The newest record to use; default: all of them.")
@click.option("--anchor", type=click.Path(path_type=Path, exists=True, dir_okay=False),
              help="The output of an earlier audit anchor: what it names must be there.")  # fmt: skip
def restore_mirror(url: str, folder: Path, endpoint: str, region: str, until: str, anchor: Path | None) -> None:
    """Rebuild a lost repository from its mirror.

    URL is mirror.url of its modelyard.yaml. Credentials are those that AWS's own tools find, such as AWS_ACCESS_KEY_ID.
    Every digest is checked. Where the mirror has two histories of a branch, you choose with --until.
    """
    from modelyard.audit.mirror.bucket import Bucket
    from modelyard.audit.mirror.restoring import restore

    done = restore(Bucket(url, endpoint, region), folder, until, anchor.read_bytes() if anchor else None, say)
    result(str(folder))
    say(f"  {len(done.refs)} branches and journals, {len(done.tags)} tags, of {done.records} records.")
    for ref in done.kept:
        say(f"  Another history is kept as {ref}.")
    if done.left_out:
        say(f"  {len(done.left_out)} records were left out, of which the first is {done.left_out[0]}.")
    say(f"  Next, in {folder}: modelyard audit check; then dvc pull, after you read .dvc/config.")


@command.command()
@click.argument("wanted", metavar="ID")
@click.option("--model", metavar="MODEL", help="Only this model; default: all models.")
@click.option(
    "--env", "environment", metavar="ENV", help="Only the log of this environment; default: all environments."
)
@click.option(
    "--window", default="400d", show_default=True, metavar="LENGTH", help="The length of the searched window."
)
@click.option("--until", metavar="TIME", help="The end of the window, such as 2026-05-03T14:00 (UTC); default: now.")
@click.option("--json", "as_json", is_flag=True, help="Print the predictions as JSON.")
@click.pass_context
def prediction(
    context: click.Context,
    wanted: str,
    model: str | None,
    environment: str | None,
    window: str,
    until: str | None,
    as_json: bool,
) -> None:
    """Trace one prediction to its version, evidence, approval.

    ID is the id of the prediction, of its request, or of the contract. The output shows the version, the approvals of
    its deployment at that time, and its lineage: data, code, people and verdict.
    """
    checkout = open_checkout(context)
    repository = checkout.repository
    models = [checkout.model(name) for name in ([model] if model else repository.model_names())]
    places = [repository.environment(environment)] if environment else repository.config.environments
    found = attribute(models, places, wanted, window_of(window, until), open_secrets(checkout.git), say)
    if as_json:
        result_json(found)
    else:
        result(render_attribution(found))
