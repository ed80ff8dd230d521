"""The last whole date as a file for Tableau, read back by Tableau's own engine; and what opens Power BI."""

import json
import subprocess
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from operations import tableau
from operations.stack import OperationError
from shared.exports.tables import FOR_WAREHOUSES
from tests.conftest import BUCKET
from tests.support import warehouse_shop
from tests.support.warehouse_shop import CONTENT, LAST

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client

COUNTS = """
import json, sys
from tableauhyperapi import Connection, HyperProcess, Telemetry
with (
    HyperProcess(Telemetry.DO_NOT_SEND_USAGE_DATA_TO_TABLEAU, parameters={"log_config": ""}) as hyper,
    Connection(hyper.endpoint, sys.argv[1]) as connection,
):
    ask = connection.execute_list_query
    tables = [str(name.name.unescaped) for name in connection.catalog.get_table_names("public")]
    print(json.dumps({
        "counts": {name: ask(f'SELECT count(*) FROM "{name}"')[0][0] for name in tables},
        "a": ask("SELECT date, segment_name, audiences FROM customers WHERE customer_id = 'a'"),
        "spent": ask("SELECT CAST(sum(amount) AS DOUBLE PRECISION) FROM orders WHERE type = 'purchase'"),
    }))
"""


@pytest.fixture
def exports(s3: "S3Client", tmp_path: Path) -> None:
    warehouse_shop.put(s3, BUCKET, tmp_path)


@pytest.mark.usefixtures("exports")
def test_tableau_finds_every_table_of_the_last_whole_date(s3: "S3Client", tmp_path: Path) -> None:
    if not tableau.OWN_PYTHON.exists():
        pytest.skip("make warehouses installs Tableau's library")
    path = tmp_path / "shop.hyper"
    assert tableau.write_hyper(s3, BUCKET, path) == LAST
    command = [str(tableau.OWN_PYTHON), "-c", COUNTS, str(path)]
    answer = subprocess.run(command, capture_output=True, text=True, check=True, cwd=tmp_path)
    results = json.loads(answer.stdout)
    assert results["counts"].keys() == {table.name for table in FOR_WAREHOUSES}
    assert (results["counts"]["customers"], results["counts"]["orders"]) == (3, len(CONTENT[LAST]["orders"]))
    assert results["counts"]["moves"] == 2  # of both dates
    assert results["a"] == [[LAST, "Two", "gold"]]
    assert results["spent"] == [[60.0]]


def test_without_a_whole_date_it_says_what_to_do(s3: "S3Client", tmp_path: Path) -> None:
    with pytest.raises(OperationError, match="tessera export --wait"):
        tableau.write_hyper(s3, BUCKET, tmp_path / "shop.hyper")


@pytest.mark.usefixtures("exports")
def test_without_tableaus_library_it_says_how_to_have_it(
    s3: "S3Client", tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tableau, "OWN_PYTHON", tmp_path / "nowhere")
    with pytest.raises(OperationError, match="make warehouses"):
        tableau.write_hyper(s3, BUCKET, tmp_path / "shop.hyper")


def test_power_bi_opens_at_the_database(tmp_path: Path) -> None:
    tableau.write_pbids("tessera", tmp_path / "shop.pbids")
    opened = json.loads((tmp_path / "shop.pbids").read_text())
    assert opened["version"] == "0.1"
    (connection,) = opened["connections"]
    assert connection["details"]["protocol"] == "odbc"
    assert connection["options"]["database"] == "tessera"
