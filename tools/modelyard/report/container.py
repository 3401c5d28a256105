"""The Containerfile of one version."""

from __future__ import annotations


def containerfile(model: str, version: str, sha256: str, environment: str) -> str:
    """A Containerfile that serves the version as its contract says, as nobody in particular."""
    return f"""\
# {model} {version}: the server of modelyard with its contract check and prediction log. Rendered by modelyard package.
# Build: podman build -t {model.lower()}:{version} .   Run: with MODELYARD_TOKEN set, and a volume on /srv/served/log.
FROM python:3.12-slim
LABEL org.opencontainers.image.title="{model}" \\
      org.opencontainers.image.version="{version}" \\
      modelyard.sha256="{sha256}"
RUN apt-get update && apt-get install --yes --no-install-recommends libgomp1 && rm -rf /var/lib/apt/lists/*
COPY requirements.txt /tmp/requirements.txt
RUN pip install --no-cache-dir --requirement /tmp/requirements.txt
COPY --chown=10001:10001 . /srv
USER 10001
WORKDIR /srv
EXPOSE 8080
HEALTHCHECK CMD ["python", "-c", "import urllib.request as u; u.urlopen('http://127.0.0.1:8080/v2/health/ready')"]
ENTRYPOINT ["modelyard", "serve", "--env", "{environment}"]
"""
