"""Kevin Hillstrom's MineThatData e-mail test as events: 64,000 customers, dealt by lot into two e-mails and none.

The data has no times. What customers had spent is one purchase, as many months ago as it says; what they did within two
weeks of the e-mails is dealt out over those. Read from beside the repository, and never part of it.
"""

from pathlib import Path

import numpy as np
import pandas as pd

FOLDER = Path(__file__).parents[3] / "shared/data/hillstrom"
SENT = pd.Timestamp("2008-03-01T09:00:00Z")
DAYS = 14
CAMPAIGNS = {"mens_email": "Mens E-Mail", "womens_email": "Womens E-Mail"}
CONTROL = "No E-Mail"


def emails() -> pd.DataFrame:
    """The published rows, with an id each."""
    rows = pd.read_parquet(FOLDER / "emails.parquet")
    return rows.assign(customer_id=[f"h{i}" for i in range(len(rows))])


def events(rows: pd.DataFrame) -> pd.DataFrame:
    """Everything that happened, as the contract's events."""
    chance = np.random.default_rng(2008)
    later = pd.to_timedelta(chance.uniform(0.01, DAYS - 0.01, len(rows)), unit="D")
    came = SENT + later.floor("s")
    bought = rows.history > 0
    parts = [
        _of(rows[bought], "purchase", SENT - pd.to_timedelta(30 * rows.recency[bought], unit="D"), "before").assign(
            price=rows.history[bought], order_id="before"
        ),
        _of(rows, "identify", SENT - pd.Timedelta(days=1), "known").assign(
            attributes=[
                f'{{"lives":"{zip_code}","newbie":{str(bool(newbie)).lower()}}}'
                for zip_code, newbie in zip(rows.zip_code, rows.newbie, strict=True)
            ]
        ),
        _of(rows[rows.visit == 1], "page_view", came[rows.visit == 1], "visit"),
        _of(rows[rows.conversion == 1], "purchase", came[rows.conversion == 1], "order").assign(
            price=rows.spend[rows.conversion == 1], order_id="order"
        ),
        _of(rows[:1], "page_view", SENT + pd.Timedelta(days=DAYS), "last"),
    ]
    for campaign, email in CAMPAIGNS.items():
        own = rows[rows.segment.isin([email, CONTROL])]
        arm = np.where(own.segment == email, "treatment", "control")
        parts.append(_of(own, "campaign_exposure", SENT, campaign).assign(campaign=campaign, arm=arm))
    return pd.concat(parts, ignore_index=True)


def _of(rows: pd.DataFrame, event_type: str, timestamp: object, name: str) -> pd.DataFrame:
    ids = rows.customer_id + "-" + name
    return pd.DataFrame(
        {"event_id": ids, "event_type": event_type, "timestamp": timestamp, "customer_id": rows.customer_id}
    )
