"""`python -m tessera` is `tessera`, where that is not on the path."""

from tessera.cli import main

main()
