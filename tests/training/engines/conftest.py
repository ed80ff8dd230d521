"""One session of Spark for all that asks it: the Java machine takes seconds to start."""

import shutil
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread
from typing import TYPE_CHECKING
from urllib.parse import unquote

import boto3
import pytest
from botocore.exceptions import ClientError

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client
    from pyspark.sql import SparkSession


@pytest.fixture(scope="session")
def spark() -> "Iterator[SparkSession]":
    """On two cores, with what starts soonest rather than what runs fastest."""
    pytest.importorskip("pyspark", reason="Spark is not installed here: `make spark` installs it and runs these")
    if shutil.which("java") is None:
        pytest.skip("Spark needs Java 17 or later, and there is no `java` here")
    from training.engines.spark import begin

    options = {
        "spark.driver.extraJavaOptions": "-XX:TieredStopAtLevel=1 -XX:+UseSerialGC",
        "spark.sql.shuffle.partitions": "2",
        "spark.sql.adaptive.enabled": "false",
        "spark.ui.showConsoleProgress": "false",
    }
    session = begin(**options)
    session.sparkContext.setLogLevel("ERROR")
    yield session
    session.stop()


class _Objects(BaseHTTPRequestHandler):
    """The bucket of this process, for whoever reads it from another."""

    def do_GET(self) -> None:
        bucket, _, key = unquote(self.path.partition("?")[0]).removeprefix("/").partition("/")
        try:
            body = boto3.client("s3").get_object(Bucket=bucket, Key=key)["Body"].read()
        except ClientError:
            self.send_error(404)
            return
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.send_header("Last-Modified", self.date_time_string())
        self.end_headers()
        if self.command == "GET":
            self.wfile.write(body)

    do_HEAD = do_GET  # noqa: N815

    def log_message(self, format: str, *arguments: object) -> None:
        pass


@pytest.fixture
def reached(spark: "SparkSession", s3: "S3Client") -> "Iterator[SparkSession]":
    """The session, whose workers read the bucket that this process has."""
    before = dict(spark.sparkContext.environment)
    with ThreadingHTTPServer(("127.0.0.1", 0), _Objects) as server:
        Thread(target=server.serve_forever, daemon=True).start()
        # Credentials and the region they have from this process.
        spark.sparkContext.environment["AWS_ENDPOINT_URL"] = f"http://127.0.0.1:{server.server_port}"
        yield spark
        spark.sparkContext.environment = before
        server.shutdown()
