"""The door to the mirror's bucket: S3 with object lock, through boto3.

Objects are named by their content. A bucket with object lock keeps every version of an object, so one that was
overwritten or deleted is still read: the version whose bytes have the digest of the name.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Literal
from urllib.parse import urlsplit

from modelyard.errors import ModelyardError, Refused, UsageError, missing_extra

_SECONDS = 20
_REMEDY = "Check its URL, that it is reachable, and that the key may list, read and add its objects."


@dataclass(frozen=True)
class Retention:
    """For how long the server refuses to delete an object."""

    mode: Literal["governance", "compliance"]
    until: int
    """Seconds since 1970."""


class Bucket:
    """The objects below one URL such as ``s3://bucket/folder``. All methods raise ModelyardError."""

    def __init__(self, url: str, endpoint: str = "", region: str = "", key: str = "") -> None:
        """``key`` is ID:SECRET; '' for the credentials that boto3 finds."""
        parts = urlsplit(url)
        if parts.scheme != "s3" or not parts.netloc:
            raise UsageError(f"{url!r} is not the URL of a mirror.", "Write it as s3://BUCKET or s3://BUCKET/FOLDER.")
        self.url = url
        self._bucket, self._folder = parts.netloc, parts.path.strip("/")
        self._client = _client(endpoint, region, key)

    def names(self, folder: str, ending: str) -> dict[str, tuple[str, ...]]:
        """Name → version ids, newest first, of the objects of a folder; also of those that were deleted since."""
        start = self._key(f"{folder}/")
        found: dict[str, list[str]] = {}
        with self._failing():
            pages = self._client.get_paginator("list_object_versions").paginate(Bucket=self._bucket, Prefix=start)
            for page in pages:
                for version in page.get("Versions", ()):
                    name = version["Key"].removeprefix(start)
                    if name.endswith(ending):
                        found.setdefault(name.removesuffix(ending), []).append(version["VersionId"])
        return {name: tuple(versions) for name, versions in found.items()}

    def read(self, name: str, versions: tuple[str, ...], digest: str, limit: int, into: Path) -> None:
        """Writes the version of an object that has a sha256 into a file; Refused when no version has it."""
        for version in versions:
            with self._failing():
                body = self._client.get_object(Bucket=self._bucket, Key=self._key(name), VersionId=version)["Body"]
                if _copied(body, into, limit) == digest:
                    return
        into.unlink(missing_ok=True)
        raise Refused(
            f"The object {name} of the mirror is missing, or has other bytes than its name says.",
            "Find out who changed the bucket. Restore up to an earlier record with --until RECORD.",
        )

    def add(self, name: str, file: Path, retention: Retention) -> None:
        """Adds an object, or a version of it, which the server then keeps."""
        until = datetime.fromtimestamp(retention.until, UTC)
        with self._failing(), file.open("rb") as body:
            self._client.put_object(
                Bucket=self._bucket, Key=self._key(name), Body=body,
                ObjectLockMode=retention.mode.upper(), ObjectLockRetainUntilDate=until,
            )  # fmt: skip

    def _key(self, name: str) -> str:
        return f"{self._folder}/{name}" if self._folder else name

    @contextmanager
    def _failing(self) -> Iterator[None]:
        from botocore.exceptions import BotoCoreError, ClientError, HTTPClientError

        try:
            yield
        except ClientError as error:
            code = str(error.response.get("Error", {}).get("Code", "unknown"))
            remedy = _REMEDY
            if code == "InvalidRequest":
                remedy = "Create the bucket with object lock. It cannot be added by a key that only writes."
            raise ModelyardError(f"The mirror {self.url} refused {error.operation_name}: {code}.", remedy) from error
        except (BotoCoreError, HTTPClientError, OSError) as error:
            raise ModelyardError(f"The mirror {self.url} does not answer: {type(error).__name__}.", _REMEDY) from error


def _client(endpoint: str, region: str, key: str) -> Any:
    try:
        import boto3
        from botocore.config import Config
        from botocore.exceptions import BotoCoreError
    except ImportError as error:
        raise missing_extra("aws", "boto3") from error
    identity, _, secret = key.partition(":")
    if key and not (identity and secret):
        raise ModelyardError("The key of the mirror is not ID:SECRET.", "Store both parts in one secret: ID:SECRET.")
    own = {"aws_access_key_id": identity, "aws_secret_access_key": secret} if key else {}
    patience = Config(
        connect_timeout=_SECONDS, read_timeout=3 * _SECONDS, retries={"max_attempts": 2},
        s3={"addressing_style": "path" if endpoint else "auto"},
    )  # fmt: skip
    try:
        session = boto3.session.Session(**own)
        where = region or session.region_name or "us-east-1"
        return session.client("s3", endpoint_url=endpoint or None, region_name=where, config=patience)
    except (BotoCoreError, ValueError) as error:
        raise ModelyardError(f"The mirror cannot be opened: {error}.", _REMEDY) from error


def _copied(body: Any, into: Path, limit: int) -> str:
    """The sha256 of what was copied; '' for more than ``limit`` bytes."""
    digest, size = hashlib.sha256(), 0
    with into.open("wb") as file:
        for part in body.iter_chunks(1 << 20):
            size += len(part)
            if size > limit:
                return ""
            digest.update(part)
            file.write(part)
    return digest.hexdigest()
