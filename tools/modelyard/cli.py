"""The command group. It imports a command only when it is called, and turns every error into a message."""

from __future__ import annotations

import gc
import importlib
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from modelyard import __version__
from modelyard.errors import ExitCode, ModelyardError, missing_extra
from modelyard.terminal import say, show_error

if TYPE_CHECKING:
    from click.shell_completion import CompletionItem

# Section → command → first line of its help. It is repeated here so that `modelyard --help` imports no command; a test
# compares both.
SECTIONS = {
    "Set up": {
        "init": "Write a new model repository.",
        "import": "Take over the versions of another registry, with evidence of what is unknown.",
        "add": "Write a model folder for a table of your own, or for a model that was trained elsewhere.",
        "adopt": "Make an existing git or DVC repository a model repository.",
        "remove": "Take a model out of the repository.",
        "doctor": "Check this machine and this checkout, and show what is missing.",
        "update": "Bring the repository to this version of modelyard.",
        "validate": "Check every manifest and report all faults at once.",
        "owners": "Make CODEOWNERS from the owners in the manifests.",
        "demo": "Run the whole cycle on real flights, as a demo.",
        "replay": "Replay a year of real flights through the whole loop.",
        "completion": "Print the script that completes commands in your shell.",
    },
    "Propose": {
        "affected": "List the models that a change touches.",
        "retrain": "Run a model's pipeline and record its lineage.",
        "evaluate": "Evaluate the candidate against the champion.",
        "drift": "Measure data drift against the champion's profile.",
        "scan": "Scan the artifact: format by content, size, speed.",
        "gate": "Judge the evidence by the model's policy.",
        "report": "Render the verdict: terminal, Markdown and HTML.",
        "run": "Retrain, evaluate, drift, scan, gate and report in one process.",
        "export": "Write a model's pipeline for Kubeflow, Metaflow or TFX.",
        "propose": "Retrain on the newest data and keep one open pull request.",
    },
    "Review": {
        "push-lock": "Push the retrained locks to the pull request's branch.",
        "comment": "Post reports on the pull request: comment and status.",
        "approvals": "Judge a pull request's reviews by policies/approvals.yaml.",
        "run-comment": "Run a command that somebody wrote as a comment.",
        "waivers": "List the waivers, sorted by their last day.",
    },
    "Release": {
        "register": "Register the merged candidate as a version.",
        "deploy": "Reconcile environments with the manifests on main.",
        "promote": "Open the pull request that moves a version to an environment.",
        "rollback": "Roll back at once and open the pull request that records it.",
        "package": "Write a version's Containerfile, SBOM and image content.",
        "deprecate": "Take a version out of use, or mark a model as deprecated.",
        "archive": "Take a whole model out of use and keep its records.",
    },
    "Operate": {
        "serve": "Serve an environment's models over HTTP.",
        "monitor": "Monitor served versions: traffic, drift, quality.",
        "alerts": "Write Prometheus rules and a Grafana dashboard.",
        "tools": "Install monitoring tools in environments of their own.",
        "feedback": "Join ground truth to predictions, as labelled data.",
    },
    "Inspect": {
        "status": "Show which version serves where, since when, and why.",
        "history": "List every event of a model, newest first.",
        "who-runs": "Show which version ran where at a given time.",
        "diff": "Compare two versions: metrics, parameters, data, features, code.",
        "lineage": "Trace a version to data, code and people, or data to versions.",
        "card": "Write a version's model card, filled from its evidence.",
        "search": "Find versions by owner, metric, data, parameter or word.",
        "site": "Build the static site of the model registry.",
    },
    "Maintain": {
        "reproduce": "Build a version again from its commit and data, and compare.",
        "audit": "Check and export what the registry can prove.",
        "gc": "Show, and on request delete, stored data that nothing needs.",
        "merge-lock": "Merge dvc.lock stage by stage, as git's merge driver.",
    },
}
COMMANDS = {name: summary for section in SECTIONS.values() for name, summary in section.items()}


class LazyGroup(click.Group):
    """The commands in ``modelyard.commands``, imported by name."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """The names of all commands, in the order of their sections."""
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """One command, imported now; None for an unknown name."""
        if cmd_name not in COMMANDS:
            return None
        command = importlib.import_module(f"modelyard.commands.{cmd_name.replace('-', '_')}").command
        return command if isinstance(command, click.Command) else None

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """The called command; a usage error with a near match for an unknown name."""
        try:
            return super().resolve_command(ctx, args)
        except click.UsageError as error:
            from modelyard.errors import near_match

            raise click.UsageError(f"No such command {args[0]!r}. {near_match(args[0], COMMANDS)}", ctx) from error

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Writes the commands by section."""
        for title, commands in SECTIONS.items():
            with formatter.section(title):
                formatter.write_dl(list(commands.items()))

    def shell_complete(self, ctx: click.Context, incomplete: str) -> list[CompletionItem]:
        """Completions: commands, else options. No command is imported."""
        from click.shell_completion import CompletionItem

        found = [CompletionItem(name, help=text) for name, text in COMMANDS.items() if name.startswith(incomplete)]
        return found or click.Command.shell_complete(self, ctx, incomplete)


@click.command(cls=LazyGroup, context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 80})
@click.version_option(__version__, prog_name="modelyard")
@click.option(
    "-C",
    "directory",
    type=click.Path(path_type=Path, file_okay=False),
    default=Path(),
    help="Run as if started in this folder.",
)
@click.option("--debug", is_flag=True, help="Show the traceback of an error.")
@click.pass_context
def cli(context: click.Context, directory: Path, debug: bool) -> None:
    """GitOps for machine-learning models: propose by pull request, review the report, merge to deploy.

    Start with modelyard demo, which shows the whole cycle, or with modelyard init FOLDER.

    Exit codes: 0 pass, 1 fail, 2 wrong use, 3 inconclusive, 4 error.
    """
    context.obj = directory


def main() -> None:
    """Runs the tool and ends the process. Exceptions become messages only here."""
    debug = "--debug" in sys.argv
    # The tools create few cycles. With the default threshold, 75,000 tags would start thousands of collections.
    gc.set_threshold(200_000, 20, 20)
    try:
        code: Any = cli.main(prog_name="modelyard", standalone_mode=False)
        sys.exit(code if isinstance(code, int) else 0)
    except click.exceptions.Abort:
        _interrupted()
    except KeyboardInterrupt:
        _interrupted()
    except click.ClickException as error:
        error.show()
        sys.exit(int(ExitCode.USAGE))
    except ModelyardError as error:
        if debug:
            raise
        show_error(error)
        sys.exit(int(error.exit_code))
    except BrokenPipeError:
        sys.stderr.close()
        sys.exit(int(ExitCode.ERROR))
    except Exception as error:
        if debug:
            raise
        _unexpected(error)
    finally:
        # The interpreter's last collection would visit every imported object: a tenth of a short command's time.
        gc.freeze()


def _interrupted() -> None:
    say("Stopped.")
    sys.exit(130)


def _unexpected(error: Exception) -> None:
    if isinstance(error, ModuleNotFoundError) and error.name:
        from modelyard.installation.extras import extra_with

        if extra := extra_with(error.name):
            show_error(missing_extra(extra, error.name))
            sys.exit(int(ExitCode.ERROR))
    if isinstance(error, ImportError):
        from modelyard.installation.extras import extra_of_driver

        if found := extra_of_driver(str(error)):
            show_error(missing_extra(*found))
            sys.exit(int(ExitCode.ERROR))
    place = ""
    trace = error.__traceback__
    while trace is not None:
        file = Path(trace.tb_frame.f_code.co_filename)
        if "modelyard" in file.parts:
            place = f" at {file.name}:{trace.tb_lineno}"
        trace = trace.tb_next
    show_error(
        ModelyardError(
            f"Unexpected error{place}: {type(error).__name__}: {(str(error).splitlines() or [''])[0]}",
            f"This is a bug in modelyard {__version__}. Run the command again as modelyard --debug … and report"
            " the output.",
        )
    )
    sys.exit(int(ExitCode.ERROR))
