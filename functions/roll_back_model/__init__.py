"""The way back to an earlier model."""
