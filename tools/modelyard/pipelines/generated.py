"""The parts that the generated files of all engines share."""

from __future__ import annotations

from modelyard.pipelines.interface import Plan, Step

_BODY = '''\
    """Runs one stage of a commit in a fresh clone. DVC restores earlier results from the remote, and keeps this one."""
    import subprocess
    import tempfile

    with tempfile.TemporaryDirectory() as folder:
        subprocess.run(["git", "clone", "--quiet", "--no-checkout", "--", repository, folder], check=True)
        subprocess.run(["git", "-C", folder, "checkout", "--quiet", "--detach", commit], check=True)
        subprocess.run(["modelyard", "-C", folder, "run", model, "--stage", stage], check=True)
'''


def run_stage(kind: str = "str") -> str:
    """The function that every engine calls, with parameters of a type. It imports what it needs: an engine may send its
    text alone.
    """
    parameters = ", ".join(f"{name}: {kind}" for name in ("repository", "commit", "model", "stage"))
    return f"def run_stage({parameters}):\n{_BODY}"


def header(plan: Plan, engine: str, usage: str) -> str:
    """The docstring of a generated file; ``usage`` says how the file is run."""
    return (
        f'"""The pipeline of {plan.model} for {usage}\n\n'
        f"Generated from dvc.yaml and model.yaml by: modelyard export {engine} {plan.model}\n"
        f'Do not edit it. modelyard export {engine} {plan.model} --check ends with 1 when it is not current.\n"""\n'
    )


def quoted(text: str) -> str:
    """A Python literal of a text, in ASCII, so that what is read is what runs."""
    return '"' + text.encode("unicode_escape").decode("ascii").replace('"', '\\"') + '"'


def paths(step: Step) -> str:
    """What a step reads and writes, in one comment line each."""
    lines = [
        f"reads {', '.join(step.reads)}" if step.reads else "",
        f"writes {', '.join(step.writes)}" if step.writes else "",
    ]
    return "".join(f"    # {_printable(line)}\n" for line in lines if line)


def _printable(line: str) -> str:
    """A line without line breaks or control characters, which would end the comment."""
    return "".join(c if c.isprintable() else "?" for c in line)
