"""What ends a command with one line: input that cannot be used, and a bundle that must not go live."""


class InputError(Exception):
    """The user's input cannot be used; the message is one line that says what is wrong and what to do."""


class Refused(Exception):
    """The bundle must not go live; the message says in one line why."""
