"""The REST interface of one MLflow server: calls, pages of results, and files of runs."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Any
from urllib.parse import quote

from modelyard.documents import visible
from modelyard.targets.http import Http

_API = "/api/2.0/mlflow"
_FILES = "/api/2.0/mlflow-artifacts/artifacts/"
_SCHEME = "mlflow-artifacts:"
_PAGE = 200
_FOLDERS, _LONGEST = 20, 500
NO_QUERY: Mapping[str, str] = MappingProxyType({})


class MLflowServer:
    """One server. ModelyardError when it does not answer, or refuses a call."""

    def __init__(self, url: str, token: str = "") -> None:
        self.url = url.rstrip("/")
        self._http = Http(url, "MLflow", token)

    def get(self, path: str, query: Mapping[str, str] = NO_QUERY, *, missing: bool = False) -> Any:
        """The decoded answer; with ``missing``, None for an object that does not exist."""
        asked = "&".join(f"{name}={quote(value, safe='')}" for name, value in query.items())
        return self._http.call("GET", f"{_API}/{path}{'?' if asked else ''}{asked}", missing=missing)

    def post(self, path: str, body: Any) -> Any:
        """The decoded answer to a POST."""
        return self._http.call("POST", f"{_API}/{path}", body)

    def delete(self, path: str, body: Any, *, missing: bool = False) -> Any:
        """The decoded answer to a DELETE; with ``missing``, None for an object that does not exist."""
        return self._http.call("DELETE", f"{_API}/{path}", body, missing=missing)

    def pages(self, path: str, key: str, query: Mapping[str, str] = NO_QUERY) -> list[dict[str, Any]]:
        """The objects under ``key`` of all pages of a search by GET."""
        found: list[dict[str, Any]] = []
        token = ""
        while True:
            more = {"page_token": token} if token else {}
            page = self.get(path, {"max_results": str(_PAGE), **query, **more}) or {}
            found += page.get(key, [])
            token = page.get("next_page_token", "")
            if not token:
                return found

    def runs(self, experiment: str, condition: str) -> list[dict[str, Any]]:
        """The runs of an experiment that meet a condition in MLflow's search language, oldest first."""
        found: list[dict[str, Any]] = []
        asked: dict[str, Any] = {
            "experiment_ids": [experiment], "filter": condition, "max_results": _PAGE,
            "order_by": ["attributes.start_time ASC"],
        }  # fmt: skip
        while True:
            page = self.post("runs/search", asked) or {}
            found += page.get("runs", [])
            if not page.get("next_page_token"):
                return found
            asked["page_token"] = page["next_page_token"]

    def upload(self, folder: str, path: str, content: bytes) -> None:
        """Stores a file below the artifact URI of a run. The server stores it, so no other credentials are needed."""
        self._http.call("PUT", f"{_FILES}{_below(folder)}/{quote(path)}", content=content)

    def download(self, folder: str, path: str, into: Path, most: int) -> None:
        """Writes a file below an artifact URI, of at most so many bytes."""
        self._http.download(f"{_FILES}{quote(_below(folder))}/{quote(path)}", into, most)

    def listed(self, folder: str, most: int) -> tuple[tuple[str, int], ...]:
        """Path and bytes of at most so many files below an artifact URI."""
        found: list[tuple[str, int]] = []
        waiting, asked = [""], 0
        while waiting and len(found) < most and asked < _FOLDERS:
            below = waiting.pop(0)
            asked += 1
            path = f"{_below(folder)}/{below}".rstrip("/")
            for entry in (self._http.call("GET", f"{_FILES[:-1]}?path={quote(path, safe='')}") or {}).get("files", []):
                name = str(entry.get("path", "")).rpartition("/")[2]
                if name in ("", ".", ".."):
                    continue
                inner = f"{below}/{name}" if below else name
                if entry.get("is_dir"):
                    waiting.append(inner)
                else:
                    size = entry.get("file_size")
                    found.append((visible(inner)[:_LONGEST], int(size) if str(size).isdigit() else 0))
        return tuple(found[:most])

    @staticmethod
    def serves(folder: str) -> bool:
        """Whether the server itself stores the files below an artifact URI."""
        return folder.startswith(_SCHEME)


def _below(folder: str) -> str:
    return folder.partition(_SCHEME)[2].lstrip("/")
