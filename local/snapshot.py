"""A dashboard in one file: the page with all that it shows of a stack inlined, for whoever has no access to it."""

from __future__ import annotations

import base64
import hashlib
import json
import re
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any
from urllib.parse import quote

from local.emulator import ROOT

PAGE = ROOT / "functions/serve_dashboard/page"
OVERVIEWS = (
    *("/segments", "/models", "/health", "/quarantine", "/quarantine/lines", "/audiences", "/audiences/versions"),
    *(
        "/results",
        *(f"/reports/{name}" for name in ("sizes", "flows", "revenue", "retention", "demand", "calibration", "drift")),
    ),
)

OF_A_CUSTOMER = (
    *("segment?explain=true&what_if=true", "history?limit=50", "deliveries?limit=50", "timeline"),
    "recommendations?limit=5",
)
OUTPUTS = {"churn": "churn_probability", "conversion": "conversion_probability", "ltv": "expected_ltv"}
"""Of bundles that do not say themselves what their targets' predictions are called."""

type Ask = Callable[..., tuple[int, Any]]
"""Asks the API: method, path and, of a POST, the body; gives status and answer."""


def snapshot(ask: Ask, at: str) -> str:
    """The page of what `ask` answers at an instant, in ISO 8601: a document that loads nothing and calls nobody."""
    return page({"at": at, "config": _asked(ask, "GET /dashboard/config.json"), "answers": answers(ask)})


def answers(ask: Ask) -> dict[str, Any]:
    """What the API says to all that the page shows at first, and of some customers of every segment."""
    by_request = {f"GET {path}": _asked(ask, f"GET {path}") for path in OVERVIEWS}
    segments = (by_request["GET /segments"] or {"segments": []})["segments"]
    audiences = (by_request["GET /audiences"] or {"audiences": []})["audiences"]
    members = [f"GET /audiences/{one['key']}/customers?limit=25" for one in audiences]
    by_request |= {request: _asked(ask, request) for request in members}
    rules = [*filter(None, [_leaving(by_request["GET /models"])]), *(one["where"] for one in audiences)]
    for rule in [*rules, *(_members(one["id"], by_request["GET /models"]) for one in segments)]:
        body = {"where": rule}
        by_request[f"POST /audiences/preview {_as_the_page_writes(body)}"] = _asked(
            ask, "POST /audiences/preview", body
        )
    listed = [customer for answer in by_request.values() for customer in _customers(answer)]
    for customer in dict.fromkeys(listed):
        for path in OF_A_CUSTOMER:
            request = f"GET /customers/{quote(customer, safe=_UNESCAPED)}/{path}"
            by_request[request] = _asked(ask, request)
    return {request: answer for request, answer in by_request.items() if answer is not None}


def page(saved: dict[str, Any]) -> str:
    """The document with what was saved; only its own script and style may run, which it names by their hashes."""
    script, style = ((PAGE / name).read_text() for name in ("app.js", "app.css"))
    policy = (
        f"default-src 'none'; script-src {_hash(script)}; style-src {_hash(style)}; img-src data:;"
        " base-uri 'none'; form-action 'none'"
    )
    data = json.dumps(saved, separators=(",", ":"), ensure_ascii=False).replace("<", "\\u003c")
    html = (PAGE / "index.html").read_text()
    html = _put(html, r"<script defer[^>]*></script>", "")
    html = _put(html, r"<link rel=\"stylesheet\"[^>]*>", f"<style>{style}</style>")
    html = _put(html, r"<link rel=\"preload\"[^>]*>\n", "")
    html = _put(
        html, r"<meta charset=\"utf-8\">", f'\\g<0>\n<meta http-equiv="Content-Security-Policy" content="{policy}">'
    )
    ends = f'<script type="application/json" id="snapshot">{data}</script>\n<script>{script}</script>\n</body>'
    return _put(html, "</body>", ends)


_UNESCAPED = "!'()*~"
"""What `encodeURIComponent` leaves as it is, beside what `quote` does."""


def _put(html: str, pattern: str, text: str) -> str:
    before, matched, after = re.split(f"({pattern})", html, maxsplit=1)
    return before + text.replace("\\g<0>", matched) + after


def _hash(text: str) -> str:
    return f"'sha256-{base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()}'"


def _asked(ask: Ask, request: str, body: Any = None) -> Any:
    """The answer to a request; None where there is none, which the page says."""
    method, path = request.split(" ", 1)
    status, answer = ask(method, path, body) if body is not None else ask(method, path)
    return answer if status == 200 else None


def _leaving(models: Any) -> str | None:
    """The rule of who is about to leave and worth keeping, as the page of today writes it."""
    thresholds = ((models or {}).get("live") or {}).get("thresholds", {})
    churn, value = thresholds.get("likely_to_churn"), thresholds.get("high_value")
    if not churn or not value:
        return None
    return f"churn_probability > {_rounded(churn)} and expected_ltv > {_rounded(value)}"


def _members(segment: int, models: Any) -> str:
    """The rule of who is in a segment, that asks for their predictions, as the page of segments writes it."""
    targets = ((models or {}).get("live") or {}).get("targets", {})
    outputs = [
        one.get("output") or OUTPUTS.get(name) for name, one in targets.items() if one.get("trained") is not False
    ]
    asked = [f"({output} is null or {output} is not null)" for output in outputs if output]
    return " and ".join([f"segment = {segment}", *asked])


def _rounded(value: float) -> str:
    """Two digits that count, as JavaScript writes them."""
    rounded = float(f"{value:.2g}")
    return str(int(rounded)) if rounded.is_integer() else repr(rounded)


def _as_the_page_writes(body: Any) -> str:
    return json.dumps(body, separators=(",", ":"), ensure_ascii=False)


def _customers(answer: Any) -> Sequence[str]:
    listed = [*(answer or {}).get("customers", ()), *(answer or {}).get("examples", ())] if answer else []
    return [one["customer_id"] for one in listed]


def save(html: str, path: Path) -> Path:
    """Writes the document."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(html)
    return path
