import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from operations.stack import DeployedStack
from shared.insight.layout import LATEST_RESULTS
from tessera.results import main
from tests.conftest import BUCKET

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client

type Captured = pytest.CaptureFixture[str]


def _write(folder: Path, treatment: int = 800, control: int = 800, campaign: str = "spring") -> None:
    events: list[dict[str, Any]] = []
    for arm, n, buying in (("treatment", treatment, 2), ("control", control, 5)):
        for i in range(n):
            customer = {"customer_id": f"{arm}-{i}"}
            events.append(
                {
                    **customer,
                    "event_type": "identify",
                    "timestamp": "2026-01-01T00:00:00Z",
                    "attributes": {"tier": "gold" if i % 2 else "none"},
                }
            )
            exposure = {"event_type": "campaign_exposure", "timestamp": "2026-01-05T00:00:00Z", "campaign": campaign}
            events.append({**customer, **exposure, "arm": arm})
            if i % buying == 0:
                bought = {"event_type": "purchase", "timestamp": "2026-01-09T00:00:00Z", "price": 20, "order_id": "o"}
                events.append({**customer, **bought})
    folder.mkdir(exist_ok=True)
    (folder / f"{campaign}.ndjson").write_text("".join(f"{json.dumps(event)}\n" for event in events))


def test_it_says_whether_a_campaign_helped(tmp_path: Path, capsys: Captured) -> None:
    _write(tmp_path / "events")
    assert main(["--events", str(tmp_path / "events"), "--by", "tier", "--cost", "0.1", "--margin", "0.5"]) == 0
    said = capsys.readouterr().out
    assert said.startswith(
        "spring: an effect was found\n  800 approached, 800 held back, 4 days from the first exposure\n"
    )
    assert "  customers who bought: 50.00% against 20.00%; +30.00 points (" in said
    assert "    gold: " in said
    assert "800 contacts cost 80.00" in said


def test_it_says_the_whole_as_json(tmp_path: Path, capsys: Captured) -> None:
    _write(tmp_path / "events")
    _write(tmp_path / "events", campaign="autumn")
    arguments = ["--events", str(tmp_path / "events"), "--campaign", "autumn", "--holdout", "autumn=0.5", "--json"]
    assert main(arguments) == 0
    document = json.loads(capsys.readouterr().out)
    assert [result["campaign"] for result in document["results"]] == ["autumn"]
    assert document["results"][0]["assignment"]["planned_by"] == "given"


def test_arms_that_are_not_as_planned_are_told_instead_of_an_effect(tmp_path: Path, capsys: Captured) -> None:
    _write(tmp_path / "events", treatment=1_000, control=600)
    assert main(["--events", str(tmp_path / "events"), "--holdout", "0.5"]) == 0
    said = capsys.readouterr().out
    assert "spring: blocked: nothing of this may be believed\n" in said
    assert "37.50% are in the control group, where 50.00% were planned" in said
    assert "points" not in said


def test_without_a_control_group_there_is_before_and_after(tmp_path: Path, capsys: Captured) -> None:
    _write(tmp_path / "events", control=0)
    assert main(["--events", str(tmp_path / "events")]) == 0
    said = capsys.readouterr().out
    assert "spring: no control group: before and after, not an effect\n" in said
    assert "customers who bought: 0.00% in as many days before, 50.00% after" in said


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["--campaign", "other"], "nobody was exposed to other; there are spring"),
        (["--by", "size"], 'no customer has an attribute "size"; there are tier'),
        (["--holdout", "half"], '--holdout "half" is no share between 0 and 1'),
        (["--holdout", "1"], '--holdout "1" is no share between 0 and 1'),
        (["--window", "0"], "--window is a number of days"),
        (["--cost", "1"], "--cost and --margin go together"),
        (["--cost", "-1", "--margin", "0.5"], "--cost is an amount"),
    ],
)
def test_bad_input_is_refused_with_one_line(tmp_path: Path, capsys: Captured, arguments: list[str], says: str) -> None:
    _write(tmp_path / "events")
    assert main(["--events", str(tmp_path / "events"), *arguments]) == 2
    error = capsys.readouterr().err
    assert says in error.splitlines()[-1]


def test_what_a_stack_measured_last_is_said(
    s3: "S3Client", tmp_path: Path, capsys: Captured, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert main(["--bucket", BUCKET]) == 2
    assert "has no results yet" in capsys.readouterr().err
    _write(tmp_path / "events")
    assert main(["--events", str(tmp_path / "events"), "--json"]) == 0
    s3.put_object(Bucket=BUCKET, Key=LATEST_RESULTS, Body=capsys.readouterr().out.encode())
    monkeypatch.setattr(DeployedStack, "resources", {"DataBucket": BUCKET})
    assert main(["--stack", "tessera"]) == 0
    assert capsys.readouterr().out.startswith("spring: an effect was found\n")
