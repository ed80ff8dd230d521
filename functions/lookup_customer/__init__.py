"""One customer's decision, for a page that loads."""
