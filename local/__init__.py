"""The whole system on one machine: a local AWS, the deployed template, and tools that use them."""
