"""Keeps and publishes the moves of customers between segments."""
