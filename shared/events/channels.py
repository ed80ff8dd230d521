"""How a visit came about, from what shops and their analytics call it.

The words are those of Google Analytics: its default channel groups and the media behind them
(support.google.com/analytics/answer/9756891), and what shops with stores and apps call these.
"""

from shared.features.columns import (
    ADVERTISING,
    APP,
    DIRECT,
    MESSAGE,
    OTHER_CHANNEL,
    REFERRAL,
    SEARCH_ENGINE,
    SOCIAL,
    STORE,
    UNKNOWN_CHANNEL,
)

_PAID = ("paid", "cpc", "ppc", "cpm", "cpv", "cpa", "retargeting")
"""Words anywhere in a name that make it one of advertising: "Paid Social", "social cpc"."""

_PUSH = ("push", "push notification", "mobile push notifications", "notification")

_NAMES: dict[str, int] = {
    name: code
    for code, names in {
        UNKNOWN_CHANNEL: ("", "unknown", "not set", "unassigned", "data deleted"),
        DIRECT: ("direct", "none", "typed"),
        SEARCH_ENGINE: ("search", "organic", "organic search", "organic shopping", "natural search", "seo"),
        ADVERTISING: ("advertising", "ads", "ad", "display", "banner", "sem", "cross network", "interstitial", "audio"),
        SOCIAL: ("social", "organic social", "social network", "social media", "organic video", "sm", "influencer"),
        MESSAGE: ("message", "email", "e mail", "newsletter", "crm", "sms", "text", "text message", "whatsapp", *_PUSH),
        REFERRAL: ("referral", "affiliate", "affiliates", "partner", "partners", "link", "referrer", "blog"),
        APP: ("app", "mobile app", "in app"),
        STORE: ("store", "in store", "shop", "pos", "offline", "retail", "branch", "till"),
    }.items()
    for name in names
}


def channel_code(channel: str | None) -> int:
    """Index into CHANNELS; case, punctuation and what stands in brackets around a name do not matter."""
    words = "".join(c if c.isalnum() else " " for c in (channel or "").lower()).split()
    if any(word in _PAID for word in words):
        return ADVERTISING
    return _NAMES.get(" ".join(words), OTHER_CHANNEL)
