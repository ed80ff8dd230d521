"""Offline: train, score, publish and roll back models over the same features that the functions compute."""
