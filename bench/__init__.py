"""How fast and how small Tessera is, against the physical limit and the usual way: `python -m bench`."""
