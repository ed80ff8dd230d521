"""What `make docs` adds to mkdocs: README as the home, and a page of each file of the repository that is linked to."""

import posixpath
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from mkdocs.config.defaults import MkDocsConfig
from mkdocs.structure.files import File, Files
from mkdocs.structure.pages import Page

ROOT = Path(__file__).parents[1]
LINK = re.compile(r"(?<=\]\()(?![a-z]+:|#)([^)#\s]+)")
LANGUAGES = {".yaml": "yaml", ".yml": "yaml", ".json": "json", ".toml": "toml", ".py": "python"}


def on_config(config: MkDocsConfig) -> MkDocsConfig:
    """Writes all pages of a folder in the place of its `*`."""
    config.nav = [_expanded(section) for section in config.nav or ()]
    return config


def on_files(files: Files, config: MkDocsConfig) -> Files:
    """Adds the pages that stand outside of docs/: those of the navigation, and what any page links to."""
    waiting = ["README.md", *(path_of(page) for page in _named(config.nav) if page.startswith("repository/"))]
    for file in files.documentation_pages():
        waiting += _targets(file.src_uri, (ROOT / path_of(file.src_uri)).read_text())
    while waiting:
        path = waiting.pop()
        page = page_of(path)
        if page in files.src_uris or not (ROOT / path).exists():
            continue
        content = _content(ROOT / path)
        files.append(File.generated(config, page, content=content))
        waiting += _targets(page, content)
    return files


def on_page_markdown(markdown: str, page: Page, config: MkDocsConfig, files: Files) -> str:
    """Leads a link to a file of the repository to its page; one that leads nowhere stays, and fails the build."""
    here = page.file.src_uri
    return LINK.sub(lambda link: _relative(here, link[1]), markdown)


def page_of(path: str) -> str:
    """The page or picture of the site, in docs/, that shows a file of the repository; the first page of a folder."""
    if path == "README.md":
        return "index.md"
    if (ROOT / path).is_dir():
        return page_of(str(min((ROOT / path).glob("*.md")).relative_to(ROOT)))
    if path.startswith("docs/") and path.endswith((".md", ".png")):
        return path.removeprefix("docs/")
    return f"repository/{path}" if path.endswith(".md") else f"repository/{path}.md"


def path_of(page: str) -> str:
    """The file of the repository that a page shows: the other way round."""
    if page == "index.md":
        return "README.md"
    if not page.startswith("repository/"):
        return f"docs/{page}"
    path = page.removeprefix("repository/")
    return path if (ROOT / path).exists() else path.removesuffix(".md")


def _expanded(section: Any) -> Any:
    [(title, pages)] = section.items()
    if not isinstance(pages, str) or "*" not in pages:
        return section
    return {title: sorted(str(path.relative_to(ROOT / "docs")) for path in (ROOT / "docs").glob(pages))}


def _named(nav: Any) -> Iterator[str]:
    if isinstance(nav, str):
        yield nav
    else:
        for part in nav.values() if isinstance(nav, dict) else nav:
            yield from _named(part)


def _target(page: str, link: str) -> str:
    return posixpath.normpath(posixpath.join(posixpath.dirname(path_of(page)), link))


def _targets(page: str, content: str) -> list[str]:
    return [_target(page, link) for link in LINK.findall(content)]


def _relative(page: str, link: str) -> str:
    target = _target(page, link)
    return posixpath.relpath(page_of(target), posixpath.dirname(page)) if (ROOT / target).exists() else link


def _content(path: Path) -> str:
    if path.suffix == ".md":
        return path.read_text()
    return f"# {path.relative_to(ROOT)}\n\n````{LANGUAGES.get(path.suffix, 'text')}\n{path.read_text()}\n````\n"
