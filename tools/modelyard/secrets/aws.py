"""``aws-sm:name#key``: AWS Secrets Manager through boto3, with the credentials that boto3 finds (best: a role)."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from modelyard.errors import ModelyardError, missing_extra


class SecretsManagerStore:
    """The secrets of one account and region."""

    def __init__(self, environ: Mapping[str, str]) -> None:
        self._environ = environ
        self._client: Any = None

    def read(self, place: str) -> str:
        """The secret's text; with ``#key``, the value of that key in a JSON object."""
        name, _, key = place.partition("#")
        try:
            text = self._connected().get_secret_value(SecretId=name).get("SecretString", "")
        except ModelyardError:
            raise
        except Exception as error:
            code = getattr(error, "response", {}).get("Error", {}).get("Code", type(error).__name__)
            raise ModelyardError(
                f"AWS Secrets Manager refused to return aws-sm:{place} ({code}).",
                "Check name and region, and that the role may call secretsmanager:GetSecretValue.",
            ) from None
        if not key:
            return str(text)
        try:
            value = json.loads(text).get(key)
        except (ValueError, AttributeError):
            value = None
        if not isinstance(value, str):
            raise ModelyardError(f"The secret of aws-sm:{place} has no text under that key.", "Check the key's name.")
        return value

    def _connected(self) -> Any:
        if self._client is None:
            try:
                import boto3
            except ImportError as error:
                raise missing_extra("aws", "boto3") from error
            self._client = boto3.client("secretsmanager", region_name=self._environ.get("AWS_REGION"))
        return self._client
