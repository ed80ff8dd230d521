"""A history in, batches of its files out."""
