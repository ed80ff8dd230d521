"""Live events in, by the API."""
