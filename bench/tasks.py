"""What is measured: each task makes ready what it needs, untimed, and gives the work to be timed."""

from collections.abc import Iterable
from pathlib import Path
from typing import Any

from bench.adopting import decide_alone_adopted, decide_batch_adopted, lightgbm_alone, lightgbm_batch
from bench.campaigns import learn_response, learn_uplift, scikit_uplift
from bench.delivering import deliver, deliver_at_once, deliver_naive
from bench.discovering import discover_features, featuretools_alone
from bench.file_tasks import FILE_TASKS
from bench.live_events import ingest_live_1, ingest_live_10, ingest_live_100, ingest_live_naive
from bench.previewing import count_export, pandas_export, scan_export
from bench.reasons import (
    look_up,
    look_up_with_reasons,
    update_batch,
    update_batch_with_audiences,
    update_batch_with_next_change,
)
from bench.recommending import recommend_products, recommend_to_batch
from bench.scoring import onnx_alone, onnx_batch, score_batch, score_batch_forecast, score_one, score_one_explained
from bench.serving import bare_get_item, lookup, store_requests, store_requests_bare, store_requests_naive
from bench.shop_tasks import (
    day_file,
    decode_profiles,
    encode_profiles,
    feature_matrix,
    json_decode,
    json_encode,
    merge_profiles,
    pandas_day_file,
    pandas_merge,
    pandas_of_shop,
    pandas_shop_file,
    read_columns,
    shop_file_to_features,
)
from bench.snapshots import snapshot, snapshot_pandas, snapshot_scan
from bench.stream import EventStream
from bench.targets import decide_alone, decide_alone_with_targets, decide_batch, decide_batch_with_targets
from bench.usual_way import (
    pandas_score_batch,
    pandas_score_batch_forecast,
    pandas_score_one,
    pandas_score_one_explained,
)
from bench.work import Inputs, Task, Work
from local.complete_journey import AS_OF
from shared.clock import Moment
from shared.events import Rules, read_file
from shared.events.event import parse_timestamp
from shared.features import EventColumns, Profiles, features, fold
from shared.intake.gathering import Intake
from shared.profiles.stored_profile import StoredProfile
from shared.profiles.table import ProfileTable

MEGABYTE = 1_000_000
_YEAR_END_MS = parse_timestamp(AS_OF)


# ---- In memory -------------------------------------------------------------------------------------------------------


def features_of_profiles(inputs: Inputs) -> Work:
    """All features of the customers in the file, from their profiles."""
    profiles = _profiles(inputs.purchases)
    return Work(lambda: features(profiles, _YEAR_END_MS), len(profiles))


def pandas_of_frame(inputs: Inputs) -> Work:
    """The same with pandas, from a data frame that is in memory already."""
    import pandas as pd

    from bench.pandas_features import COLUMNS, pandas_features

    frame = pd.read_parquet(inputs.purchases, columns=COLUMNS)
    as_of = pd.Timestamp(_YEAR_END_MS, unit="ms")
    return Work(lambda: pandas_features(frame, as_of), frame.customer_id.nunique())


# ---- Streams ---------------------------------------------------------------------------------------------------------


class _Nowhere(ProfileTable):
    """A table that knows nobody and keeps nothing, for its contents would count as memory of the function."""

    def __init__(self) -> None:
        pass

    def load(self, keys: Iterable[str]) -> dict[str, StoredProfile]:
        return {}

    def save(self, profiles: Any) -> set[str]:
        return set()


def take_in_stream(inputs: Inputs) -> Work:
    """Take a stream of NDJSON in as the function does: read, check, fold, gather, merge, encode, and write."""
    stream = EventStream(inputs.megabytes * MEGABYTE, inputs.customers)
    facts: dict[str, float] = {}

    def run() -> None:  # to its end, so once only
        intake = Intake(_Nowhere(), None, Moment(_YEAR_END_MS, _YEAR_END_MS))
        for chunk in read_file(stream, "stream.ndjson", Rules()):
            intake.add(chunk, lambda rejections: None)
        intake.flush()
        facts.update(accepted=intake.accepted, lines=stream.lines, bytes=stream.bytes, making_seconds=stream.seconds)

    return Work(run, inputs.megabytes, facts)


TASKS: dict[str, Task] = FILE_TASKS | {
    task.__name__: task
    for task in (
        shop_file_to_features,
        pandas_shop_file,
        day_file,
        pandas_day_file,
        merge_profiles,
        pandas_merge,
        encode_profiles,
        json_encode,
        decode_profiles,
        json_decode,
        feature_matrix,
        read_columns,
        features_of_profiles,
        pandas_of_frame,
        pandas_of_shop,
        look_up,
        look_up_with_reasons,
        recommend_products,
        recommend_to_batch,
        update_batch,
        update_batch_with_next_change,
        update_batch_with_audiences,
        decide_batch,
        decide_batch_with_targets,
        decide_alone,
        decide_alone_with_targets,
        decide_batch_adopted,
        lightgbm_batch,
        decide_alone_adopted,
        lightgbm_alone,
        learn_uplift,
        scikit_uplift,
        learn_response,
        discover_features,
        featuretools_alone,
        count_export,
        pandas_export,
        scan_export,
        score_one,
        pandas_score_one,
        score_one_explained,
        pandas_score_one_explained,
        onnx_alone,
        score_batch,
        pandas_score_batch,
        score_batch_forecast,
        pandas_score_batch_forecast,
        onnx_batch,
        ingest_live_1,
        ingest_live_10,
        ingest_live_100,
        ingest_live_naive,
        store_requests,
        store_requests_naive,
        store_requests_bare,
        lookup,
        bare_get_item,
        deliver,
        deliver_naive,
        deliver_at_once,
        snapshot,
        snapshot_pandas,
        snapshot_scan,
        take_in_stream,
    )
}


def _parts(path: Path) -> list[EventColumns]:
    return [chunk.events for chunk in read_file(path, path.name, Rules())]


def _profiles(path: Path) -> Profiles:
    return fold(*_parts(path))
