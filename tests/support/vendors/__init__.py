"""Vendors that take calls as their public documentation says, written by us: no real vendor was called.

Each is a function from a request to an answer with what it has taken in, so that tests look at both sides. They are
strict: a call that the documentation does not allow is refused, as the vendor would.
"""
