"""A new model in, decisions on everyone out."""
