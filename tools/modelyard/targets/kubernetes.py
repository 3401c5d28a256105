"""The door to a Kubernetes API server: custom resources as dictionaries, through the official client."""

from __future__ import annotations

import json
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import yaml

from modelyard.errors import ModelyardError, UsageError, missing_extra
from modelyard.targets.interface import PREFIX

_ATTEMPTS = 5
_SECONDS = 30
_LABEL = "app.kubernetes.io/managed-by=modelyard"
Resource = dict[str, Any]


class Cluster:
    """One kind of custom resource in one namespace."""

    def __init__(self, server: str, token: str, ca: str, namespace: str, group: str, version: str, plural: str) -> None:
        try:
            from kubernetes import client, config
            from kubernetes.client.exceptions import ApiException
        except ImportError as error:
            raise missing_extra("kubernetes", "kubernetes") from error
        if server:
            settings = client.Configuration(host=server)
            if token:
                settings.api_key = {"authorization": f"Bearer {token}"}
            settings.ssl_ca_cert = ca or None
        else:
            settings = client.Configuration()
            try:
                config.load_config(client_configuration=settings)
            except config.ConfigException as error:
                raise UsageError(
                    "The environment names no Kubernetes cluster, and there is no kubeconfig.",
                    "Set settings.server and settings.token, or provide a kubeconfig.",
                ) from error
        settings.retries = False
        self._api = client.CustomObjectsApi(client.ApiClient(settings))
        self._failed = ApiException
        self._where = (group, version, namespace, plural)
        self._shown = f"{plural}.{group} in {namespace}"

    def all(self) -> list[Resource]:
        """The resources with our label."""
        return list(
            self._call(lambda: self._api.list_namespaced_custom_object(*self._where, label_selector=_LABEL))["items"]
        )

    def get(self, name: str) -> Resource | None:
        """The resource of that name; None if there is none."""
        found: Resource | None = self._call(lambda: self._api.get_namespaced_custom_object(*self._where, name), (404,))
        return found

    def change(self, name: str, edit: Callable[[Resource | None], Resource]) -> Resource:
        """Writes the result of ``edit`` on the current resource. After a conflict it reads again and retries."""
        for _ in range(_ATTEMPTS):
            there = self.get(name)
            wanted = edit(there)
            if there is None:
                done = self._call(partial(self._api.create_namespaced_custom_object, *self._where, wanted), (409,))
            elif _same(there, wanted := _with_foreign(there, wanted)):
                return there
            else:
                write = partial(self._api.replace_namespaced_custom_object, *self._where, name, wanted)
                done = self._call(write, (404, 409))
            if done is not None:
                return dict(done)
        raise ModelyardError(
            f"{name} ({self._shown}) was changed by another writer at every attempt.",
            "Find the other writer (metadata.managedFields names it), and deploy again.",
        )

    def delete(self, name: str) -> None:
        """Deletes a resource; a missing one is no error."""
        self._call(lambda: self._api.delete_namespaced_custom_object(*self._where, name), (404,))

    def wait(self, name: str, over: Callable[[Resource], bool], seconds: int) -> Resource:
        """Watches a resource until a condition holds; ModelyardError with its conditions after ``seconds``."""
        from kubernetes import watch

        there = self.get(name)
        if there is not None and over(there):
            return there
        stream = watch.Watch()
        options = {"field_selector": f"metadata.name={name}", "timeout_seconds": seconds}
        try:
            for event in stream.stream(self._api.list_namespaced_custom_object, *self._where, **options):
                there = event["object"]
                if event["type"] != "DELETED" and over(there):
                    return dict(there)
        except self._failed as error:
            raise self._told(error) from error
        finally:
            stream.stop()
        raise ModelyardError(
            f"{name} ({self._shown}) did not become ready within {seconds} s: {conditions(there)}.",
            "Read its events with kubectl describe, remove the cause, and deploy again.",
        )

    def _call(self, request: Callable[[], Any], allowed: tuple[int, ...] = ()) -> Any:
        from urllib3.exceptions import HTTPError

        try:
            return request()
        except self._failed as error:
            if error.status in allowed:
                return None
            raise self._told(error) from error
        except HTTPError as error:
            raise ModelyardError(
                f"The Kubernetes API server does not answer ({type(error).__name__}).", "Check settings.server."
            ) from error

    def _told(self, error: Any) -> ModelyardError:
        try:
            said = json.loads(error.body or "{}").get("message", "")
        except (ValueError, AttributeError):
            said = ""
        return ModelyardError(
            f"Kubernetes answered {error.status} for {self._shown}: {said or error.reason}.",
            "Grant the service account that right."
            if error.status in (401, 403)
            else "Correct the field that it names.",
        )


def conditions(resource: Resource | None) -> str:
    """The conditions that a resource reports as not ready."""
    found = ((resource or {}).get("status") or {}).get("conditions") or []
    said = [f"{c.get('type')}: {c.get('message') or c.get('reason')}" for c in found if c.get("status") != "True"]
    return "; ".join(said) or "it reports nothing"


def is_ready(resource: Resource) -> bool:
    """Whether the controller saw this generation and says Ready."""
    status = resource.get("status") or {}
    if status.get("observedGeneration", 0) < resource["metadata"].get("generation", 0):
        return False
    return any(c.get("type") == "Ready" and c.get("status") == "True" for c in status.get("conditions") or [])


def check_against_crd(resource: Resource, crd: Path | None) -> None:
    """Raises for a resource that the schema in a CRD file does not allow, before it is sent."""
    if crd is None:
        return
    from jsonschema import Draft202012Validator

    try:
        read = yaml.safe_load(crd.read_text(encoding="utf-8"))
        version = resource["apiVersion"].rpartition("/")[2]
        schemas = {entry["name"]: entry["schema"]["openAPIV3Schema"] for entry in read["spec"]["versions"]}
        schema = _closed(schemas[version])
    except (OSError, yaml.YAMLError, KeyError, TypeError) as error:
        raise UsageError(
            f"{crd} is not a valid CRD of {resource['apiVersion']}: {error}.",
            "Name the file that was applied to the cluster.",
        ) from error
    for fault in Draft202012Validator(schema).iter_errors(resource):
        where = ".".join(str(part) for part in fault.absolute_path)
        raise ModelyardError(
            f"The CRD in {crd.name} forbids {where}: {fault.message}.", "Correct the settings in modelyard.yaml."
        )


def _closed(schema: Any) -> Any:
    """The schema with unknown fields as errors; the API server would drop them silently."""
    if not isinstance(schema, dict):
        return schema
    closed = {
        key: _closed(value) if key in ("items", "additionalProperties") else value for key, value in schema.items()
    }
    if "properties" in schema:
        closed["properties"] = {name: _closed(value) for name, value in schema["properties"].items()}
        if not schema.get("x-kubernetes-preserve-unknown-fields") and "additionalProperties" not in schema:
            closed["additionalProperties"] = False
    if schema.get("x-kubernetes-int-or-string"):
        closed["type"] = ["integer", "string"]
    return closed


def _same(there: Resource, wanted: Resource) -> bool:
    """Whether a write would change nothing."""
    metadata, ours = there["metadata"], wanted["metadata"]
    return bool(
        there.get("spec") == wanted["spec"]
        and ours["labels"] == (metadata.get("labels") or {})
        and ours["annotations"] == (metadata.get("annotations") or {})
    )


def _with_foreign(there: Resource, wanted: Resource) -> Resource:
    """The desired resource, with the labels and annotations of other writers."""
    kept: Resource = {}
    for kind in ("labels", "annotations"):
        foreign = {key: value for key, value in (there["metadata"].get(kind) or {}).items() if not _is_ours(key)}
        kept[kind] = foreign | wanted["metadata"][kind]
    version = {"resourceVersion": there["metadata"]["resourceVersion"]}
    return {**wanted, "metadata": {**wanted["metadata"], **kept, **version}}


def _is_ours(key: str) -> bool:
    return key.startswith(f"{PREFIX}/")
