"""What would change a customer's decision, worked out by the bundle that made it, when somebody asks."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from botocore.exceptions import ClientError

from shared.aws.fresh_object import is_absent
from shared.features import BrokenState, UnknownStateVersion
from shared.models.bundle import Bundle, BundleMismatch
from shared.models.layout import ONNX_FILE, bundle_key
from shared.profiles.histories import histories
from shared.profiles.stored_profile import StoredProfile
from shared.reasons.acting import acts_that_change
from shared.reasons.explaining import DAMAGED, NEWER

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client


class Adviser:
    """Says what customers may do; the bundle that was asked for last is kept."""

    def __init__(self, s3: S3Client, bucket: str) -> None:
        self._s3 = s3
        self._bucket = bucket
        self._bundle: Bundle | None = None

    def advise(self, profile: StoredProfile, manifest: Mapping[str, Any]) -> dict[str, Any]:
        """`changes` of the profile's decision, `manifest` being its bundle's, or `problem`: why they are not known."""
        assert profile.decision is not None
        if not manifest:
            return {"problem": "The bundle that decided this is gone."}
        try:
            bundle = self._of(manifest)
        except BundleMismatch as error:
            return {"problem": str(error)}
        try:
            return {"changes": acts_that_change(histories([profile]), profile.decision.as_of_ms, bundle)}
        except UnknownStateVersion:
            return {"problem": NEWER}
        except BrokenState:
            return {"problem": DAMAGED}

    def _of(self, manifest: Mapping[str, Any]) -> Bundle:
        if self._bundle is None or self._bundle.bundle_id != manifest["bundle_id"]:
            self._bundle = Bundle.from_files(self._read(bundle_key(manifest["bundle_id"], ONNX_FILE)), manifest)
        self._bundle.manifest = manifest  # with the names of now
        return self._bundle

    def _read(self, key: str) -> bytes:
        try:
            return self._s3.get_object(Bucket=self._bucket, Key=key)["Body"].read()
        except ClientError as error:
            if is_absent(self._s3, self._bucket, key, error):
                raise BundleMismatch(f"{key} is not there.") from error
            raise
