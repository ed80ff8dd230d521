"""Writes template.yaml without the merges of its anchors, which some tools take for keys that stand twice.

python -m local.flat_template > flat.yaml
"""

import sys
from typing import Any

import yaml

from local.emulator import ROOT


def flat(text: str) -> str:
    """YAML that says the same, in which every mapping has its own keys, each once."""
    loader = yaml.SafeLoader(text)
    root = loader.get_single_node()
    _flatten(loader, root, set())
    written: str = yaml.serialize(root, Dumper=yaml.SafeDumper, width=10_000)
    return written


def _flatten(loader: yaml.SafeLoader, node: Any, done: set[int]) -> None:
    if id(node) in done or isinstance(node, yaml.ScalarNode):
        return
    done.add(id(node))
    if isinstance(node, yaml.MappingNode):
        loader.flatten_mapping(node)
        # What is merged in comes first, so that a mapping's own value stands.
        node.value = [*{key.value: (key, value) for key, value in node.value}.values()]
    for part in node.value:
        for inner in part if isinstance(part, tuple) else (part,):
            _flatten(loader, inner, done)


if __name__ == "__main__":
    sys.stdout.write(flat((ROOT / "template.yaml").read_text()))
