"""The keys that profiles are kept under, and the names for them that may stand in a log."""

import hashlib

LONGEST_ID = 128
"""Characters of a customer's or a visitor's id, at most."""

_CUSTOMER, _VISITOR = "customer#", "visitor#"


def customer_key(customer_id: str) -> str:
    """The key of a customer's profile."""
    return f"{_CUSTOMER}{customer_id}"


def customer_id(key: str) -> str:
    """Whose the key of a customer's profile is."""
    return key.removeprefix(_CUSTOMER)


def visitor_key(anonymous_id: str) -> str:
    """The key of the profile of a visitor not yet known as a customer."""
    return f"{_VISITOR}{anonymous_id}"


def visitor_id(key: str) -> str:
    """Whose the key of a visitor's profile is."""
    return key.removeprefix(_VISITOR)


def is_visitor(key: str) -> bool:
    """Whether it is the key of a visitor's profile."""
    return key.startswith(_VISITOR)


def anonymous(key: str) -> str:
    """A name for a profile that may stand in a log, where a customer's id may not: the same key gives the same name."""
    return hashlib.blake2b(key.encode(), digest_size=6).hexdigest()
