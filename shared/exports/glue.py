"""The tables as Glue knows them, for template.yaml: `python -m shared.exports.glue` prints them."""

from __future__ import annotations

import sys
import textwrap
from collections.abc import Sequence

from shared.exports.schema import GLUE, Table
from shared.exports.tables import EXPORTS, FOR_WAREHOUSES

_DATABASE = """\
  ExportDatabase:
    Type: AWS::Glue::Database
    Properties:
      CatalogId: !Ref AWS::AccountId
      DatabaseInput:
        # Athena takes no hyphens without quotes.
        Name: !Join [_, !Split ["-", !Ref AWS::StackName]]
        Description: What the stack exports (docs/exports.md).
"""
_FIRST = """\
  {logical_id}:
    Type: AWS::Glue::Table
    Properties:
      <<: &in_the_database {{CatalogId: !Ref AWS::AccountId, DatabaseName: !Ref ExportDatabase}}
      TableInput:
        <<: &by_date
          TableType: EXTERNAL_TABLE
          PartitionKeys: [{{Name: date, Type: string}}]
          # A date is found by its name: nothing has to be registered.
          Parameters: {{EXTERNAL: "TRUE", classification: parquet, projection.enabled: "true",
            projection.date.type: date, projection.date.format: yyyy-MM-dd,
            projection.date.interval: "1", projection.date.interval.unit: DAYS,
            projection.date.range: !If [IsLocal, "2015-01-01,NOW+1DAYS", "2026-01-01,NOW+1DAYS"]}}
        Name: {name}
        StorageDescriptor:
          <<: &as_parquet
            InputFormat: org.apache.hadoop.hive.ql.io.parquet.MapredParquetInputFormat
            OutputFormat: org.apache.hadoop.hive.ql.io.parquet.MapredParquetOutputFormat
            SerdeInfo: {{SerializationLibrary: org.apache.hadoop.hive.ql.io.parquet.serde.ParquetHiveSerDe}}
"""
_OTHER = """\
  {logical_id}:
    Type: AWS::Glue::Table
    Properties:
      <<: *in_the_database
      TableInput:
        <<: *by_date
        Name: {name}
        StorageDescriptor:
          <<: *as_parquet
"""
_STORED = """\
          Location: !Sub "s3://${{DataBucket}}/{place}/"
          Columns:
"""
WIDTH = 126


def resources() -> str:
    """The database and its tables, as template.yaml has them."""
    tables = (_resource(table, _OTHER if number else _FIRST) for number, table in enumerate(FOR_WAREHOUSES))
    return "\n".join([_DATABASE, *tables])


def logical_id(table: Table) -> str:
    """What template.yaml calls a table."""
    return f"Exported{table.name.title()}"


def _resource(table: Table, head: str) -> str:
    text = head.format(logical_id=logical_id(table), name=table.name)
    text += _STORED.format(place=f"{EXPORTS}{table.name}")
    return text + wrapped([f"{{Name: {column.name}, Type: {_type(GLUE[column.kind])}}}" for column in table.columns])


def wrapped(mappings: Sequence[str]) -> str:
    """A list of YAML, with no line too long and no break within a mapping."""
    joined = ", ".join(one.replace(" ", "\0") for one in mappings)
    lines = textwrap.wrap(joined, WIDTH - 13, break_long_words=False, break_on_hyphens=False)
    body = "\n".join(f"{'            [' if i == 0 else '             '}{line}" for i, line in enumerate(lines))
    return body.replace("\0", " ") + "]\n"


def _type(name: str) -> str:
    return f'"{name}"' if any(sign in name for sign in "<(,") else name


if __name__ == "__main__":
    sys.stdout.write(resources())
