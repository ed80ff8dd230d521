"""The Lambda functions: each folder's `app.py` wires one trigger to `shared`."""
