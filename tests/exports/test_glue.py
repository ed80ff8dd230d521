"""What Athena finds: the template's tables are those that are declared."""

from pathlib import Path
from typing import Any

import pytest

from shared.exports.glue import logical_id, resources
from shared.exports.schema import GLUE, Growth, Table
from shared.exports.tables import FOR_WAREHOUSES, TABLES
from tests.support.template import template

ROOT = Path(__file__).parents[2]


def test_the_template_has_the_tables_as_they_are_declared() -> None:
    assert resources() in (ROOT / "template.yaml").read_text(), "run: python -m shared.exports.glue"


@pytest.mark.parametrize("table", FOR_WAREHOUSES, ids=lambda table: table.name)
def test_a_table_has_every_column_and_finds_its_dates_by_itself(table: Table) -> None:
    properties: Any = template()["Resources"][logical_id(table)]["Properties"]
    given = properties["TableInput"]
    stored = given["StorageDescriptor"]
    assert given["Name"] == table.name
    assert stored["Columns"] == [{"Name": column.name, "Type": GLUE[column.kind]} for column in table.columns]
    assert stored["Location"] == {"Sub": f"s3://${{DataBucket}}/exports/{table.name}/"}
    assert given["PartitionKeys"] == [{"Name": "date", "Type": "string"}]
    assert given["Parameters"]["projection.enabled"] == "true"
    assert properties["DatabaseName"] == {"Ref": "ExportDatabase"}


@pytest.mark.parametrize("table", [one for one in TABLES if one.is_personal and one.growth is Growth.SNAPSHOT])
def test_what_is_of_people_and_whole_each_night_goes_by_itself(table: Table) -> None:
    rules: Any = template()["Resources"]["DataBucket"]["Properties"]["LifecycleConfiguration"]["Rules"]
    kept = [rule.get("ExpirationInDays") for rule in rules if rule.get("Prefix") == f"exports/{table.name}/"]
    assert len(kept) == 1
    assert kept[0]
