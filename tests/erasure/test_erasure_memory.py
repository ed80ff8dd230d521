"""What a search holds of an object at once, measured in a process of its own."""

import subprocess
import sys

import pytest

ROWS = 300_000
"""A third of what was measured by hand; the peak does not depend on it."""

SEARCH = """
import io, sys
from itertools import islice
from pathlib import Path
from botocore.response import StreamingBody
from shared.erasure.objects import SearchedObjects

kind, rows = sys.argv[1], int(sys.argv[2])
def lines():
    if kind == "csv":
        yield b"customer_id,segment,name,churn\\n"
        for n in range(rows):
            yield b"%d,%d,%s,0.12345678\\n" % (n, n % 7, b"x" * 60)
    else:
        for n in range(rows):
            yield b'{"customer_id":"%d","segment":%d,"name":"%s"}\\n' % (n, n % 7, b"x" * 60)

class File(io.RawIOBase):
    def __init__(self):
        self.lines, self.rest = lines(), b""
    def readable(self):
        return True
    def read(self, size=-1):
        taken = [self.rest, *islice(self.lines, 1 + size // 100)]
        joined = b"".join(taken)
        found, self.rest = joined[:size], joined[size:]
        return found

class Paginator:
    def paginate(self, **_request):
        return [{}]

class S3:
    kept = 0
    def get_object(self, **_request):
        return {"Body": File(), "ETag": "e", "ContentLength": 1}
    def put_object(self, Body, **_request):
        while block := Body.read(1 << 20):
            self.kept += block.count(b"\\n")
        return {}
    def get_paginator(self, _name):
        return Paginator()

s3 = S3()
def peak():
    # getrusage would count what the parent held while it started this process, and so hang on the tests before.
    return int(Path("/proc/self/status").read_text().partition("VmHWM:")[2].split()[0]) // 1024

before = peak()
found = SearchedObjects(s3, "b", None, ["customer#7"]).search("exports/a." + kind)
assert found.lines == 1 and found.doubt is None, found
assert s3.kept == rows - (kind == "ndjson"), s3.kept
print(before, peak())
"""


@pytest.mark.parametrize("kind", ["csv", "ndjson"])
def test_a_large_export_is_searched_in_little_memory(kind: str) -> None:
    command = [sys.executable, "-c", SEARCH, kind, str(ROWS)]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    before, peak = map(int, done.stdout.split())
    assert peak < 256
    assert peak - before < 64
