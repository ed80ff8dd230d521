"""A bundle against the future: the same bundle, scores and outcomes as the commands one by one would give."""

from pathlib import Path

import pytest

from tests.training.conftest import Shop
from training import evaluate
from training.base.errors import InputError

AS_OF = "2024-09-10"
INTENTS = "<!-- shop: intents -->\nold\n<!-- shop: intents -->"
PAGE = f"# Page\n\n{INTENTS}\n\n<!-- shop -->\nold\n<!-- shop -->\n\nafter\n"


def test_bundle_and_plain_model_are_measured_on_what_came_after(
    shop: Shop, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    page = tmp_path / "models.md"
    page.write_text(PAGE)
    arguments = ["--events", str(shop.file), "--as-of", AS_OF, "--config", str(shop.config), "--name", "shop"]
    assert evaluate.main([*arguments, "--table", str(page)]) == 0
    output = capsys.readouterr().out
    assert "ltv_horizon_days: 47, since no more days are known after 2024-09-10T00:00:00Z" in output
    text = page.read_text()
    before, mark, rest = text.partition("<!-- shop -->")
    assert (
        before.startswith("# Page\n\n<!-- shop: intents -->\n**shop**, as of 2024-09-10:")
        and "| `everyone` |" in before
    )
    assert f"{mark}{rest}".startswith("<!-- shop -->\n**shop**") and text.endswith("<!-- shop -->\n\nafter\n")
    assert "| churn, 30 days |" in text and "| ltv, 47 days |" in text and "old" not in text
    auc = float(text.partition("AUC ")[2].split(" ")[0])
    assert 0.6 < auc < 1


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--as-of", "2030-01-01"], "there are no events after 2030-01-01T00:00:00Z to compare with"),
        (["--as-of", AS_OF, "--table", "nowhere.md"], "nowhere.md"),
    ],
)
def test_what_cannot_be_compared_is_refused(
    shop: Shop, capsys: pytest.CaptureFixture[str], arguments: list[str], message: str
) -> None:
    assert evaluate.main(["--events", str(shop.file), "--config", str(shop.config), *arguments]) == 2
    error = capsys.readouterr().err
    assert message in error and error.splitlines()[-1].startswith("error: ")


def test_a_page_without_marks_is_left_alone(tmp_path: Path) -> None:
    page = tmp_path / "page.md"
    page.write_text("# Nothing\n")
    with pytest.raises(InputError, match="does not hold the line <!-- shop --> twice"):
        evaluate.put(page, "shop", ["new"])
    assert page.read_text() == "# Nothing\n"
