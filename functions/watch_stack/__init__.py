"""How the stack is doing, for people to read."""
