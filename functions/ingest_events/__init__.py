"""Event files in, decisions out."""
