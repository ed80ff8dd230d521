"""One session of Spark for all that asks it: the Java machine takes seconds to start."""

import shutil
from collections.abc import Iterator
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
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
