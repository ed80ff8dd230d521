"""The erasure of a customer, asked for by the API."""
