"""Loads exports into a BigQuery emulator, makes the views and asks; run by .venv-warehouses' Python alone.

Its argument is a JSON file of `exports`, `tables`, `views` and `queries`; the last line printed is the answers' JSON.
"""

import json
import socket
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request
from contextlib import suppress
from pathlib import Path
from typing import Any

import duckdb

PROJECT, DATASET = "shop", "tessera"


def free_port() -> int:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return int(free.getsockname()[1])


PORT = free_port()
WITHOUT_GEOGRAPHY = """
from bqemulator.cli import main
from bqemulator.storage.engine import DuckDBEngine

DuckDBEngine._load_spatial = lambda self: None
main()
"""
# It would download an extension of DuckDB for what no view of ours asks for.
BASE = f"http://127.0.0.1:{PORT}"


def asked(path: str, body: Any, method: str = "POST", kind: str = "application/json") -> Any:
    data = body if isinstance(body, bytes) else json.dumps(body).encode()
    request = urllib.request.Request(f"{BASE}{path}", data, {"Content-Type": kind}, method=method)
    try:
        with urllib.request.urlopen(request, timeout=60) as answer:
            return json.loads(answer.read())
    except urllib.error.HTTPError as error:
        raise SystemExit(f"{path}: {error.read().decode()[:2_000]}") from None


def query(text: str) -> list[list[Any]]:
    body = {"query": text, "useLegacySql": False, "defaultDataset": {"projectId": PROJECT, "datasetId": DATASET}}
    answer = asked(f"/bigquery/v2/projects/{PROJECT}/queries", body)
    fields = [field["type"] for field in answer.get("schema", {}).get("fields", ())]
    rows = answer.get("rows", ())
    return [[value(cell["v"], type_) for cell, type_ in zip(row["f"], fields, strict=True)] for row in rows]


def value(text: Any, type_: str) -> Any:
    if text is None:
        return None
    return int(text) if type_ in ("INTEGER", "INT64") else float(text) if type_ in ("FLOAT", "FLOAT64") else text


def load(table: str, file: Path) -> None:
    """As `bq load` sends a file."""
    configuration = {
        "configuration": {
            "load": {
                "destinationTable": {"projectId": PROJECT, "datasetId": DATASET, "tableId": table},
                "sourceFormat": "PARQUET",
                "writeDisposition": "WRITE_APPEND",
            }
        }
    }
    parts = [
        b"--b\r\nContent-Type: application/json\r\n\r\n" + json.dumps(configuration).encode(),
        b"\r\n--b\r\nContent-Type: application/octet-stream\r\n\r\n" + file.read_bytes(),
        b"\r\n--b--\r\n",
    ]
    path = f"/upload/bigquery/v2/projects/{PROJECT}/jobs?uploadType=multipart"
    job = asked(path, b"".join(parts), kind="multipart/related; boundary=b")
    if "errorResult" in job["status"]:
        raise SystemExit(f"{table}: {job['status']}")


def wait() -> None:
    for _ in range(300):
        with suppress(OSError), socket.create_connection(("127.0.0.1", PORT), timeout=1):
            return
        time.sleep(0.2)
    raise SystemExit("the emulator does not start")


def main(given: dict[str, Any]) -> list[list[Any]]:
    """The rows of each query."""
    ports = ["start", "--rest-port", str(PORT), "--grpc-port", str(free_port())]
    start = [sys.executable, "-c", WITHOUT_GEOGRAPHY, *ports]
    emulator = subprocess.Popen(start, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        wait()
        asked(f"/bigquery/v2/projects/{PROJECT}/datasets", {"datasetReference": {"datasetId": DATASET}})
        for table, columns in given["tables"].items():
            declared = ", ".join(f"{name} {type_}" for name, type_ in columns.items())
            query(f"CREATE TABLE {DATASET}.{table} ({declared}, date STRING)")
            with tempfile.TemporaryDirectory() as folder, duckdb.connect() as database:
                # An external table has the date from the path; here it is put into what is loaded.
                whole = Path(folder) / "whole.parquet"
                source = f"{given['exports']}/{table}/*/*.parquet"
                database.execute(
                    "COPY (SELECT * FROM read_parquet(?, hive_partitioning = true, hive_types = {'date': VARCHAR}))"
                    f" TO '{whole}' (FORMAT parquet)",
                    [source],
                )
                load(table, whole)
        for statement in given["views"].values():
            query(statement)
        return [query(text) for text in given["queries"]]
    finally:
        emulator.terminate()
        emulator.wait()


if __name__ == "__main__":
    answers = main(json.loads(Path(sys.argv[1]).read_text()))
    sys.stdout.write("\n" + json.dumps(answers) + "\n")
