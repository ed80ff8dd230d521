"""Deep feature synthesis by FeatureTools, whose libraries clash with the project's: `make featuretools` installs them
into an environment of its own, whose Python runs this file alone: FOLDER. It imports nothing of the project.

FOLDER holds `events.parquet`, `visits.parquet` and `asked.json`; for each window and cut-off a `NUMBER.parquet` is
written with a row for each customer and a column for each candidate, and `candidates.json` says what they are.
"""

import json
import resource
import sys
import warnings
from pathlib import Path
from typing import Any

warnings.simplefilter("ignore")

import featuretools as ft  # noqa: E402
import pandas as pd  # noqa: E402

MEASURES = ("count", "sum", "mean", "num_unique", "time_since_last")
CODED = ("kind", "category", "brand", "product", "visit")


def run(folder: Path) -> None:
    """Writes the candidates' values, and a line for each file to standard output."""
    asked = json.loads((folder / "asked.json").read_text())
    _, most = resource.getrlimit(resource.RLIMIT_DATA)
    resource.setrlimit(resource.RLIMIT_DATA, (asked["most_bytes"], most))
    entities = _entities(folder, asked)
    made = ft.dfs(
        entityset=entities,
        target_dataframe_name="customers",
        agg_primitives=list(MEASURES),
        trans_primitives=[],
        where_primitives=list(MEASURES),
        max_depth=2,
        features_only=True,
    )
    by_name = {feature.get_name(): (feature, said) for feature in made if (said := _described(feature))}
    chosen = [by_name[name] for name in sorted(by_name)]
    lasting = [each for each in chosen if each[1]["measure"] == "time_since_last"]
    windowed = [each for each in chosen if each[1]["measure"] != "time_since_last"]
    columns = []
    for number, one in enumerate(asked["runs"]):
        some = windowed if one["days"] else lasting
        matrix = ft.calculate_feature_matrix(
            [feature for feature, _ in some],
            entityset=entities,
            cutoff_time=pd.DataFrame(
                {"customer": entities["customers"]["customer"], "time": pd.Timestamp(one["cutoff_ms"], unit="ms")}
            ),
            training_window=ft.Timedelta(one["days"], "d") if one["days"] else None,
            include_cutoff_time=False,
            n_jobs=1,
        )
        values = matrix.sort_index().astype(float)
        values.columns = [str(place) for place in range(len(some))]
        values.to_parquet(folder / f"{number}.parquet")
        columns.append([said for _, said in some])
        sys.stdout.write(f"{number}\n")
        sys.stdout.flush()
    (folder / "candidates.json").write_text(json.dumps({"made": len(made), "columns": columns}))


def _entities(folder: Path, asked: dict[str, Any]) -> Any:
    """Customers, their visits, and the events of both."""
    events, visits = (pd.read_parquet(folder / f"{name}.parquet") for name in ("events", "visits"))
    customers = pd.DataFrame({"customer": range(asked["customers"])})
    entities = ft.EntitySet("shop")
    entities.add_dataframe(dataframe_name="customers", dataframe=customers, index="customer")
    entities.add_dataframe(
        dataframe_name="visits",
        dataframe=visits,
        index="visit",
        time_index="time",
        logical_types={"visit": "Categorical"},
    )
    entities.add_dataframe(
        dataframe_name="events",
        dataframe=events,
        index="event",
        time_index="time",
        logical_types={**dict.fromkeys(CODED, "Categorical"), "spent": "Double"},
    )
    for parent, child in (("customers", "visits"), ("visits", "events"), ("customers", "events")):
        entities.add_relationship(parent, parent.removesuffix("s"), child, parent.removesuffix("s"))
    entities.add_interesting_values(dataframe_name="events", values=asked["values"])
    return entities


def _described(feature: Any) -> dict[str, Any] | None:
    """What a feature measures of which events; None of those that the catalogue has no formula for."""
    if not isinstance(feature, ft.AggregationFeature) or len(feature.relationship_path) != 1:
        return None
    (base, *_) = feature.base_features
    measure = feature.primitive.name
    if base.dataframe_name == "events" and isinstance(base, ft.IdentityFeature):
        column = None if measure in ("count", "time_since_last") else base.get_name()
        said = measure if column is None else f"{measure} of {column}"
        return {"measure": said, **_where(feature)}
    is_of_visits = base.dataframe_name == "visits" and measure == "mean" and feature.where is None
    if is_of_visits and isinstance(base, ft.AggregationFeature) and base.primitive.name == "count":
        return {"measure": "count_a_visit", **_where(base)}
    return None


def _where(feature: Any) -> dict[str, Any]:
    if feature.where is None:
        return {"column": None, "value": 0}
    return {"column": feature.where.base_features[0].get_name(), "value": int(feature.where.primitive.value)}


if __name__ == "__main__":
    run(Path(sys.argv[1]))
