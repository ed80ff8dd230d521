"""Serves the dashboard's page and what it consists of: GET /dashboard, GET /dashboard/{asset}.

Without a caller, since the page holds no data: it asks the same API for everything, with its reader's rights.
"""

import json
import os
from http import HTTPStatus
from pathlib import Path
from typing import Any

from aws_lambda_powertools.event_handler import Response
from aws_lambda_powertools.logging import correlation_paths
from aws_lambda_powertools.metrics import MetricUnit
from aws_lambda_powertools.utilities.typing import LambdaContext

from shared.api.answers import Refused, resolver
from shared.telemetry.logs import logger, metrics, watched

PAGE = Path(__file__).parent / "page"
KINDS = {"app.js": "text/javascript; charset=utf-8", "app.css": "text/css; charset=utf-8"}
UNCHANGED = "public, max-age=31536000, immutable"
"""Of files that the page names with a hash of their content."""
app = resolver(logger, None, "The page failed on our side; please try again.")


@watched(correlation_paths.API_GATEWAY_REST)
def handler(event: dict[str, Any], context: LambdaContext) -> dict[str, Any]:
    """Answers one request of a browser."""
    metrics.add_metric("PagesServed", MetricUnit.Count, 1)
    return app.resolve(event, context)


@app.get("/dashboard")
def page() -> Response[str]:
    """The page, with what it may load and whom it may call."""
    return _answer("text/html; charset=utf-8", (PAGE / "index.html").read_text(), "no-cache")


@app.get("/dashboard/<asset>")
def file(asset: str) -> Response[str]:
    """One of the files that the page consists of."""
    if asset == "config.json":
        return _answer("application/json", json.dumps(_config()), "no-store")
    if asset not in KINDS:
        raise Refused(HTTPStatus.NOT_FOUND, "asset_not_found", "The dashboard has no such file.")
    return _answer(KINDS[asset], (PAGE / asset).read_text(), UNCHANGED)


def _config() -> dict[str, Any]:
    """What the page has to know of the stack before anybody is signed in."""
    return {
        "currency": os.environ["CURRENCY"],
        "time_zone": os.environ["TIME_ZONE"],
        "now": os.environ.get("FROZEN_TIME") or None,
        "sign_in": _sign_in(os.environ.get("USER_POOL_ARN", "")),
    }


def _sign_in(pool: str) -> dict[str, str] | None:
    """Where people sign in; None where callers sign their requests, or no page is to ask for tokens."""
    client, domain = os.environ.get("SIGN_IN_CLIENT"), os.environ.get("SIGN_IN_DOMAIN")
    if not (pool and client and domain):
        return None
    region = pool.split(":")[3]
    issuer = f"https://cognito-idp.{region}.amazonaws.com/{pool.rpartition('/')[2]}"
    return {"issuer": issuer, "client_id": client, "domain": domain}


def _answer(kind: str, body: str, kept: str) -> Response[str]:
    domain = os.environ.get("SIGN_IN_DOMAIN", "")
    policy = (
        "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; "
        f"connect-src 'self' {domain}".rstrip()
        + "; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
    )
    headers = {
        "Cache-Control": kept,
        "Content-Security-Policy": policy,
        "Cross-Origin-Opener-Policy": "same-origin",
        "Permissions-Policy": "camera=(), geolocation=(), microphone=()",
        "Referrer-Policy": "no-referrer",
        "Strict-Transport-Security": "max-age=31536000",
        "X-Content-Type-Options": "nosniff",
    }
    return Response(HTTPStatus.OK, kind, body, headers)
