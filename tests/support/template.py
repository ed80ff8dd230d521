"""Resources of template.yaml as boto3's calls want them, so that tests run on what is deployed."""

from functools import cache
from pathlib import Path
from typing import Any

import yaml

TEMPLATE = Path(__file__).parents[2] / "template.yaml"


class _Loader(yaml.CSafeLoader):
    """Reads CloudFormation's short tags (`!Ref X`) as `{"Ref": "X"}`."""


def _tagged(loader: _Loader, tag: str, node: yaml.Node) -> dict[str, Any]:
    match node:
        case yaml.ScalarNode():
            value: Any = loader.construct_scalar(node)
        case yaml.SequenceNode():
            value = loader.construct_sequence(node, deep=True)
        case yaml.MappingNode():
            value = loader.construct_mapping(node, deep=True)
        case _:
            raise TypeError(f"{tag} is on {node}")
    return {tag: value}


_Loader.add_multi_constructor("!", _tagged)


@cache
def template() -> dict[str, Any]:
    """The template, read once: nobody may change it."""
    return read(TEMPLATE.read_text())


def read(text: str) -> dict[str, Any]:
    parsed: dict[str, Any] = yaml.load(text, _Loader)
    return parsed


def table_definition(logical_id: str, name: str) -> dict[str, Any]:
    """The arguments of create_table for a table of the template."""
    properties = template()["Resources"][logical_id]["Properties"]
    wanted = ("AttributeDefinitions", "KeySchema", "BillingMode", "GlobalSecondaryIndexes")
    definition = {key: properties[key] for key in wanted if key in properties}
    stream = properties.get("StreamSpecification", {})
    return {"TableName": name, **definition, "StreamSpecification": {"StreamEnabled": True, **stream}}
