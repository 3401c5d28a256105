# Read by each job of GitLab (. .gitlab/cloud.sh): it takes the cloud's role that the variables name, by the job's OpenID
# token, and then no key. Without a token or a role it does nothing, and the static keys are used, if there are any.
if [ -n "${CLOUD_ID_TOKEN:-}" ]; then
  CLOUD_TOKEN_FILE="$(umask 077 && mktemp)" && printf %s "$CLOUD_ID_TOKEN" > "$CLOUD_TOKEN_FILE"
  trap 'rm -f "$CLOUD_TOKEN_FILE" "$CLOUD_TOKEN_FILE.json"' EXIT # a runner of one's own keeps its temporary folder
  if [ -n "${AWS_ROLE_ARN:-}" ]; then
    unset AWS_ACCESS_KEY_ID AWS_SECRET_ACCESS_KEY
    export AWS_WEB_IDENTITY_TOKEN_FILE="$CLOUD_TOKEN_FILE" AWS_ROLE_SESSION_NAME="gitlab-$CI_PROJECT_ID-$CI_JOB_ID"
  fi
  [ -z "${AZURE_CLIENT_ID:-}" ] || export AZURE_FEDERATED_TOKEN_FILE="$CLOUD_TOKEN_FILE"
  if [ -n "${GCP_WORKLOAD_IDENTITY_PROVIDER:-}" ]; then
    export GOOGLE_APPLICATION_CREDENTIALS="$CLOUD_TOKEN_FILE.json"
    (umask 077 && python - "$CLOUD_TOKEN_FILE") <<'CODE'
import json, os, sys
base = "https://iamcredentials.googleapis.com/v1/projects/-/serviceAccounts"
account = {
    "type": "external_account",
    "audience": "//iam.googleapis.com/" + os.environ["GCP_WORKLOAD_IDENTITY_PROVIDER"],
    "subject_token_type": "urn:ietf:params:oauth:token-type:jwt",
    "token_url": "https://sts.googleapis.com/v1/token",
    "credential_source": {"file": sys.argv[1]},
}
if os.environ.get("GCP_SERVICE_ACCOUNT"):
    account["service_account_impersonation_url"] = f"{base}/{os.environ['GCP_SERVICE_ACCOUNT']}:generateAccessToken"
with open(sys.argv[1] + ".json", "w") as file:
    json.dump(account, file)
CODE
  fi
fi
