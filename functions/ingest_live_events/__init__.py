"""Live events in, decisions out."""
