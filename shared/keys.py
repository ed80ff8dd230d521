"""The keys that profiles are kept under. Imports nothing, for the sake of functions that only look one up."""


def customer_key(customer_id: str) -> str:
    """The key of a customer's profile."""
    return f"customer#{customer_id}"


def visitor_key(anonymous_id: str) -> str:
    """The key of the profile of a visitor not yet known as a customer."""
    return f"visitor#{anonymous_id}"
