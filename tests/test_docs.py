"""Documents are true: links and anchors resolve, commands exist with their options, named files are there."""

from __future__ import annotations

import fnmatch
import re
import shlex
import subprocess
import sys
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any, get_args
from urllib.parse import unquote, urlsplit

import pytest
from invoke import Program
from invoke.exceptions import ParseError
from invoke.parser import Parser
from markdown_it import MarkdownIt
from markdown_it.token import Token
from pydantic import BaseModel

import tasks
from cli import reference
from ops.settings import Settings

ROOT = Path(__file__).parents[1]
MARKDOWN = MarkdownIt("commonmark").enable("table")
COMMAND = re.compile(r"(?<![\w/])\./inv\b(?P<arguments>[^\n;|&()`]*)")
PLACEHOLDER = re.compile(r"[A-Z][A-Z0-9_]*|<[\w -]+>|\S*…")
PATH = re.compile(r"\.?[\w*<>-][\w.*<>-]*(/[\w.*<>-]+)*/?")
NOT_PATHS = {
    "AWS",
    "hashicorp",
    "runner",
    "_access",
    "access",
    "async",
    "capture",
    "code",
    "datasets",
    "timm",
}
"""First parts of names with a slash that are not paths here: S3 prefixes, namespaces, a Terraform provider, models of timm."""
SETTING = re.compile(
    r"(\[(?P<section>[a-z0-9_.]+)\]( (?P<name>[a-z0-9_]+))?|(?P<dotted>[a-z0-9_]+(\.[a-z0-9_]+)+))( = .+)?"
)
FILE_SUFFIXES = {".gz", ".json", ".md", ".pt", ".py", ".toml"}


def documents() -> list[Path]:
    """Return the Markdown files that git tracks, and new ones that it does not ignore."""
    command = ["git", "-C", str(ROOT), "ls-files", "--cached", "--others", "--exclude-standard", "*.md"]
    done = subprocess.run(command, capture_output=True, text=True)
    if done.returncode:
        pytest.skip("not a git checkout", allow_module_level=True)
    return [path for name in done.stdout.splitlines() if (path := ROOT / name).is_file()]


DOCUMENTS = documents()
OURS = [path for path in DOCUMENTS if "embedded_aws" not in path.parts]


@cache
def tokens(path: Path) -> tuple[Token, ...]:
    return tuple(MARKDOWN.parse(path.read_text(encoding="utf-8")))


def inline(path: Path) -> Iterator[Token]:
    for token in tokens(path):
        yield from token.children or ()


# ---- links ----


def links(path: Path) -> list[str]:
    """Return the targets of a document's links and images that have no scheme."""
    found = [str(token.attrs.get("href") or token.attrs.get("src") or "") for token in inline(path)]
    return [target for target in found if target and not urlsplit(target).scheme]


@cache
def anchors(path: Path) -> frozenset[str]:
    """Return the anchors that GitHub gives to a document's headings; the second of one name ends in -1."""
    found: list[str] = []
    for opening, content in zip(tokens(path), tokens(path)[1:], strict=False):
        if opening.type == "heading_open":
            text = "".join(child.content for child in content.children or ())
            slug = re.sub(r"[^\w\- ]", "", text.lower()).replace(" ", "-")
            count = sum(re.fullmatch(rf"{re.escape(slug)}(-\d+)?", known) is not None for known in found)
            found.append(f"{slug}-{count}" if count else slug)
    return frozenset(found)


def broken_links(path: Path) -> list[str]:
    """Return the relative links of a document that lead to no file, or to no heading of it."""
    broken = []
    for target in links(path):
        place, _, fragment = unquote(target).partition("#")
        file = path.parent / place if place else path
        if not file.exists() or (fragment and fragment not in anchors(file)):
            broken.append(target)
    return broken


def named(path: Path) -> str:
    return str(path.relative_to(ROOT))


@pytest.mark.parametrize("path", DOCUMENTS, ids=named)
def test_links_and_anchors_resolve(path):
    assert broken_links(path) == []


def test_a_broken_link_and_a_broken_anchor_are_found(tmp_path):
    (tmp_path / "there.md").write_text("# One heading, here\n\n# Twice\n\n# Twice\n")
    page = tmp_path / "page.md"
    page.write_text(
        "# Page\n[a](there.md) [b](there.md#one-heading-here) [c](there.md#twice-1) [d](#page) "
        "[e](https://example.com/gone) [f](gone.md) [g](there.md#twice-2) [h](#other) ![i](gone.svg)\n"
        "```\n[j](in-a-listing.md)\n```\n"
    )
    assert broken_links(page) == ["gone.md", "there.md#twice-2", "#other", "gone.svg"]


# ---- commands ----


def code(path: Path) -> Iterator[str]:
    """Yield the listings and the code spans of a document, without diagrams."""
    for token in tokens(path):
        if token.type == "code_block" or (token.type == "fence" and token.info != "mermaid"):
            yield token.content
        yield from (child.content for child in token.children or () if child.type == "code_inline")


def commands(path: Path) -> list[str]:
    """Return what follows `./inv` in a document's listings and code spans, without comments."""
    lines = [line.partition(" #")[0] for text in code(path) for line in text.splitlines()]
    return [match["arguments"].strip(" \"'") for line in lines for match in COMMAND.finditer(line)]


def parse(arguments: str) -> None:
    """Parse a command line as `./inv` does. Placeholders such as NAME have the value 1. Raises ParseError."""
    words = ["1" if PLACEHOLDER.fullmatch(word) else word for word in shlex.split(arguments)]
    if not words or words == ["1"]:  # `./inv` itself, or `./inv TASK`
        return
    if words[0].startswith("-"):
        core = {flag for argument in Program().core_args() for flag in argument.names}
        if words[0].lstrip("-") not in core or any(w not in {"1", *names()} for w in words[1:]):
            raise ParseError(f"No such option: ./inv {arguments}")
        return
    try:
        parser().parse_argv(words)
    except ValueError as error:
        raise ParseError(str(error)) from error


@cache
def parser() -> Parser:
    return Parser(contexts=tasks.namespace.to_contexts())


@cache
def names() -> frozenset[str]:
    return frozenset(tasks.namespace.task_names)


def wrong_commands(path: Path) -> list[str]:
    """Return the commands of a document that `./inv` would refuse."""
    wrong = []
    for arguments in commands(path):
        try:
            parse(arguments)
        except ParseError as error:
            wrong.append(f"./inv {arguments}: {error}")
    return wrong


@pytest.mark.parametrize("path", DOCUMENTS, ids=named)
def test_commands_exist_with_their_options(path):
    assert wrong_commands(path) == []


def test_wrong_commands_are_found(tmp_path):
    page = tmp_path / "page.md"
    page.write_text(
        "`./inv up --env dev`, `./inv TASK`, `./inv --help TASK`, `./inv deploy --model N`, `./inv`\n\n"
        '    open "$(./inv workbench.open)"   # ./inv is not read here\n\n'
        "`./inv upp`; `./inv up --enw dev`, `./inv deploy --model x`, `./inv predict FILE`, `./inv --hlep up`\n\n"
        "```mermaid\n./inv nothing\n```\n"
    )
    wrong = [line.partition(":")[0] for line in wrong_commands(page)]
    assert wrong == [
        "./inv upp",
        "./inv up --enw dev",
        "./inv deploy --model x",
        "./inv predict FILE",
        "./inv --hlep up",
    ]


# ---- paths ----


def ignored() -> set[str]:
    """Return the folders that git ignores: a checkout need not have them."""
    return {line.rstrip("/") for line in (ROOT / ".gitignore").read_text().splitlines() if line.endswith("/")}


def paths(path: Path) -> list[str]:
    """Return the code spans of a document that are written as a path: a slash in it, no space, no scheme."""
    spans = [child.content for child in inline(path) if child.type == "code_inline"]
    return [
        span
        for span in spans
        if "/" in span and PATH.fullmatch(span) and span.split("/")[0] not in NOT_PATHS | ignored()
    ]


def missing_paths(path: Path) -> list[str]:
    """Return the paths that a document names and nothing has, from the root or from the document's folder."""
    return [span for span in paths(path) if not any(matches(folder, span) for folder in (ROOT, path.parent))]


def matches(folder: Path, span: str) -> bool:
    """Return whether a path exists under a folder. `*` and `<name>` stand for any name."""
    pattern = re.sub(r"<[\w -]+>", "*", span).rstrip("/")
    return any(folder.glob(pattern)) if "*" in pattern else (folder / pattern).exists()


@pytest.mark.parametrize("path", OURS, ids=named)
def test_named_paths_exist(path):
    assert missing_paths(path) == []


def test_a_missing_path_is_found(tmp_path):
    (tmp_path / "there").mkdir()
    page = tmp_path / "page.md"
    page.write_text(
        "`there/`, `./inv up`, `s3://bucket/key`, `/absolute/name`, `.venv/bin/ruff`, `a b/c`, `environments/*.toml`, "
        "`environments/<name>.toml`, `gone/`, `environments/gone.toml`, `environments/*.gone`\n"
    )
    assert missing_paths(page) == ["gone/", "environments/gone.toml", "environments/*.gone"]


# ---- settings ----


def settings_named(path: Path) -> list[str]:
    """Return the settings that code spans of a document name: `[section]`, `[section] name` or `section.name`."""
    found = []
    for child in inline(path):
        match = SETTING.fullmatch(child.content) if child.type == "code_inline" else None
        if match and match["section"]:
            found.append(".".join(filter(None, (match["section"], match["name"]))))
        elif match and is_dotted_setting(match["dotted"]):
            found.append(match["dotted"])
    return found


def is_dotted_setting(text: str) -> bool:
    """Return whether a dotted name begins like a setting and is neither a task nor a file."""
    begins = text.split(".")[0] in Settings.model_fields
    return begins and text not in names() and Path(text).suffix not in FILE_SUFFIXES


def is_setting(dotted: str) -> bool:
    """Return whether environments/*.toml may hold this setting or section."""
    kind: Any = Settings
    for name in dotted.split("."):
        models = [k for k in (kind, *get_args(kind)) if isinstance(k, type) and issubclass(k, BaseModel)]
        if not models or name not in models[0].model_fields:
            return False
        kind = models[0].model_fields[name].annotation
    return True


# The documents of Terraform's modules name their variables in the same way.
@pytest.mark.parametrize("path", [p for p in OURS if "terraform" not in p.parts], ids=named)
def test_named_settings_exist(path):
    assert [setting for setting in settings_named(path) if not is_setting(setting)] == []


def test_an_unknown_setting_is_found(tmp_path):
    page = tmp_path / "page.md"
    page.write_text(
        "`[storage]`, `[budget] monthly_usd = 300`, `serving.autoscaling.min_capacity`, `[serving.second]`, `ec2.train`, "
        "`model.json`, `ml.m5.large`, `[storge]`, `[budget] monthly_eur`, `serving.autoscaling.least = 1`\n"
    )
    found = settings_named(page)
    assert [setting for setting in found if is_setting(setting)] == [
        "storage",
        "budget.monthly_usd",
        "serving.autoscaling.min_capacity",
        "serving.second",
    ]
    assert [setting for setting in found if not is_setting(setting)] == [
        "storge",
        "budget.monthly_eur",
        "serving.autoscaling.least",
    ]


# ---- what each document promises ----


def test_the_readme_has_at_most_120_lines():
    assert len((ROOT / "README.md").read_text().splitlines()) <= 120


def test_the_task_reference_is_up_to_date():
    # A separate process: invoke removes the help from a task when it reads the options for the first time.
    program = "from cli import reference; print(reference.render(reference.load()), end='')"
    done = subprocess.run(
        [sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True, check=True
    )
    assert reference.FILE.read_text() == done.stdout, "run: .venv/bin/python -m cli.reference"


def test_the_task_reference_explains_every_option():
    rows = [line for line in reference.FILE.read_text().splitlines() if line.startswith("| `-")]
    assert len(rows) > 80
    assert [row for row in rows if re.search(r"\|\s*\|", row)] == []


def unlisted(folder: Path) -> set[Path]:
    """Return the documents of a folder that its README.md does not link; of a folder in it, the README.md."""
    listed = {(folder / target.partition("#")[0]).resolve() for target in links(folder / "README.md")}
    pages = {*folder.glob("*.md"), *folder.glob("*/README.md")} - {folder / "README.md"}
    return {page.relative_to(folder) for page in pages if page.resolve() not in listed}


@pytest.mark.parametrize("folder", [ROOT / "docs", ROOT / "docs" / "decisions"], ids=named)
def test_an_index_lists_every_document(folder):
    assert unlisted(folder) == set()


def test_an_unlisted_document_is_found(tmp_path):
    (tmp_path / "more").mkdir()
    for name in ("listed.md", "forgotten.md", "more/README.md"):
        (tmp_path / name).write_text("# Page\n")
    (tmp_path / "README.md").write_text("[listed](listed.md#page)\n")
    assert unlisted(tmp_path) == {Path("forgotten.md"), Path("more/README.md")}


@pytest.mark.parametrize(
    "path", sorted((ROOT / "docs" / "decisions").glob("[0-9]*.md")), ids=lambda path: path.stem
)
def test_a_decision_has_its_four_sections(path):
    headings = re.findall(r"^## (.+)$", path.read_text(), re.MULTILINE)
    assert fnmatch.fnmatch(path.name, "[0-9][0-9][0-9][0-9]-*.md")
    assert headings == ["Status", "Context", "Decision", "Consequences"]
