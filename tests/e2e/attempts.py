"""What somebody who holds one function in their hands would try, and the few functions that are there to do it."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Any

from local.stack import Stack
from tests.e2e.rights import resources

FOLDING = {"IngestEventsRole", "IngestLiveEventsRole", "BackfillEventsRole"}
DECIDING = {"RefreshSegmentsRole", "RescoreCustomersRole"}
ERASING = {"EraseCustomerRole"}
DELIVERING = {"DeliverRole"}
KEEPING_MOVES = {"PublishTransitionsRole"}
BROWSING = {"BrowseSegmentsRole"}
DEFINING = {"ManageAudiencesRole"}
OFFERING = {"MakeOfferRole"}
RECOMMENDING = {"RecommendProductsRole"}
TRAVELLING = {"AdvanceJourneyRole"}
EXPORTING = {"ExportTablesRole", "FinishExportRole"}
MEASURING = {"MeasureResultsRole"}
DRIFTING = {"MeasureDriftRole"}
WATCHING = {"WatchStackRole"}
ROLLING_BACK = {"RollBackModelRole"}
READING_RECOMMENDERS = RECOMMENDING | DELIVERING | WATCHING | FOLDING | DECIDING | DEFINING | {"ExportTablesRole"}
READING_MODELS = (
    WATCHING
    | FOLDING
    | DECIDING
    | KEEPING_MOVES
    | BROWSING
    | DELIVERING
    | DEFINING
    | EXPORTING
    | MEASURING
    | DRIFTING
    | {"LookupCustomerRole"}
)


READING_BESIDE = {"ExportTablesRole", "LookupCustomerRole", "RecommendProductsRole"}
"""Who else reads profiles by the batch."""


@dataclass(frozen=True)
class Attempt:
    """Something that only `by` may do."""

    what: str
    service: str
    call: Callable[[Any], object]
    by: frozenset[str]


def call(method: str, given: dict[str, Any], client: Any) -> object:
    """Asks a service for something."""
    return getattr(client, method)(**given)


def attempts(stack: Stack) -> list[Attempt]:
    """All of them, on a stack. None changes anything where it is refused."""
    ids = resources(stack)
    table = stack.table
    bucket = stack.bucket
    tried: list[Attempt] = []

    def add(what: str, service: str, by: set[str], call: Callable[[Any], object]) -> None:
        tried.append(Attempt(what, service, call, frozenset(by)))

    def key(pk: str, sk: str = "profile") -> dict[str, Any]:
        return {"pk": {"S": pk}, "sk": {"S": sk}}

    def insert(pk: str) -> Callable[[Any], object]:
        text = f"INSERT INTO \"{table}\" VALUE {{'pk': ?, 'sk': ?, 'version': ?}}"
        values = [{"S": pk}, {"S": "profile"}, {"N": "1"}]
        return lambda client: client.batch_execute_statement(Statements=[{"Statement": text, "Parameters": values}])

    def update(pk: str) -> Callable[[Any], object]:
        text = f'UPDATE "{table}" SET "events"=? WHERE "pk"=? AND "sk"=? AND "version"=?'
        values = [{"N": "1"}, {"S": pk}, {"S": "profile"}, {"N": "-1"}]
        return lambda client: client.batch_execute_statement(Statements=[{"Statement": text, "Parameters": values}])

    def table_call(method: str, **given: Any) -> Callable[[Any], object]:
        return lambda client: getattr(client, method)(TableName=table, **given)

    # ---- Profiles
    nobody = "customer#nobody"
    add(
        "look a profile up",
        "dynamodb",
        {"LookupCustomerRole", *BROWSING, *OFFERING, *RECOMMENDING},
        table_call("get_item", Key=key(nobody)),
    )
    add("insert a profile", "dynamodb", FOLDING, insert(nobody))
    add("change a profile", "dynamodb", FOLDING | DECIDING | ERASING, update(nobody))
    add("delete a profile", "dynamodb", ERASING, table_call("delete_item", Key=key(nobody)))
    add("forge a profile", "dynamodb", set(), table_call("put_item", Item=key(nobody)))
    forged = {"RequestItems": {table: [{"PutRequest": {"Item": key(nobody)}}]}}
    add("forge profiles by the batch", "dynamodb", ERASING, lambda client: client.batch_write_item(**forged))
    add(
        "read the whole table",
        "dynamodb",
        {"ExportTablesRole", "RescoreCustomersRole", *DEFINING},
        table_call("scan", Limit=1),
    )
    read = {"RequestItems": {table: {"Keys": [key(nobody)]}}}
    add(
        "read profiles",
        "dynamodb",
        FOLDING | DECIDING | ERASING | DEFINING | DELIVERING | TRAVELLING | READING_BESIDE,
        lambda client: client.batch_get_item(**read),
    )
    # ---- What stands beside them
    mark = key("mark#nobody", "mark")
    changing = {"UpdateExpression": "SET seen = :one", "ExpressionAttributeValues": {":one": {"N": "1"}}}
    add("change a mark", "dynamodb", FOLDING | ERASING | KEEPING_MOVES, table_call("update_item", Key=mark, **changing))
    add("delete a mark", "dynamodb", set(), table_call("delete_item", Key=mark))
    add("change a mark as if it were a profile", "dynamodb", set(), insert("mark#nobody"))
    move = key("moves#customer#nobody", "transition#1")
    add("put a move", "dynamodb", KEEPING_MOVES, table_call("put_item", Item=move))
    member = key("moves#customer#nobody", "member#all")
    add("change who is in an audience", "dynamodb", KEEPING_MOVES, table_call("update_item", Key=member, **changing))
    add("forget who is in an audience", "dynamodb", KEEPING_MOVES | ERASING, table_call("delete_item", Key=member))
    size = key("segments", "size#0#0")
    add("change a size", "dynamodb", KEEPING_MOVES, table_call("update_item", Key=size, **changing))
    sent_as = {"RequestItems": {table: [{"PutRequest": {"Item": key("deliveries#customer#nobody", "as#crm#x")}}]}}
    add("write what was sent", "dynamodb", DELIVERING | ERASING, lambda client: client.batch_write_item(**sent_as))
    standing = key("journeys#nobody", "on#cart#t")
    add("put somebody on a journey", "dynamodb", TRAVELLING | ERASING, table_call("put_item", Item=standing))
    asked = {"KeyConditionExpression": "pk = :x", "ExpressionAttributeValues": {":x": standing["pk"]}}
    add("read who is on a journey", "dynamodb", TRAVELLING | ERASING | BROWSING, table_call("query", **asked))
    read_standing = {"RequestItems": {table: {"Keys": [standing]}}}
    add("read where some stand", "dynamodb", BROWSING, lambda client: client.batch_get_item(**read_standing))
    pace = key("pace#crm", "pace")
    add("set the pace of a vendor", "dynamodb", DELIVERING, table_call("update_item", Key=pace, **changing))
    for index, by in (("members", BROWSING | DEFINING), ("due", {"RefreshSegmentsRole"})):
        name = {"members": "member_of", "due": "due_shard"}[index]
        asked = {"KeyConditionExpression": f"{name} = :x", "ExpressionAttributeValues": {":x": {"S": "nobody"}}}
        add(f"read the index {index}", "dynamodb", by, table_call("query", IndexName=index, **asked))
    add("delete the table", "dynamodb", set(), table_call("delete_table"))
    # ---- The bucket
    for prefix, readers, writers in (
        ("events/", {"IngestEventsRole", "BackfillEventsRole"}, set[str]()),
        ("history/", {"BackfillEventsRole"}, set()),
        ("mappings/", {*FOLDING, "AcceptEventsRole"}, set()),
        ("models/", READING_MODELS, set()),
        ("models/current.json", READING_MODELS | ROLLING_BACK, ROLLING_BACK),
        ("recommenders/", READING_RECOMMENDERS, set()),
        ("audiences/", DEFINING | MEASURING, DEFINING),
        ("audiences/versions/", DEFINING | MEASURING, DEFINING),
        ("destinations/", DELIVERING, set()),
        ("journeys/", TRAVELLING | BROWSING, set()),
        ("archive/", {"BackfillEventsRole", *ERASING}, {"IngestLiveEventsRole", *ERASING}),
        ("marks/", set(), FOLDING | ERASING),
        ("exports/", ERASING, ERASING | EXPORTING),
        ("exports/snapshots/", ERASING | EXPORTING | MEASURING | DRIFTING, ERASING | EXPORTING),
        ("exports/orders/", ERASING | MEASURING | DRIFTING, ERASING | EXPORTING),
        ("exports/states/", ERASING | DRIFTING, ERASING | EXPORTING),
        ("exports/deliveries/", ERASING, ERASING | EXPORTING),
        ("reports/results/", MEASURING, MEASURING),
        ("reports/insight/", MEASURING | BROWSING, MEASURING),
        ("reports/drift/", DRIFTING, DRIFTING),
        ("reports/exports/", EXPORTING, EXPORTING),
        ("reports/learning/", set(), set()),
        ("learning/", set(), set()),
        ("quarantine/events/", ERASING | WATCHING | DRIFTING, {"IngestEventsRole", "BackfillEventsRole", *ERASING}),
        ("quarantine/live/", ERASING | WATCHING | DRIFTING, {*FOLDING, "AcceptEventsRole", *ERASING}),
        ("reports/erasures/", ERASING, ERASING),
    ):
        place: Any = {"Bucket": bucket, "Key": f"{prefix}nobody"}
        stack.s3.put_object(**place, Body=b"{}")
        add(f"read {prefix}", "s3", readers, partial(call, "get_object", place))
        add(f"write {prefix}", "s3", writers, partial(call, "put_object", place))
        deleters = ERASING if prefix.startswith(("quarantine/", "exports/", "archive/")) else set[str]()
        add(f"delete from {prefix}", "s3", deleters, partial(call, "delete_object", place))
    # Lambda asks for it before it takes a bucket for what it gives up.
    add("list the whole bucket", "s3", {"IngestLiveEventsRole"}, lambda client: client.list_objects_v2(Bucket=bucket))
    add("open the bucket to all", "s3", set(), lambda client: client.delete_public_access_block(Bucket=bucket))
    # ---- Secrets, queues, the bus, other functions
    marking = FOLDING | ERASING | KEEPING_MOVES | TRAVELLING | BROWSING | {"AcceptEventsRole", "ExportTablesRole"}
    for secret, by in (("MarkSecret", marking), ("CursorSecret", BROWSING | DEFINING)):
        asked = {"SecretId": ids[secret]}
        add(f"read {secret}", "secretsmanager", by, partial(call, "get_secret_value", asked))
    own = {"SecretId": "tessera/destinations/crm"}
    add("read a destination's secret", "secretsmanager", DELIVERING, partial(call, "get_secret_value", own))
    for queue, by in (
        ("IngestQueue", {"IngestEventsRole"}),
        ("LiveQueue", {"AcceptEventsRole", *DELIVERING, *OFFERING}),
        ("ErasureQueue", {"RequestErasureRole", *FOLDING, *ERASING, *DELIVERING}),
        ("RefreshQueue", {"RefreshSegmentsRole"}),
        ("JourneysQueue", set()),
    ):
        sent = {"QueueUrl": ids[queue], "MessageBody": "{}"}
        add(f"send to {queue}", "sqs", by, partial(call, "send_message", sent))
        add(f"empty {queue}", "sqs", set(), partial(call, "purge_queue", {"QueueUrl": ids[queue]}))
    entry = {"Source": "tessera", "DetailType": "forged", "Detail": "{}", "EventBusName": stack.bus}
    add(
        "speak on the bus",
        "events",
        KEEPING_MOVES | ERASING | TRAVELLING | DRIFTING,
        lambda client: client.put_events(Entries=[entry]),
    )
    other = {"FunctionName": ids["EraseCustomerFunction"], "Payload": b"{}"}
    add("call another function", "lambda", set(), lambda client: client.invoke(**other))
    add("see alarms", "cloudwatch", WATCHING, lambda client: client.describe_alarms(MaxRecords=1))
    run = {"stateMachineArn": stack.rescore_arn, "input": "{}"}
    add("start a run", "stepfunctions", set(), lambda client: client.start_execution(**run))
    mail = {"FromEmailAddress": "a@shop.example", "DefaultContent": {"Template": {"TemplateName": "x"}}}
    entries = [{"Destination": {"ToAddresses": ["a@customers.example"]}}]
    # Of a stack that names no identity; where one is, test_mail.py says who may.
    add("send an e-mail", "sesv2", set(), lambda client: client.send_bulk_email(**mail, BulkEmailEntries=entries))
    add("give itself a right", "iam", set(), lambda client: client.create_user(UserName="intruder"))
    return tried
