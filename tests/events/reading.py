"""`python -m tests.events.reading FILE` reads a file and prints what came of it and what that took, as JSON."""

import json
import resource
import sys
import time
from pathlib import Path

from shared.events import Rules, UnreadableFile, read_file
from tests.events.lines import NOW_MS


def main(path: Path) -> None:
    read: dict[str, int | str] = {"events": 0, "refused": 0, "most_original_bytes": 0, "reason": ""}
    began = time.process_time()
    try:
        for chunk in read_file(path, path.name, Rules(now_ms=NOW_MS)):
            read["events"] = int(read["events"]) + len(chunk.events)
            read["refused"] = int(read["refused"]) + len(chunk.rejections)
            originals = sum(len(rejection.original) for rejection in chunk.rejections)
            read["most_original_bytes"] = max(int(read["most_original_bytes"]), originals)
            read["reason"] = chunk.rejections[-1].reason if chunk.rejections else read["reason"]
    except UnreadableFile as error:
        read["unreadable"] = str(error)
    child = resource.getrusage(resource.RUSAGE_CHILDREN)
    # What getrusage says of this process itself holds its parent's too, from before it was started anew.
    (peak,) = (line for line in Path("/proc/self/status").read_text().splitlines() if line.startswith("VmHWM:"))
    read["peak_mb"] = (int(peak.split()[1]) + child.ru_maxrss) // 1_024
    read["seconds"] = round(time.process_time() - began + child.ru_utime + child.ru_stime)
    sys.stdout.write(json.dumps(read))


if __name__ == "__main__":
    main(Path(sys.argv[1]))
