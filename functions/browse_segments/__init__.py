"""Segments and the moves between them, page by page."""
