"""How clients of AWS make requests."""

from botocore.config import Config

UNCHECKED = Config(parameter_validation=False)
"""For DynamoDB, whose requests hold hundreds of values: botocore would look at the type of each, which takes a third of
a request's time. mypy has looked at who makes them, and DynamoDB refuses what is none of its types."""
