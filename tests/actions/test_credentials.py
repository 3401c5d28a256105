"""The step that takes a cloud's role by an OpenID token: its real script, against the forge's endpoint on loopback."""

from __future__ import annotations

import json
import os
import shutil
import stat
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import botocore.session
import pytest
import yaml
from support.identity import SUBJECT, token_endpoint, token_service

GITLAB = Path(__file__).parents[2] / "model-repo-template/.gitlab"
SCRIPT = Path(__file__).parents[2] / "model-repo-template/.github/actions/credentials/login.py"
ROLE = "arn:aws:iam::123456789012:role/production"


class Job:
    """One job's environment, and the step in it."""

    def __init__(self, folder: Path, url: str, asked: list[str]) -> None:
        self.folder, self.asked = folder, asked
        self.temporary, self.exported = folder / "temp", folder / "env"
        self.temporary.mkdir()
        (folder / "event.json").write_text("{}")
        self.environment = {
            "PATH": os.environ["PATH"], "RUNNER_TEMP": str(self.temporary), "GITHUB_ENV": str(self.exported),
            "GITHUB_EVENT_PATH": str(folder / "event.json"), "GITHUB_REPOSITORY": "acme/models", "GITHUB_RUN_ID": "7",
            "ACTIONS_ID_TOKEN_REQUEST_URL": f"{url}/token?api-version=2.0", "ACTIONS_ID_TOKEN_REQUEST_TOKEN": "request-token",
        }  # fmt: skip

    def step(self, script: Path = SCRIPT, **variables: str) -> subprocess.CompletedProcess[str]:
        """The step with the variables of the job's environment."""
        environment = self.environment | {"VARIABLES": json.dumps(variables)}
        return subprocess.run(
            [sys.executable, str(script)], env=environment, capture_output=True, text=True, check=False, timeout=60
        )

    def settings(self) -> dict[str, str]:
        """What the next steps have in their environment."""
        lines = self.exported.read_text().splitlines() if self.exported.exists() else []
        return dict(line.split("=", 1) for line in lines)

    def written(self) -> list[str]:
        """Names of the files in the runner's temporary folder."""
        return sorted(path.name for path in self.temporary.rglob("*") if path.is_file())


@pytest.fixture
def job(tmp_path: Path) -> Iterator[Job]:
    with token_endpoint() as (url, asked):
        yield Job(tmp_path, url, asked)
        shutil.rmtree(tmp_path / "temp")  # the process that renews ends with it


def test_a_role_of_aws_is_found_by_its_libraries_and_the_token_is_kept(job: Job) -> None:
    done = job.step(AWS_ROLE_ARN=ROLE, AWS_REGION="eu-west-1")
    assert done.returncode == 0 and job.asked == ["sts.amazonaws.com"], done.stderr
    found = job.settings()
    file = Path(found.pop("AWS_WEB_IDENTITY_TOKEN_FILE"))
    assert found == {
        "AWS_ROLE_ARN": ROLE, "AWS_ROLE_SESSION_NAME": "acme-models-7", "AWS_REGION": "eu-west-1",
        "AWS_DEFAULT_REGION": "eu-west-1",
    }  # fmt: skip
    assert stat.S_IMODE(file.stat().st_mode) == 0o600 and stat.S_IMODE(file.parent.stat().st_mode) == 0o700
    token = file.read_text()
    masked, said = done.stdout.splitlines()
    assert masked == f"::add-mask::{token}" and token not in said
    assert SUBJECT in said and "sts.amazonaws.com" in said, "what the role's trust has to name"
    assert "request-token" not in done.stdout + str(job.settings())


def test_a_token_is_not_written_where_no_role_is_set(job: Job) -> None:
    incomplete: list[dict[str, str]] = [
        {}, {"AWS_ROLE_ARN": ""}, {"AWS_REGION": "eu-west-1"}, {"AZURE_CLIENT_ID": "only half"},
    ]  # fmt: skip
    for variables in incomplete:
        done = job.step(SCRIPT, **variables)
        assert done.returncode == 0 and "static keys are used" in done.stdout
    assert job.written() == [] and job.settings() == {} and job.asked == []


def test_roles_of_google_and_azure_are_found_by_their_libraries(job: Job) -> None:
    provider = "projects/1/locations/global/workloadIdentityPools/github/providers/models"
    done = job.step(
        GCP_WORKLOAD_IDENTITY_PROVIDER=provider, GCP_SERVICE_ACCOUNT="a@b.iam.gserviceaccount.com",
        AZURE_CLIENT_ID="client", AZURE_TENANT_ID="tenant",
    )  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr
    assert job.asked == [f"https://iam.googleapis.com/{provider}", "api://AzureADTokenExchange"]
    found = job.settings()
    assert (found["AZURE_CLIENT_ID"], found["AZURE_TENANT_ID"]) == ("client", "tenant")
    assert Path(found["AZURE_FEDERATED_TOKEN_FILE"]).read_text().startswith("e30.")
    google = Path(found["GOOGLE_APPLICATION_CREDENTIALS"])
    account = json.loads(google.read_text())
    assert account["type"] == "external_account" and account["audience"] == f"//iam.googleapis.com/{provider}"
    assert Path(account["credential_source"]["file"]).read_text().startswith("e30.")
    assert account["service_account_impersonation_url"].endswith("/a@b.iam.gserviceaccount.com:generateAccessToken")
    assert {stat.S_IMODE(path.stat().st_mode) for path in google.parent.iterdir()} == {0o600}


def test_a_job_without_the_permission_fails_and_a_forks_run_goes_on(job: Job) -> None:
    del job.environment["ACTIONS_ID_TOKEN_REQUEST_URL"]
    done = job.step(AWS_ROLE_ARN=ROLE)
    assert done.returncode == 1 and "Give it the permission id-token: write." in done.stdout
    event = {"pull_request": {"head": {"repo": {"fork": True}}}}
    (job.folder / "event.json").write_text(json.dumps(event))
    assert job.step(AWS_ROLE_ARN=ROLE).returncode == 0 and job.written() == [] and job.settings() == {}


def test_a_forge_that_gives_no_token_is_an_error_in_one_line(job: Job) -> None:
    job.environment["ACTIONS_ID_TOKEN_REQUEST_TOKEN"] = "expired"
    done = job.step(AWS_ROLE_ARN=ROLE)
    assert done.returncode == 1 and "gave no OpenID token" in done.stdout and "Traceback" not in done.stderr
    assert job.settings() == {}, "the next steps do not look for a token that is not there"


def test_a_token_is_renewed_while_the_job_runs(job: Job) -> None:
    script = job.folder / "login.py"
    text = SCRIPT.read_text()
    assert "EVERY = 180\n" in text
    script.write_text(text.replace("EVERY = 180\n", "EVERY = 1\n"))
    job.step(script, AWS_ROLE_ARN=ROLE)
    file = Path(job.settings()["AWS_WEB_IDENTITY_TOKEN_FILE"])
    first, end = file.read_text(), time.monotonic() + 30
    while file.read_text() == first and time.monotonic() < end:
        time.sleep(0.1)
    assert file.read_text() != first and stat.S_IMODE(file.stat().st_mode) == 0o600


def test_awss_own_library_exchanges_the_token_for_the_role(job: Job, monkeypatch: pytest.MonkeyPatch) -> None:
    job.step(AWS_ROLE_ARN=ROLE, AWS_REGION="eu-west-1")
    for name, value in {**job.settings(), "AWS_CONFIG_FILE": "/nonexistent"}.items():
        monkeypatch.setenv(name, value)
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.setenv(name, "")  # what the workflows hand over where a role is set
    with token_service() as (url, asked):
        monkeypatch.setenv("AWS_ENDPOINT_URL_STS", url)
        found = botocore.session.get_session().get_credentials()
        assert found is not None and found.get_frozen_credentials().access_key == "ASIA1"
    token = Path(job.settings()["AWS_WEB_IDENTITY_TOKEN_FILE"]).read_text()
    assert (asked[0]["RoleArn"], asked[0]["WebIdentityToken"]) == (ROLE, token)


SEEN = """
import json, os, stat, sys
files = {}
for name in os.listdir(os.environ["TMPDIR"]):
    path = os.path.join(os.environ["TMPDIR"], name)
    files[path] = [open(path).read(), stat.S_IMODE(os.stat(path).st_mode)]
print(json.dumps([dict(os.environ), files]))
"""


def on_gitlab(folder: Path, **variables: str) -> tuple[dict[str, str], dict[str, tuple[str, int]]]:
    """The environment of a job of GitLab whose shell has read ``cloud.sh``, and its files with their modes."""
    script = f". {GITLAB / 'cloud.sh'}\n{sys.executable} -c '{SEEN}'"
    environment = {"PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}", "TMPDIR": str(folder), **variables}
    done = subprocess.run(["sh", "-e", "-c", script], env=environment, capture_output=True, text=True, check=True)
    assert list(folder.iterdir()) == [], "no token is left when the job has ended"
    found, files = json.loads(done.stdout)
    return found, {path: (content, mode) for path, (content, mode) in files.items()}


def test_a_job_of_gitlab_takes_a_role_and_no_key(tmp_path: Path) -> None:
    keys = {"AWS_ACCESS_KEY_ID": "static", "AWS_SECRET_ACCESS_KEY": "static"}
    found, files = on_gitlab(
        tmp_path, CLOUD_ID_TOKEN="t0ken", AWS_ROLE_ARN=ROLE, CI_PROJECT_ID="1", CI_JOB_ID="2", **keys
    )
    assert files == {found["AWS_WEB_IDENTITY_TOKEN_FILE"]: ("t0ken", 0o600)}
    assert found["AWS_ROLE_SESSION_NAME"] == "gitlab-1-2" and not keys.keys() & found.keys()
    other, files = on_gitlab(
        tmp_path, CLOUD_ID_TOKEN="t0ken", AZURE_CLIENT_ID="client", GCP_WORKLOAD_IDENTITY_PROVIDER="projects/1/p",
        GCP_SERVICE_ACCOUNT="a@b", **keys,
    )  # fmt: skip
    assert files[other["AZURE_FEDERATED_TOKEN_FILE"]] == ("t0ken", 0o600) and keys.keys() <= other.keys()
    google, mode = files[other["GOOGLE_APPLICATION_CREDENTIALS"]]
    account = json.loads(google)
    assert mode == 0o600 and files[account["credential_source"]["file"]] == ("t0ken", 0o600)
    assert account["service_account_impersonation_url"].endswith("/a@b:generateAccessToken")


def test_a_job_of_gitlab_that_fails_leaves_no_token(tmp_path: Path) -> None:
    script = f". {GITLAB / 'cloud.sh'}\nls $TMPDIR\nfalse"
    environment = {"PATH": os.environ["PATH"], "TMPDIR": str(tmp_path), "CLOUD_ID_TOKEN": "t0ken"}
    done = subprocess.run(["bash", "-e", "-c", script], env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 1 and done.stdout.startswith("tmp.") and list(tmp_path.iterdir()) == []


def test_a_job_of_gitlab_without_a_token_uses_its_keys(tmp_path: Path) -> None:
    found, files = on_gitlab(tmp_path, AWS_ROLE_ARN=ROLE, AWS_ACCESS_KEY_ID="static")
    assert found["AWS_ACCESS_KEY_ID"] == "static" and files == {}


def test_what_runs_a_models_code_has_another_audience_on_gitlab() -> None:
    jobs = yaml.safe_load((GITLAB / "credentials.yml").read_text(encoding="utf-8"))
    audiences = [
        jobs[name]["id_tokens"]["CLOUD_ID_TOKEN"]["aud"] for name in (".role-of-deploying", ".role-of-measuring")
    ]
    assert audiences == ["modelyard", "modelyard-measure"]
