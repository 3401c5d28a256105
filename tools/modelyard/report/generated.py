"""Files that modelyard writes for others: CODEOWNERS and a version's Containerfile."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

HEAD = "# Written by: modelyard owners --write. Edit model.yaml and modelyard.yaml instead."
OWNER_FILES = {"github": ".github/CODEOWNERS", "gitlab": ".gitlab/CODEOWNERS", "git": "CODEOWNERS"}
"""Forge → the path of CODEOWNERS that it reads; plain git has people who read it."""
_SHARED = (
    "/modelyard.yaml",
    "/policies/",
    "/waivers/",
    "/requirements/",
    "/.github/",
    "/.gitlab-ci.yml",
    "/.gitlab/",
    "/Jenkinsfile",
)


def render_owners(shared: Sequence[str], models: Mapping[str, Sequence[str]]) -> str:
    """CODEOWNERS. Shared paths come first, because the last matching line counts."""
    lines = [HEAD]
    if shared:
        lines += [_line(path, shared) for path in _SHARED]
    for name, owners in sorted(models.items()):
        lines += [_line(f"/models/{name}/", owners), _line(f"/deployments/*/{name}.yaml", owners)]
        lines += [_line(f"/waivers/{name}-*", [*shared, *(o for o in owners if o not in shared)])]
    return "\n".join(lines) + "\n"


def is_generated(owners: bytes) -> bool:
    """Whether a CODEOWNERS was written by modelyard, and not by hand."""
    return owners.startswith(HEAD.encode())


def containerfile(
    model: str, version: str, sha256: str, environment: str, *, measured: bool = False, from_git: bool = False
) -> str:
    """A Containerfile that serves the version under an unprivileged user.

    ``measured``: requirements/measured.txt has libraries that the lock has at another version. ``from_git``: the
    toolkit is installed from a Git repository.
    """
    system = "libgomp1 git" if from_git else "libgomp1"
    own = "python -m uv pip install --system --no-deps --requirement requirements/measured.txt && " if measured else ""
    return f"""\
# {model} {version}, served by modelyard with contract check and prediction log. Written by modelyard package.
# Build: podman build -t {model.lower()}:{version} .   Run: with MODELYARD_TOKEN set, and a volume on /srv/served/log.
FROM python:3.12-slim
LABEL org.opencontainers.image.title="{model}" \\
      org.opencontainers.image.version="{version}" \\
      modelyard.sha256="{sha256}"
RUN apt-get update && apt-get install --yes --no-install-recommends {system} && rm -rf /var/lib/apt/lists/*
COPY requirements /tmp/requirements
RUN export UV_NO_CACHE=1 PIP_NO_CACHE_DIR=1 && cd /tmp && sh requirements/install.sh serving && \\
    {own}pip uninstall --yes uv hatchling editables
COPY --chown=10001:10001 . /srv
USER 10001
WORKDIR /srv
EXPOSE 8080
HEALTHCHECK CMD ["python", "-c", "import urllib.request as u; u.urlopen('http://127.0.0.1:8080/v2/health/ready')"]
ENTRYPOINT ["modelyard", "serve", "--env", "{environment}"]
"""


def _line(path: str, owners: Sequence[str]) -> str:
    # Handles, teams and addresses have no space and no #; any other text could end the line or add an owner.
    sound = [owner for owner in owners if not any(c.isspace() or c == "#" for c in owner)]
    return f"{path} {' '.join(sound)}".rstrip()
