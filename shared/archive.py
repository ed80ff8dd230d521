"""Live events as they came, kept so that a table that was lost can be made anew of them."""

ARCHIVE = "archive/"
