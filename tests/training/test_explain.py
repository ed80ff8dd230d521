from pathlib import Path

import numpy as np
import pytest

from tests.training.conftest import Shop
from training.explain import TOP, agreement, main


def test_page_tells_of_everyone_and_of_one_customer(shop: Shop, model: Path, tmp_path: Path) -> None:
    out = tmp_path / "why.html"
    arguments = ["--events", str(shop.file), "--model", str(model), "--customer", "5", "--out", str(out)]
    assert main(arguments) == 0
    page = out.read_text()
    for text in ("SHAP importance", "permutation", "What drives the segments", "LIME", "correlation of ranks"):
        assert text in page
    assert page.count("<svg") >= 4


def test_unknown_customer_is_bad_input(shop: Shop, model: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--events", str(shop.file), "--model", str(model), "--customer", "nobody"]) == 2
    assert "nobody" in capsys.readouterr().err


def test_attributions_agree_with_themselves_and_not_with_their_opposite() -> None:
    values = np.random.default_rng(1).normal(size=40)
    alike, shared = agreement(values, values)
    assert alike == pytest.approx(1.0)
    assert shared == TOP
    assert agreement(values, -values)[0] == pytest.approx(-1.0)
