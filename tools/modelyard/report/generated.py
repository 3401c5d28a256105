"""Files that modelyard writes for others: CODEOWNERS and a version's Containerfile."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

HEAD = "# Written by: modelyard owners --write. Edit model.yaml and modelyard.yaml instead."
OWNER_FILES = {"github": ".github/CODEOWNERS", "gitlab": ".gitlab/CODEOWNERS", "git": "CODEOWNERS"}
"""Forge → the path of CODEOWNERS that it reads; plain git has people who read it."""
BASE_IMAGE = "python:3.12-slim"
_PREFIX = "/opt/modelyard"
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
    model: str, version: str, sha256: str, environment: str, *, at: int, libraries: Sequence[str] = (),
    installers: Sequence[str] = ("pip",), measured: bool = False,
) -> str:  # fmt: skip
    """A Containerfile that serves the version under an unprivileged user; the same bytes whenever it is built.

    ``at``: the time of every file, in seconds since 1970. ``libraries``: packages of Debian that the flavor or the
    toolkit's source needs. ``installers``: what only installs, and is removed again. ``measured``:
    requirements/measured.txt has libraries that the lock has at another version.
    """
    system = f"""\
RUN dpkg --status {" ".join(libraries)} >/dev/null 2>&1 || \\
    (apt-get update && apt-get install --yes --no-install-recommends {" ".join(libraries)})
"""
    own = "python -m uv pip install --no-deps --requirement /tmp/requirements/measured.txt && \\\n    "
    library_path = f" LD_LIBRARY_PATH={_PREFIX}/lib" if "libgomp1" in libraries else ""
    openmp = f"cp -L /usr/lib/*/libgomp.so.1 {_PREFIX}/lib/ && \\\n    "
    return f"""\
# {model} {version}, served by modelyard with contract check and prediction log. Written by modelyard package.
# Build: modelyard package {model}@{version} --out FOLDER --build
# Run: with MODELYARD_TOKEN set, and a volume on /srv/served/log.
ARG BASE={BASE_IMAGE}
FROM ${{BASE}} AS build
ARG UV_DEFAULT_INDEX
ARG PIP_INDEX_URL
{system if libraries else ""}\
RUN python3 -m venv {_PREFIX}
ENV PATH={_PREFIX}/bin:$PATH UV_NO_CACHE=1 PIP_NO_CACHE_DIR=1 PIP_DISABLE_PIP_VERSION_CHECK=1
COPY requirements /tmp/requirements
# Compiled by content, not by time: the time of every file is set, so that the layer has the same bytes again.
RUN sh /tmp/requirements/install.sh serving && \\
    {own if measured else ""}\
python -m pip uninstall --quiet --yes {" ".join(installers)} && \\
    {openmp if "libgomp1" in libraries else ""}\
PYTHONHASHSEED=0 python -m compileall -q -f -x /tests/ --invalidation-mode unchecked-hash {_PREFIX}/lib && \\
    find {_PREFIX} -exec touch --no-dereference --date=@{at} {{}} +

FROM ${{BASE}}
LABEL org.opencontainers.image.title="{model}" \\
      org.opencontainers.image.version="{version}" \\
      modelyard.sha256="{sha256}"
COPY --from=build {_PREFIX} {_PREFIX}
ENV PATH={_PREFIX}/bin:$PATH{library_path}
WORKDIR /srv
COPY --chown=10001:10001 modelyard.yaml sbom.cdx.json /srv/
COPY --chown=10001:10001 served /srv/served
USER 10001
EXPOSE 8080
HEALTHCHECK CMD ["python", "-c", "import urllib.request as u; u.urlopen('http://127.0.0.1:8080/v2/health/ready')"]
ENTRYPOINT ["modelyard", "serve", "--env", "{environment}"]
"""


def _line(path: str, owners: Sequence[str]) -> str:
    # Handles, teams and addresses have no space and no #; any other text could end the line or add an owner.
    sound = [owner for owner in owners if not any(c.isspace() or c == "#" for c in owner)]
    return f"{path} {' '.join(sound)}".rstrip()
