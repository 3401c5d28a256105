"""Lets a job of GitHub Actions take a cloud's role by its OpenID token: AWS, Google Cloud, Azure.

The variables of the repository, or of the job's environment, say which role:

AWS_ROLE_ARN, and AWS_REGION where it is needed
GCP_WORKLOAD_IDENTITY_PROVIDER (projects/NUMBER/locations/global/workloadIdentityPools/…/providers/…), and
    GCP_SERVICE_ACCOUNT where the role is that of a service account
AZURE_CLIENT_ID and AZURE_TENANT_ID

Without them nothing is written, and the job uses its static keys. With them the token is in a file that only this user
reads. It is valid for minutes, so a process of this file renews it until the job ends. The clouds' libraries find the
file by the variables that are added to the job's environment.
"""

from __future__ import annotations

import base64
import json
import os
import re
import subprocess
import sys
import time
import urllib.error
import urllib.parse
import urllib.request
from pathlib import Path

ROLES = {
    "aws": ("AWS_ROLE_ARN",),
    "gcp": ("GCP_WORKLOAD_IDENTITY_PROVIDER",),
    "azure": ("AZURE_CLIENT_ID", "AZURE_TENANT_ID"),
}
EVERY = 180
"""Seconds after which a token is renewed; GitHub's are valid for at least five minutes."""


def main() -> int:
    """Writes token files and the variables that name them; 1 when a role is set and GitHub gives no token."""
    known = json.loads(os.environ["VARIABLES"])
    roles = {
        cloud: {name: known[name] for name in names} for cloud, names in ROLES.items() if all(map(known.get, names))
    }
    if not roles:
        print(
            "No role is set in the variables of this repository or environment: static keys are used, if there are any."
        )
        return 0
    if "ACTIONS_ID_TOKEN_REQUEST_URL" not in os.environ:
        if of_fork():
            print("A fork's run gets no OpenID token, so it has no role.")
            return 0
        print("::error::This job has a role and no OpenID token. Give it the permission id-token: write.")
        return 1
    folder = Path(os.environ["RUNNER_TEMP"], "modelyard-credentials")
    folder.mkdir(mode=0o700, exist_ok=True)
    files, settings = {}, {}
    for cloud, role in roles.items():
        files[str(folder / cloud)] = audience_of(cloud, role)
        settings |= settings_of(cloud, role, known, folder)
    try:
        for file, audience in files.items():
            print(
                f"The cloud must trust the subject {subject_of(renewed(Path(file), audience))} for {audience}.",
                flush=True,
            )
    except (OSError, ValueError, KeyError) as error:
        print(f"::error::GitHub gave no OpenID token ({error}). Run the job again; look at githubstatus.com.")
        return 1
    with Path(os.environ["GITHUB_ENV"]).open("a", encoding="utf-8") as exported:
        exported.writelines(f"{name}={value}\n" for name, value in settings.items())
    command = [sys.executable, __file__, "--renew", json.dumps(files)]
    quiet = subprocess.DEVNULL
    subprocess.Popen(command, stdin=quiet, stdout=quiet, stderr=quiet, start_new_session=True)
    return 0


def audience_of(cloud: str, role: dict[str, str]) -> str:
    """Whom a token is for, as each cloud asks by default."""
    provider = role.get("GCP_WORKLOAD_IDENTITY_PROVIDER", "")
    return {
        "aws": "sts.amazonaws.com",
        "gcp": f"https://iam.googleapis.com/{provider}",
        "azure": "api://AzureADTokenExchange",
    }[cloud]


def settings_of(cloud: str, role: dict[str, str], known: dict[str, str], folder: Path) -> dict[str, str]:
    """The environment variables by which a cloud's libraries find the token's file and the role."""
    token = str(folder / cloud)
    if cloud == "aws":
        run = f"{os.environ.get('GITHUB_REPOSITORY', '')}-{os.environ.get('GITHUB_RUN_ID', '')}"
        regions = {
            name: known["AWS_REGION"] for name in ("AWS_REGION", "AWS_DEFAULT_REGION") if known.get("AWS_REGION")
        }
        session = {"AWS_ROLE_SESSION_NAME": re.sub(r"[^\w+=,.@-]", "-", run)[-64:]}
        return {**role, "AWS_WEB_IDENTITY_TOKEN_FILE": token, **session, **regions}
    if cloud == "azure":
        return {**role, "AZURE_FEDERATED_TOKEN_FILE": token}
    file = folder / "gcp.json"
    account = known.get("GCP_SERVICE_ACCOUNT")
    base = "https://iamcredentials.googleapis.com/v1/projects/-/serviceAccounts"
    impersonated = {"service_account_impersonation_url": f"{base}/{account}:generateAccessToken"} if account else {}
    content = {
        "type": "external_account",
        "audience": f"//iam.googleapis.com/{role['GCP_WORKLOAD_IDENTITY_PROVIDER']}",
        "subject_token_type": "urn:ietf:params:oauth:token-type:jwt",
        "token_url": "https://sts.googleapis.com/v1/token",
        "credential_source": {"file": token},
        **impersonated,
    }
    write_for_me(file, json.dumps(content))
    return {"GOOGLE_APPLICATION_CREDENTIALS": str(file)}


def renewed(file: Path, audience: str) -> str:
    """A new token of this job for an audience, masked in the log and written to a file."""
    url = f"{os.environ['ACTIONS_ID_TOKEN_REQUEST_URL']}&audience={urllib.parse.quote(audience, safe='')}"
    headers = {"Authorization": f"bearer {os.environ['ACTIONS_ID_TOKEN_REQUEST_TOKEN']}"}
    request = urllib.request.Request(url, headers=headers)  # noqa: S310 - the runner gives the URL
    with urllib.request.urlopen(request, timeout=30) as answer:  # noqa: S310
        token = str(json.load(answer)["value"])
    print(f"::add-mask::{token}", flush=True)
    write_for_me(file, token)
    return token


def write_for_me(file: Path, text: str) -> None:
    """Puts a whole file in place that only this user may read."""
    new = file.with_name(f".{file.name}")
    new.unlink(missing_ok=True)
    with os.fdopen(os.open(new, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as opened:
        opened.write(text)
    new.replace(file)


def subject_of(token: str) -> str:
    """Whom a token is about, which is no secret: repo:ORG/REPO:environment:NAME."""
    body = token.split(".")[1]
    return str(json.loads(base64.urlsafe_b64decode(body + "=" * (-len(body) % 4)))["sub"])


def renew(files: dict[str, str]) -> None:
    """Renews the tokens until the job's temporary folder is gone, a day at most."""
    end, due = time.monotonic() + 86_400, time.monotonic() + EVERY
    folder = Path(next(iter(files))).parent
    while folder.is_dir() and time.monotonic() < end:
        time.sleep(1)
        if time.monotonic() < due:
            continue
        due += EVERY
        for file, audience in files.items():
            try:
                renewed(Path(file), audience)
            except (OSError, ValueError, KeyError):
                due = time.monotonic() + 10  # the old token is valid for a while


def of_fork() -> bool:
    """Whether the run is of a fork's pull request, which GitHub gives no token."""
    event = json.loads(Path(os.environ["GITHUB_EVENT_PATH"]).read_text(encoding="utf-8"))
    head = (event.get("pull_request") or {}).get("head")
    return head is not None and bool((head.get("repo") or {"fork": True}).get("fork"))  # a deleted fork has none


if __name__ == "__main__":
    if sys.argv[1:2] == ["--renew"]:
        renew(json.loads(sys.argv[2]))
    else:
        sys.exit(main())
