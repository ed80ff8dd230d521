"""The dashboard's page, its script and its style: files made of dashboard/, which hold no data."""
