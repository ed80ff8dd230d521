"""The two lists of what is recommended to a customer, as they are called wherever they are told."""

AGAIN_LIST, NEW_LIST = "buy_again", "new_for_you"
LISTS = (AGAIN_LIST, NEW_LIST)
SENT = 10
"""Products of a list that are sent and exported, and that rules of audiences know."""
