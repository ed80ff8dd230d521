from typing import TYPE_CHECKING

from shared.audiences.audience import NONE, UNKNOWN, Audiences, Publication, encode_publication
from shared.audiences.live_audiences import CURRENT_KEY, LiveAudiences
from tests.audiences.test_audience import audience
from tests.conftest import BUCKET

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client


def put(s3: "S3Client", content: bytes) -> None:
    s3.put_object(Bucket=BUCKET, Key=CURRENT_KEY, Body=content)


def test_they_are_followed_and_none_where_there_are_none(s3: "S3Client") -> None:
    live = LiveAudiences(s3, BUCKET, check_every=10)
    assert live.get(0) is NONE
    some = Audiences(1, (audience("a"),))
    put(s3, encode_publication(Publication(some, "", "", "")))
    assert live.get(5) is NONE
    assert live.get(11) == some
    s3.delete_object(Bucket=BUCKET, Key=CURRENT_KEY)
    assert live.get(22) is NONE


def test_a_document_that_cannot_be_read_never_replaces_one_that_could(s3: "S3Client") -> None:
    live = LiveAudiences(s3, BUCKET, check_every=10)
    some = Audiences(1, (audience("a"),))
    put(s3, encode_publication(Publication(some, "", "", "")))
    live.get(0)
    put(s3, b"{")
    assert live.get(11) == some
    assert live.problem == "audiences are refused: they are not JSON"
    put(s3, encode_publication(Publication(some, "", "", "mended")))
    assert live.get(22) == some
    assert live.problem is None


def test_who_begins_with_a_document_that_cannot_be_read_knows_that_they_do_not_know(s3: "S3Client") -> None:
    put(s3, b"{")
    live = LiveAudiences(s3, BUCKET, check_every=10)
    assert live.get(0) is UNKNOWN
    some = Audiences(1, (audience("a"),))
    put(s3, encode_publication(Publication(some, "", "", "")))
    assert live.get(11) == some
