"""Kevin Hillstrom's e-mail test as events: what was known of 64,000 customers, e-mails to two thirds, visits after."""

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pandas as pd

from local.emulator import ROOT

FILE = ROOT.parent / "shared/data/hillstrom/emails.parquet"
SENT = datetime(2008, 3, 1, 9, tzinfo=UTC)
"""When exposures are put; the data has no times."""
DAYS = 14


def write_events(folder: Path, email: str) -> Path:
    """The events of those who got the `email`, "Mens" or "Womens", or none."""
    people = pd.read_parquet(FILE)
    people = people[people.segment.isin([f"{email} E-Mail", "No E-Mail"])].reset_index(names="id")
    customer = people.id.astype(str)
    bought = SENT - pd.to_timedelta(people.recency * 30, unit="D")
    known = pd.DataFrame({"customer_id": customer, "channel": people.channel.map({"Web": "web", "Phone": "phone"})})
    parts = []
    for name in ("mens", "womens"):
        lines = known.assign(
            event_id=f"{name}-" + customer,
            event_type="purchase",
            timestamp=bought,
            order_id="o" + customer,
            category=name,
            brand=people.zip_code,
            price=(people.history / (people.mens + people.womens)).round(2),
        )
        parts.append(lines[people[name] == 1])
    old = known.assign(event_id="first-" + customer, event_type="page_view", timestamp=SENT - timedelta(days=700))
    parts.append(old[people.newbie == 0])
    sent = known.assign(
        event_id="sent-" + customer,
        event_type="campaign_exposure",
        timestamp=SENT,
        campaign=email,
        arm=people.segment.eq("No E-Mail").map({True: "control", False: "treatment"}),
    )
    came = known.assign(event_id="came-" + customer, event_type="page_view", timestamp=SENT + timedelta(days=3))
    end = known.head(1).assign(
        event_id="end", event_type="page_view", timestamp=SENT + timedelta(days=DAYS + 1), customer_id="nobody"
    )
    path = folder / f"{email}.parquet"
    pd.concat([*parts, sent, came[people.visit == 1], end]).to_parquet(path, index=False)
    return path
