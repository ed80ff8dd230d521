"""The local AWS cleans up after itself."""

import urllib.error
import urllib.request

import pytest

from local.emulator import KEPT_LOG, Emulator, emulator

pytestmark = pytest.mark.e2e


def assert_gone(aws: Emulator) -> None:
    assert not aws.folder.exists()
    with pytest.raises(urllib.error.URLError):
        urllib.request.urlopen(f"{aws.endpoint}/_ministack/health", timeout=5)


def test_nothing_is_left_running() -> None:
    with emulator() as aws:
        assert aws.log.exists()
    assert_gone(aws)


def test_a_failure_leaves_the_log_alone() -> None:
    with pytest.raises(ZeroDivisionError), emulator() as aws:
        _ = 1 / 0
    assert_gone(aws)
    assert aws.endpoint.rpartition(":")[2] in KEPT_LOG.read_text()


def test_two_run_side_by_side() -> None:
    with emulator() as first, emulator() as second:
        first.session.client("s3", endpoint_url=first.endpoint).create_bucket(Bucket="only-in-the-first")
        buckets = second.session.client("s3", endpoint_url=second.endpoint).list_buckets()["Buckets"]
        assert buckets == []
