"""S3's one bucket in memory, with versions."""

import hashlib
import io
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any
from urllib.parse import unquote

from botocore.response import StreamingBody

from tests.simulation.expressions import Item
from tests.simulation.table import Refused


@dataclass(frozen=True)
class Version:
    """One version of an object; a delete marker has no body."""

    id: str
    body: bytes | None
    etag: str
    at_ms: int


class Objects:
    """All versions of every object, the latest last."""

    def __init__(
        self, clock: Callable[[], int], page: int = 1_000, created: Callable[[str, Version], None] | None = None
    ):
        self.versions: dict[str, list[Version]] = {}
        self._clock = clock
        self._page = page
        self._created = created
        self._count = 0

    def latest(self, key: str) -> bytes | None:
        """The object's content now."""
        versions = self.versions.get(key)
        return versions[-1].body if versions else None

    def keys(self, prefix: str = "") -> list[str]:
        """The objects that there are now."""
        return sorted(key for key in self.versions if key.startswith(prefix) and self.latest(key) is not None)

    def get_object(self, request: Item) -> Item:
        version = self._found(request)
        if request.get("IfNoneMatch") == version.etag:
            raise Refused("304", "Not Modified", 304)
        if request.get("IfMatch", version.etag) != version.etag:
            raise Refused("PreconditionFailed", status=412)
        body = version.body or b""
        if wanted := request.get("Range"):
            begin, end = wanted.removeprefix("bytes=").split("-")
            if int(begin) >= len(body):
                raise Refused("InvalidRange", status=416)
            body = body[int(begin) : int(end) + 1 if end else None]
        return {**self._head(version), "ContentLength": len(body), "Body": StreamingBody(io.BytesIO(body), len(body))}

    def head_object(self, request: Item) -> Item:
        try:
            return self._head(self._found(request))
        except Refused as error:
            raise Refused("404", "Not Found", 404) from error

    def put_object(self, request: Item) -> Item:
        body = request.get("Body", b"")
        content = body if isinstance(body, bytes) else body.encode() if isinstance(body, str) else body.read()
        known = self.versions.get(request["Key"], [])
        latest = known[-1] if known and known[-1].body is not None else None
        if request.get("IfNoneMatch") == "*" and latest:
            raise Refused("PreconditionFailed", status=412)
        if "IfMatch" in request and (latest is None or latest.etag != request["IfMatch"]):
            raise Refused("PreconditionFailed" if latest else "NoSuchKey", status=412 if latest else 404)
        version = self._add(request["Key"], content)
        return {"ETag": version.etag, "VersionId": version.id}

    def copy_object(self, request: Item) -> Item:
        source = request["CopySource"]
        if isinstance(source, str):
            path, _, wanted = source.partition("?versionId=")
            source = {"Key": unquote(path).partition("/")[2], **({"VersionId": wanted} if wanted else {})}
        source_version = self._found(source)
        if request.get("CopySourceIfMatch", source_version.etag) != source_version.etag:
            raise Refused("PreconditionFailed", status=412)
        version = self._add(request["Key"], source_version.body or b"")
        return {"CopyObjectResult": {"ETag": version.etag}, "VersionId": version.id}

    def delete_object(self, request: Item) -> Item:
        key = request["Key"]
        wanted = request.get("VersionId")
        if wanted is None:
            self._count += 1
            marker = Version(f"v{self._count:06d}", None, "", self._clock())
            self.versions.setdefault(key, []).append(marker)
            return {"DeleteMarker": True, "VersionId": marker.id}
        left = [version for version in self.versions.get(key, ()) if version.id != wanted]
        self.versions[key] = left
        if not left:
            del self.versions[key]
        return {}

    def delete_objects(self, request: Item) -> Item:
        for one in request["Delete"]["Objects"]:
            self.delete_object(one)
        return {"Deleted": request["Delete"]["Objects"]}

    def list_objects_v2(self, request: Item) -> Item:
        after = request.get("ContinuationToken") or request.get("StartAfter", "")
        keys = [key for key in self.keys(request.get("Prefix", "")) if key > after]
        folders: list[str] = []
        if delimiter := request.get("Delimiter"):
            prefix = request.get("Prefix", "")
            rest = {key: key.removeprefix(prefix) for key in keys}
            cut = [prefix + name.split(delimiter)[0] + delimiter for name in rest.values() if delimiter in name]
            folders = sorted({*cut})
            keys = [key for key in keys if delimiter not in rest[key]]
        limit = min(request.get("MaxKeys", self._page), self._page)
        page = keys[:limit]
        contents = [{"Key": key, **self._entry(self.versions[key][-1])} for key in page]
        answer: Item = {
            "KeyCount": len(page),
            "IsTruncated": len(keys) > limit,
            **({"Contents": contents} if contents else {}),
        }
        if folders:
            answer["CommonPrefixes"] = [{"Prefix": folder} for folder in folders]
        if len(keys) > limit:
            answer["NextContinuationToken"] = page[-1]
        return answer

    def list_object_versions(self, request: Item) -> Item:
        answer: Item = {"IsTruncated": False, "Versions": [], "DeleteMarkers": []}
        for key in sorted(key for key in self.versions if key.startswith(request.get("Prefix", ""))):
            for version in reversed(self.versions[key]):
                entry = {"Key": key, "VersionId": version.id, "IsLatest": version is self.versions[key][-1]}
                kind = "DeleteMarkers" if version.body is None else "Versions"
                of = self._entry(version)
                answer[kind].append({**entry, **({"LastModified": of["LastModified"]} if version.body is None else of)})
        return answer

    def _add(self, key: str, body: bytes) -> Version:
        self._count += 1
        version = Version(f"v{self._count:06d}", body, f'"{hashlib.md5(body).hexdigest()}"', self._clock())
        self.versions.setdefault(key, []).append(version)
        if self._created:
            self._created(key, version)
        return version

    def _found(self, request: Item) -> Version:
        versions = self.versions.get(request["Key"], [])
        if wanted := request.get("VersionId"):
            versions = [version for version in versions if version.id == wanted]
            if not versions:
                raise Refused("NoSuchVersion", "The specified version does not exist.", 404)
        if not versions or versions[-1].body is None:
            raise Refused("NoSuchKey", "The specified key does not exist.", 404)
        return versions[-1]

    def _head(self, version: Version) -> Item:
        entry = self._entry(version)
        return {"ETag": entry["ETag"], "ContentLength": entry["Size"], "VersionId": version.id, "Metadata": {}} | {
            "LastModified": entry["LastModified"]
        }

    def _entry(self, version: Version) -> dict[str, Any]:
        size = len(version.body or b"")
        return {"ETag": version.etag, "Size": size, "LastModified": datetime.fromtimestamp(version.at_ms / 1_000, UTC)}
