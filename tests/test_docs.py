"""The README against the code: what it names must be there, and what is there must be named."""

import itertools
import re
import subprocess
import tomllib
from pathlib import Path

import pytest

from local.emulator import ROOT
from local.flat_template import flat
from local.samples import SAMPLES, function_of
from shared.destinations.vendors import VENDORS
from shared.events import FIELDS
from shared.features import EVENT_TYPES, FEATURES
from shared.features.__main__ import markdown
from tests.support.check import LEFT_OUT, NOT_LEFT_OUT
from tests.support.template import read, template

README = (ROOT / "README.md").read_text()
CONTRIBUTING = (ROOT / "CONTRIBUTING.md").read_text()
MAKEFILE = (ROOT / "Makefile").read_text()


@pytest.mark.parametrize("target", sorted(set(re.findall(r"[`$] ?make ([a-z]+)", README))))
def test_every_make_command_exists(target: str) -> None:
    assert re.search(rf"^{target}:", MAKEFILE, re.MULTILINE)


@pytest.mark.parametrize("path", sorted(set(re.findall(r"\]\((?!http)([^)#]+)\)", README))))
def test_every_link_leads_somewhere(path: str) -> None:
    assert (ROOT / path).exists()


@pytest.mark.parametrize("module", sorted(set(re.findall(r"python -m ([\w.]+)", README))))
def test_every_module_it_runs_exists(module: str) -> None:
    assert (ROOT / Path(*module.split("."))).with_suffix(".py").exists()


def test_every_folder_of_the_table_exists() -> None:
    folders = re.findall(r"^\| `([^`]+)/` \|", README, re.MULTILINE)
    assert folders
    assert [folder for folder in folders if not (ROOT / folder).is_dir()] == []


@pytest.mark.parametrize(("paths", "mark"), re.findall(r"-m pytest ((?:tests\S* )+)-m (\w+)", MAKEFILE))
def test_a_target_collects_all_tests_of_its_mark(paths: str, mark: str) -> None:
    collected = [ROOT / path for path in paths.split()]
    marked = [path for path in ROOT.glob("tests/**/*.py") if f"pytest.mark.{mark}" in path.read_text()]
    assert marked
    assert [path for path in marked if not any(path.is_relative_to(place) for place in collected)] == []


def test_every_field_and_event_type_is_named() -> None:
    assert [
        name for name in (*FIELDS, *EVENT_TYPES[1:]) if f"`{name}`" not in README and f'"{name}"' not in README
    ] == []


def test_every_sample_it_invokes_exists_and_is_for_that_function() -> None:
    named = re.findall(r"invoke (\w+) --event (\S+)", README)
    assert named
    assert [
        (f, s) for f, s in named if (f, s) not in {(function_of(s), str(s.relative_to(ROOT))) for s in SAMPLES}
    ] == []


def test_every_parameter_it_names_is_in_the_template() -> None:
    section = README.partition("## Deploy")[2].partition("##")[0]
    named = re.findall(r"`([A-Z][A-Za-z]+)`", section)
    assert named
    assert [name for name in named if name not in template()["Parameters"]] == []


def test_it_counts_the_features() -> None:
    assert f"The {len(FEATURES)} numbers" in README


def test_the_page_of_destinations_lists_every_vendor() -> None:
    listed = re.findall(r"^\| [^|]+ \| `(\w+)` \|", (ROOT / "docs/destinations.md").read_text(), re.M)
    assert sorted(listed) == [*VENDORS]


def test_a_number_the_readme_quotes_from_the_decisions_is_there() -> None:
    decision = (ROOT / "docs/decisions/0001-history-is-a-set-of-events.md").read_text()
    assert "63 to 5,085 bytes" in README
    assert "| 63 |" in decision
    assert "| 5,085 |" in decision


def test_the_page_of_features_is_the_catalogue() -> None:
    assert (ROOT / "docs/features.md").read_text() == markdown(), "run: python -m shared.features > docs/features.md"


def test_every_dependency_has_its_reason() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())
    groups = project["dependency-groups"].values()
    wanted = {re.split(r"[\[=]", name)[0] for name in [*project["project"]["dependencies"], *itertools.chain(*groups)]}
    reasons = (ROOT / "docs/decisions/0002-libraries.md").read_text()
    stubs = {name for name in wanted if name.endswith("-stubs") or name.startswith("types-")}
    assert [name for name in sorted(wanted - stubs) if name not in reasons] == []


def test_every_rule_that_the_scan_leaves_out_has_its_reason() -> None:
    lines = (ROOT / ".checkov.yaml").read_text().partition("skip-check:\n")[2].splitlines()
    reasons = [list(group) for comment, group in itertools.groupby(lines, lambda line: line.startswith("  # "))]
    assert lines[0].startswith("  # ")
    assert all(line.startswith(("  # ", "  - CKV_")) for line in lines)
    assert all(len(" ".join(reason)) > 60 for reason in reasons[::2])
    suppressed = [line for line in (ROOT / "template.yaml").read_text().splitlines() if "id: CKV_" in line]
    assert all("comment:" in line for line in suppressed)


PAGES = sorted([*ROOT.glob("*.md"), *ROOT.glob("docs/**/*.md"), ROOT / "bench/README.md"])
FOLDERS = "api|bench|docs|events|functions|local|operations|shared|statemachines|tessera|tests|training"


def files_named_in(text: str) -> set[str]:
    """Files and folders of the repository in backticks, but those of a bucket."""
    named = re.findall(rf"`((?:{FOLDERS}|\.github)/[\w./-]*\w/?|[\w./]+/\w+\.py|\w+\.toml|\.?\w+\.yaml)`", text)
    return {path for path in named if not path.startswith("events/") or path.endswith(".json")}


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_a_page_names_files_that_exist(page: Path) -> None:
    assert [path for path in sorted(files_named_in(page.read_text())) if not (ROOT / path).exists()] == []


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_a_page_names_modules_that_exist(page: Path) -> None:
    dotted = re.findall(
        r"\b((?:shared|training|operations|local|bench|tests|tessera)(?:\.[a-z]\w*)+)", page.read_text()
    )
    modules = [name for name in sorted(set(dotted)) if not name.endswith((".md", ".py"))]
    assert [name for name in modules if not is_in_the_house(name)] == []


def is_in_the_house(dotted: str) -> bool:
    """Whether it is a module, or a name that stands in one."""
    path = ROOT / dotted.replace(".", "/")
    module = path.parent.with_suffix(".py")
    return path.is_dir() or path.with_suffix(".py").exists() or (module.exists() and path.name in module.read_text())


def test_contributing_names_commands_that_exist() -> None:
    assert [target for target in re.findall(r"make (\w+)", CONTRIBUTING) if f"\n{target}:" not in MAKEFILE] == []


@pytest.mark.parametrize("whole", ["shared", "training"])
def test_the_map_of_rooms_is_the_order_of_imports_and_the_folders(whole: str) -> None:
    contracts = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["importlinter"]["contracts"]
    (layers,) = [contract["layers"] for contract in contracts if contract.get("containers") == [whole]]
    order = [room for layer in layers if ":" not in layer for room in layer.split(" | ")]
    table = CONTRIBUTING.partition(f"| room of `{whole}/`")[2].partition("\n\n")[0]
    folders = {path.parent.name for path in (ROOT / whole).glob("*/__init__.py")}
    assert re.findall(r"^\| `(\w+)` \|", table, re.MULTILINE) == order
    assert {*order} - {path.stem for path in (ROOT / whole).glob("*.py")} == folders


RECIPES = dict(
    re.findall(r"^### (.+?)\n(.+?)(?=^##)", CONTRIBUTING.partition("## Recipes")[2], re.MULTILINE | re.DOTALL)
)


@pytest.mark.parametrize("recipe", RECIPES)
def test_a_recipe_names_files_that_exist_and_tests_to_run(recipe: str) -> None:
    named = files_named_in(RECIPES[recipe])
    run = re.findall(r"(?<= )(tests/[\w./]+)", "".join(re.findall(r"^\$ .+$", RECIPES[recipe], re.MULTILINE)))
    assert len(named) >= 2
    assert run
    assert [path for path in (*named, *run) if not (ROOT / path).exists()] == []


def test_there_are_ten_recipes() -> None:
    assert len(RECIPES) == 10


def test_what_the_quick_check_leaves_out_is_there() -> None:
    for name in (*LEFT_OUT, *NOT_LEFT_OUT):
        path, _, test = name.partition("::")
        assert not test or f"def {test.partition('[')[0]}" in (ROOT / path).read_text(), name
        assert (ROOT / path).exists(), name


@pytest.mark.parametrize("function", sorted(path.parent.name for path in (ROOT / "functions").glob("*/app.py")))
def test_every_function_joins_what_holds_functions_to_their_word(function: str) -> None:
    simulation = "".join(path.read_text() for path in (ROOT / "tests/simulation").glob("*.py"))
    assert f'"{function}"' in simulation
    assert any(sample.name.partition(".")[0] == function for sample in SAMPLES)
    package = template()["Resources"][f"{function.title().replace('_', '')}Function"]["Properties"]
    assert package["CodeUri"] == f"functions/{function}"
    assert package["Handler"] == f"functions.{function}.app.handler"
    assert "@watched" in (ROOT / "functions" / function / "app.py").read_text()


def test_every_function_is_built_from_the_package_that_its_name_says() -> None:
    packages = sorted(path.parent.name for path in (ROOT / "functions").glob("*/app.py"))
    targets = [f"build-{package.title().replace('_', '')}Function" for package in packages]
    command = ["make", "--dry-run", "--no-print-directory", "-f", str(ROOT / "Makefile"), *targets, "ARTIFACTS_DIR=/x"]
    lines = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    assert re.findall(r"functions/__init__.py functions/(\w+) ", lines) == packages


def test_the_template_that_is_scanned_says_what_the_template_says() -> None:
    written = flat((ROOT / "template.yaml").read_text())
    assert "<<:" not in written
    assert read(written) == template()


SECOND_MEANINGS = {
    "segments are of customers; a scan of the table has partitions": (
        r"segments? of (the|a) (table|scan)",
        "*.py *.json *.md",
    ),
    "Incoming": (r"class News\b", "*.py"),
    "Condition": (r"class Is\b", "*.py"),
    "a session, a comparison": (r"\bBout\b", "*.py"),
    "announced": (r"\bmark\.told\b", "*.py"),
    "sentences, evaluations": (r"class _(Told|Seen)\b", "*.py"),
    "described, as_answer, with_acts": (r"\b_(said|having_done)\b", "*.py"),
    "HASH_MULTIPLIER, DAYS_TRIED": (r"^(ODD|LOOKS) = [0-9(]", "shared/*.py"),
    "a claim says which customer a visitor is; a possible name is a candidate": (
        r"\b[Cc]laims?\b",
        "training/segmentation/*.py",
    ),
    "training learns outcomes; labels are a shop's names": (r"\blabels?\b(?!=\[)", "training/prediction/*.py"),
    "segments are matched; identity is who is who": (r"(?<!\")\bidentity\b", "training/segmentation/*.py"),
}
"""What to say instead, the words, and where they must not stand."""


@pytest.mark.parametrize("instead", SECOND_MEANINGS)
def test_a_word_has_one_meaning(instead: str) -> None:
    words, where = SECOND_MEANINGS[instead]
    command = ["git", "grep", "-nP", words, "--", *where.split(), ":!docs/glossary.md", ":!tests/test_docs.py"]
    lines = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False).stdout.splitlines()
    assert lines == []
