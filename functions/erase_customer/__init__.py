"""The erasure of a customer, step by step."""
