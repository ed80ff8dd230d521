"""The live recommender of a stack, for people to read: since when it is, and how good it was on days held back."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from botocore.exceptions import ClientError

from shared.aws.fresh_object import is_absent
from shared.decisions.decision import iso
from shared.recommending.layout import REPORT, recommender_key
from shared.recommending.publishing import current
from shared.shapes import Misfit, Text, check, parsed

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client

MOST_BYTES = 1_000_000
_FIGURES = {"*": [float]}
_JUDGED = {
    "customers": int,
    "hit_at_10": _FIGURES,
    "precision_at_10": _FIGURES,
    "ahead_of_the_best": _FIGURES,
    "best": {"*": Text(64)},
}
_REPORT = {"as_of_ms": int, "horizon_days": int, "products": int, "available": int}
_EVALUATION = {"cutoff_ms": int, "end_ms": int, "all": _JUDGED, "new": _JUDGED}


def published_recommender(s3: S3Client, bucket: str) -> dict[str, Any] | None:
    """The live one with what its report says, as far as that can be read; None while there is none.

    Raises ClientError.
    """
    try:
        live = current(s3, bucket)
    except ValueError:
        return None
    if live is None:
        return None
    report = _report(s3, bucket, live.recommender_id)
    return {
        "recommender_id": live.recommender_id,
        "version": live.version,
        "published_at": live.at or None,
        "why": live.why or None,
        **{name: report.get(name) for name in ("as_of", "horizon_days", "products", "available", "evaluation")},
    }


def _report(s3: S3Client, bucket: str, recommender_id: str) -> dict[str, Any]:
    """What training found, and how it was judged; nothing where the file is not what training wrote."""
    key = recommender_key(recommender_id, REPORT)
    try:
        answer = s3.get_object(Bucket=bucket, Key=key)
    except ClientError as error:
        if is_absent(s3, bucket, key, error):
            return {}
        raise
    if answer["ContentLength"] > MOST_BYTES:
        return {}
    try:
        report = parsed(answer["Body"].read(), _REPORT)
        evaluation = report.get("evaluation")
        if evaluation is not None:
            check(evaluation, _EVALUATION)
        return {**report, "as_of": iso(report["as_of_ms"]), "evaluation": evaluation and _judged(evaluation)}
    except (Misfit, ValueError, OverflowError):
        return {}


def _judged(evaluation: dict[str, Any]) -> dict[str, Any]:
    kept = {kind: {name: evaluation[kind][name] for name in _JUDGED} for kind in ("all", "new")}
    return {"from": iso(evaluation["cutoff_ms"]), "to": iso(evaluation["end_ms"]), **kept}
