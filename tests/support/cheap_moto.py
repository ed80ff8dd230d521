"""What moto and boto3 do again and again in every test, done once, or as much of it as matters."""

import copy
import functools
import os
from collections import defaultdict
from collections.abc import Callable
from typing import Any
from unittest.mock import patch

import boto3
import botocore.useragent
import jsonpath_ng.ext.parser
import moto.backend_index
import moto.core.responses
from moto.core.base_backend import BaseBackend
from moto.core.serialize import AttributePickerContext, XFormedAttributePicker
from moto.dynamodb.models import DynamoDBBackend
from moto.dynamodb.models.dynamo_type import DynamoType
from moto.dynamodb.models.table import Table
from moto.s3.models import S3Backend

_new_client: Callable[..., Any] = boto3.client
_transact = DynamoDBBackend.transact_write_items
_possible_keys = XFormedAttributePicker.get_possible_keys
_made: dict[str, Any] = {}
OFTEN = ("dynamodb", "s3", "events", "sqs")
"""The services that tests ask most, whose addresses moto looks for among hundreds, from the first to the last."""


def remember() -> None:
    """Works out once what comes out alike for every request, where `tests/functions` spent seven tenths of its time."""
    backends = moto.backend_index.backend_url_patterns
    backends.sort(key=lambda entry: OFTEN.index(entry[0]) if entry[0] in OFTEN else len(OFTEN))
    for place, name, cheap in (
        (BaseBackend, "urls", property(_urls)),
        (S3Backend, "urls", property(_urls)),  # which loads a module anew, should the environment name another address
        (XFormedAttributePicker, "get_possible_keys", _possible_keys_once),
        (botocore.useragent, "sanitize_user_agent_string_component", None),
        (moto.core.responses, "camelcase_to_underscores", None),
        (moto.core.responses, "method_names_from_class", None),
        (jsonpath_ng.ext, "parse", None),  # with a parser made anew for each event of a bus and each rule
    ):
        setattr(place, name, cheap or functools.cache(getattr(place, name)))


_urls_of: Any = BaseBackend.urls
_urls_by_type: dict[type, Any] = {}


def _urls(backend: BaseBackend) -> Any:
    kind = type(backend)
    if kind not in _urls_by_type:
        _urls_by_type[kind] = _urls_of.fget(backend)
    return _urls_by_type[kind]


def _possible_keys_once(picker: XFormedAttributePicker, context: AttributePickerContext) -> list[str]:
    """By what names an object of a type may hold a member, kept beside what the member is described by."""
    known: dict[Any, list[str]] = vars(context.shape).setdefault("possible_keys", {})
    asked = (type(context.obj), context.key)
    if asked not in known:
        known[asked] = [*dict.fromkeys(_possible_keys(picker, context))]
    return known[asked]


def client(service: str, **options: Any) -> Any:
    """A client of its own, whose methods a test may replace; all that are alike share what takes long to make.

    That is their events too: who registers a handler takes it away again.
    """
    config = options.get("config")
    settings = {**options, "config": config and sorted(vars(config).items(), key=str)}
    surroundings = sorted((name, value) for name, value in os.environ.items() if name.startswith("AWS_"))
    alike = repr((service, sorted(settings.items()), surroundings))
    if alike not in _made:
        _made[alike] = _new_client(service, **options)
    own = object.__new__(type(_made[alike]))
    vars(own).update(vars(_made[alike]))
    return own


def transact_write_items(backend: DynamoDBBackend, transact_items: list[dict[str, Any]]) -> None:
    """A transaction for which moto copies, to go back to, not the whole table for every write of it: only what is
    written may change. Our table has a key of two parts."""
    written: dict[str, list[Any]] = defaultdict(list)
    for action in transact_items:
        for operation in action.values():
            written[operation["TableName"]].append(operation.get("Key") or operation.get("Item"))

    @functools.cache
    def copied(table: Table) -> Table:
        kept = copy.copy(table)
        kept.items = defaultdict(dict, {first: dict(rows) for first, rows in table.items.items()})
        for key in written[table.name]:
            rows = kept.items.get(DynamoType(key[table.hash_key_attr]), {})
            second = DynamoType(key[str(table.range_key_attr)])
            if second in rows:
                rows[second] = copy.deepcopy(rows[second])
        if table.stream_shard:
            kept.stream_shard = copy.copy(table.stream_shard)
            kept.stream_shard.table = kept
            kept.stream_shard.items = [*table.stream_shard.items]
        return kept

    with patch.object(Table, "__deepcopy__", lambda table, _memo: copied(table), create=True):
        _transact(backend, transact_items)
