"""One way in: the command `tessera`, which lists all others by what a person wants to do."""
