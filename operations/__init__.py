"""Commands for whoever keeps a deployed stack going."""
