"""Whatever stands in a config, training answers with one line that says what is wrong and what there may be."""

import json
import math
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any
from zoneinfo import available_timezones

import pytest
from hypothesis import given
from hypothesis import strategies as st

from training import train
from training.base.config import OPTIONS, Config
from training.base.errors import InputError
from training.base.options import accepts, may_be

ODD = [
    *(-1, 0, 1, 2, 3, 0.5, 1.5, -0.1, 100.0, 1e308, -1e308, math.nan, math.inf, -math.inf, 2**31, -(2**63), 10**400),
    *(
        "",
        "x",
        "USD",
        "usd",
        "auto",
        "\x00",
        "é" * 1000,
        True,
        False,
        [],
        [[]],
        ["Channel"],
        ["Weather", 1],
        {},
        {"a": 1},
    ),
    *(date(2026, 1, 1), datetime(2026, 1, 1, tzinfo=UTC)),
]
"""Values of every type of TOML that one may come upon."""
ANY = st.sampled_from(ODD) | st.integers() | st.floats() | st.text(max_size=9) | st.booleans()


def toml(values: dict[str, Any]) -> str:
    return "".join(f"{_literal(name)} = {_literal(value)}\n" for name, value in values.items())


def _literal(value: Any) -> str:
    if isinstance(value, dict):
        return f"{{{', '.join(f'{_literal(name)} = {_literal(entry)}' for name, entry in value.items())}}}"
    if isinstance(value, list):
        return f"[{', '.join(map(_literal, value))}]"
    if isinstance(value, float):
        return repr(value)
    if isinstance(value, str | bool | int):
        # JSON's escapes are TOML's, but for characters beyond the basic plane and for DEL.
        return json.dumps(value, ensure_ascii=False).replace("\x7f", "\\u007f")
    return str(value)


def allowed(name: str, value: Any) -> bool:
    if not accepts(OPTIONS[name], value):
        return False
    return (name, value) != ("segments", 1) and (name != "time_zone" or value in available_timezones())


@pytest.fixture(scope="module")
def file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("config") / "config.toml"


@given(st.dictionaries(st.sampled_from(list(OPTIONS)) | st.text(max_size=9), ANY, max_size=5))
def test_any_config_is_either_within_limits_or_answered_in_one_line_with_all_that_is_wrong(
    file: Path, values: dict[str, Any]
) -> None:
    file.write_text(toml(values), encoding="utf-8")
    wrong = [name for name, value in values.items() if name not in OPTIONS or not allowed(name, value)]
    try:
        config = Config.load(file)
    except InputError as error:
        message = str(error)
        assert "\n" not in message
        for name in wrong:
            if name in OPTIONS:
                assert f"{name} must be {may_be(OPTIONS[name])}, not " in message
        assert wrong or "most_segments must be at least fewest_segments" in message
    else:
        assert not wrong
        assert {name: getattr(config, name) for name in values} == {
            name: tuple(value) if isinstance(value, list) else value for name, value in values.items()
        }


@pytest.mark.parametrize(
    ("option", "value"),
    [
        *((name, 0) for name in OPTIONS if name.endswith("_days") and name != "minimum_history_days"),
        *((name, value) for name in OPTIONS if name.endswith("share") for value in (1.01, -0.01, math.nan)),
        *((name, 0) for name in ("trees", "tree_depth", "forest_trees", "bootstraps", "threads", "maximum_cutoffs")),
        *((name, value) for name in ("explained_variance", "learning_rate") for value in (0, 1.01)),
        ("validation_slices", 0),
        ("segments", 1),
        ("clip_share", 0.5),
        ("clustering", "k-medoids"),
        ("choose_by", "auc"),
        ("currency", "usd"),
        ("time_zone", "Europe/Bonn"),
        ("time_zone", "../etc"),
        ("time_zone", 1),
        ("left_out_of_segments", ("Channel", "Weather")),
        ("left_out_of_segments", "Channel"),
    ],
)
def test_what_training_cannot_work_with_is_refused(option: str, value: Any) -> None:
    with pytest.raises(InputError, match=f"^{option} must be .*, not "):
        Config(**{option: value})


def test_all_mistakes_are_said_at_once_before_any_event_is_read(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "config.toml").write_text(
        "cutoff_every_days = 0\nloyal_share = 1.5\ntrees = 'many'\ntres = 5\nfewest_segments = 8\nmost_segments = 6\n"
    )
    arguments = ["--events", "nowhere", "--out", str(tmp_path / "out"), "--config", str(tmp_path / "config.toml")]
    assert train.main(arguments) == 2
    assert capsys.readouterr().err == (
        f"error: {tmp_path}/config.toml: there is no option 'tres'; did you mean \"trees\"?; "
        "cutoff_every_days must be a whole number from 1 to 36,500, not 0; "
        "trees must be a whole number from 1 to 10,000, not 'many'; loyal_share must be a number from 0 to 1, not 1.5; "
        "most_segments must be at least fewest_segments, which is 8, not 6\n"
    )


@pytest.mark.parametrize(
    "content",
    [b"trees", b"\xff", b"trees = " + b"9" * 5_000, b"trees = 0x" + b"f" * 9_000, b"trees = " + b"[" * 100_000],
    ids=["no value", "not UTF-8", "many digits", "more digits than Python writes out", "nested"],
)
def test_what_is_no_toml_is_answered_too(tmp_path: Path, capsys: pytest.CaptureFixture[str], content: bytes) -> None:
    (tmp_path / "config.toml").write_bytes(content)
    arguments = ["--events", "nowhere", "--out", str(tmp_path / "out"), "--config", str(tmp_path / "config.toml")]
    assert train.main(arguments) == 2
    error = capsys.readouterr().err
    assert error.startswith("error: ") and error.count("\n") == 1 and len(error) < 400
