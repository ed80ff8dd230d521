"""A `.hyper` file of Parquet files; loaded by the Python that has Tableau's library, and by no other."""

from pathlib import Path


def write(folder: str, path: str) -> None:
    """Writes a table for each Parquet file of a folder, in the place of what was at the path."""
    from tableauhyperapi import Connection, CreateMode, HyperProcess, Telemetry, escape_name, escape_string_literal

    quiet = {"log_config": ""}
    with (
        HyperProcess(Telemetry.DO_NOT_SEND_USAGE_DATA_TO_TABLEAU, parameters=quiet) as hyper,
        Connection(hyper.endpoint, path, CreateMode.CREATE_AND_REPLACE) as connection,
    ):
        for file in sorted(Path(folder).glob("*.parquet")):
            source = f"external({escape_string_literal(str(file))}, FORMAT => 'parquet')"
            connection.execute_command(
                f"CREATE TABLE {escape_name(file.stem)} AS (SELECT * FROM {source})"  # noqa: S608  # names of ours
            )
