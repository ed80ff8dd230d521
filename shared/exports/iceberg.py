"""The exports once more, as Iceberg tables: `python -m shared.exports.iceberg` prints them as template.yaml has them.

With `--machine` it prints statemachines/mirror_exports.asl.json, whose statements bring them in line with the exports.
"""

from __future__ import annotations

import hashlib
import json
import sys
from collections.abc import Iterable

from shared.exports.glue import wrapped
from shared.exports.schema import ICEBERG, Column, Kind, Table
from shared.exports.tables import FOR_WAREHOUSES, SNAPSHOTS

MIRRORED = tuple(table for table in FOR_WAREHOUSES if table is not SNAPSHOTS)
"""Not the one that says what is whole: one commit brings a date of a table, so that a table holds whole dates alone."""
DATE = Column("date", Kind.TEXT, "of the export")
RUN = Column("run", Kind.TEXT, "the run that wrote the date, as `snapshots` names it")
NAMESPACE = "tessera"
ATTEMPTS = 6
_LIST_ELEMENTS = 1_000
"""Ids of what lists hold, above those of columns."""

# ---- Resources -------------------------------------------------------------------------------------------------------

_BUCKET = """\
  TableBucket:
    Type: AWS::S3Tables::TableBucket
    Condition: HasTableBucket
    Properties:
      # No table's columns can be changed here: with others it is another bucket, which fills up from the exports.
      TableBucketName: &table_bucket !Sub "${{TableBucketName}}-{revision}"
      EncryptionConfiguration:
        SSEAlgorithm: !If [HasOwnKey, "aws:kms", AES256]
        KMSKeyArn: !If [HasOwnKey, !GetAtt OwnKey.Arn, !Ref AWS::NoValue]
      # What no snapshot names any more, rows of the erased with it, is gone after the shortest time that there is.
      UnreferencedFileRemoval: {{Status: Enabled, UnreferencedDays: 1, NoncurrentDays: 1}}

  TableNamespace:
    Type: AWS::S3Tables::Namespace
    Condition: HasTableBucket
    Properties:
      TableBucketARN: !GetAtt TableBucket.TableBucketARN
      Namespace: {namespace}
"""
_TABLE = """\
  {logical_id}:
    Type: AWS::S3Tables::Table
    Condition: HasTableBucket
    DependsOn: TableNamespace
    Properties:
      <<: {common}
"""
_COMMON = f"""\
&in_the_table_bucket
        TableBucketARN: !GetAtt TableBucket.TableBucketARN
        Namespace: {NAMESPACE}
        OpenTableFormat: ICEBERG
        # Who is erased stays in older snapshots.
        SnapshotManagement: {{Status: enabled, MinSnapshotsToKeep: 1, MaxSnapshotAgeHours: 24}}"""
_SCHEMA = """\
      TableName: {name}
      IcebergMetadata:
        IcebergSchemaV2:
          SchemaV2FieldType: struct
          SchemaV2FieldList:
"""


def resources() -> str:
    """The table bucket and its tables, as template.yaml has them."""
    bucket = _BUCKET.format(revision=revision(), namespace=NAMESPACE)
    first, *others = MIRRORED
    tables = [_resource(first, _COMMON), *(_resource(table, "*in_the_table_bucket") for table in others)]
    return "\n".join([bucket, *tables])


def logical_id(table: Table) -> str:
    """What template.yaml calls a table."""
    return f"Mirrored{table.name.title()}"


def revision() -> str:
    """Another one whenever a column or its type is."""
    known = [(table.name, [(column.name, column.kind) for column in columns(table)]) for table in MIRRORED]
    return hashlib.sha256(json.dumps(known).encode()).hexdigest()[:6]


def columns(table: Table) -> tuple[Column, ...]:
    """Those of the export, after its date and the run that wrote it."""
    return (DATE, RUN, *table.columns)


def _resource(table: Table, common: str) -> str:
    text = _TABLE.format(logical_id=logical_id(table), common=common) + _SCHEMA.format(name=table.name)
    fields = [
        f"{{Id: {number}, Name: {column.name}, Required: false, Type: {_type(column.kind, number)}}}"
        for number, column in enumerate(columns(table), 1)
    ]
    return text + wrapped(fields)


def _type(kind: Kind, number: int) -> str:
    if kind is Kind.TEXTS:
        element = f"element-id: {_LIST_ELEMENTS + number}, element: string, element-required: false"
        return f"{{type: list, {element}}}"
    name = ICEBERG[kind]
    return f'"{name}"' if "(" in name else name


# ---- Statements ------------------------------------------------------------------------------------------------------


def statement(table: Table) -> str:
    """Brings a table in line with its exports, in Athena's SQL, by one commit; again and again comes to the same.

    Rows of whole dates enter that came, or were written anew, since. Those leave that no whole date holds as they are:
    of the erased, of dates that expired, and of runs that another replaced. `${Database}` is that of the exports.
    """
    exported, snapshots = (f'awsdatacatalog."${{Database}}".{name}' for name in (table.name, SNAPSHOTS.name))
    names = [column.name for column in columns(table)]
    known = ("date", "run", *table.key)
    return f"""\
MERGE INTO {table.name} AS kept USING (
SELECT FALSE AS leaves, came.date, came.run, {_listed(table.names, "exported")}
FROM {exported} AS exported JOIN (
SELECT date, run FROM {snapshots} WHERE table_name = '{table.name}' EXCEPT SELECT date, run FROM {table.name}
) AS came ON exported.date = came.date
UNION ALL
SELECT TRUE AS leaves, {", ".join(name if name in known else f"NULL AS {name}" for name in names)} FROM (
SELECT {", ".join(known)} FROM {table.name} EXCEPT
SELECT whole.date, whole.run, {_listed(table.key, "exported")} FROM {exported} AS exported
JOIN {snapshots} AS whole ON exported.date = whole.date AND whole.table_name = '{table.name}'
) AS gone
) AS row_of ON row_of.leaves AND {" AND ".join(f"kept.{name} = row_of.{name}" for name in known)}
WHEN MATCHED THEN DELETE
WHEN NOT MATCHED AND NOT row_of.leaves THEN INSERT ({", ".join(names)}) VALUES ({_listed(names, "row_of")})
"""  # noqa: S608  # names of ours


def machine() -> str:
    """The definition of the state machine that runs all statements."""
    bring = {
        "Type": "Task",
        "Resource": "arn:${Partition}:states:::athena:startQueryExecution.sync",
        "Parameters": {
            "QueryString.$": "$.statement",
            "QueryExecutionContext": {"Catalog": "s3tablescatalog/${TableBucket}", "Database": NAMESPACE},
            "WorkGroup": "${WorkGroup}",
        },
        "Retry": [
            {
                "ErrorEquals": ["States.ALL"],
                "IntervalSeconds": 10,
                "BackoffRate": 2,
                "MaxAttempts": ATTEMPTS,
                "MaxDelaySeconds": 600,
                "JitterStrategy": "FULL",
            }
        ],
        "ResultPath": None,
        "OutputPath": "$.table",
        "End": True,
    }
    processor = {"ProcessorConfig": {"Mode": "INLINE"}, "StartAt": "BringTable", "States": {"BringTable": bring}}
    definition = {
        "Comment": "Brings Iceberg tables in line with exports; made by `python -m shared.exports.iceberg --machine`.",
        "StartAt": "NameTables",
        "States": {
            "NameTables": {
                "Type": "Pass",
                "Result": [{"table": table.name, "statement": statement(table)} for table in MIRRORED],
                "Next": "BringTables",
            },
            "BringTables": {"Type": "Map", "ItemProcessor": processor, "End": True},
        },
    }
    return json.dumps(definition, indent=2) + "\n"


def _listed(names: Iterable[str], of: str) -> str:
    return ", ".join(f"{of}.{name}" for name in names)


if __name__ == "__main__":
    sys.stdout.write(machine() if "--machine" in sys.argv else resources())
