"""The parts of a run in, its report out."""
