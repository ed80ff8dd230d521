"""A batch of files in, decisions out."""
