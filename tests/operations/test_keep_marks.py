"""Marks that are in the table alone are kept in the bucket, as often as one likes."""

from typing import TYPE_CHECKING, Any

from operations.keep_marks import keep_marks
from shared.identity.consents import Mark
from shared.profiles.kept_marks import KeptMarks
from shared.profiles.marks import LEADING, SORT_KEY, keyed_hash
from tests.conftest import BUCKET, TABLE

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient
    from mypy_boto3_s3 import S3Client


def test_refusals_consents_and_undone_links_are_kept(s3: "S3Client", dynamodb: "DynamoDBClient") -> None:
    name = "0" * 32
    mark: Any = {
        "pk": {"S": f"{LEADING}{name}"},
        "sk": {"S": SORT_KEY},
        "refused_ms": {"N": "5"},
        "given_ms": {"NS": ["7"]},
    }
    undone: Any = {"pk": {"S": "visitor#v"}, "sk": {"S": "profile"}, "link": {"M": {"state": {"S": "unlinked"}}}}
    for item in (mark, undone, {"pk": {"S": "customer#a"}, "sk": {"S": "profile"}}):
        dynamodb.put_item(TableName=TABLE, Item=item)
    kept = KeptMarks(s3, BUCKET)
    for _ in range(2):
        assert keep_marks(dynamodb, TABLE, lambda: b"secret", kept) == 2
        assert dict(kept.all()) == {
            name: Mark(refused_ms=5, given_ms=frozenset({7})),
            keyed_hash(b"secret", "visitor#v"): Mark(unlinked=True),
        }


def test_an_empty_table_has_none(s3: "S3Client", dynamodb: "DynamoDBClient") -> None:
    assert keep_marks(dynamodb, TABLE, lambda: b"secret", KeptMarks(s3, BUCKET)) == 0
