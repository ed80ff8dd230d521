"""Time in: whoever is due, decided on anew."""
