"""Articles and the themes that show them, for density_bench.py: built in a folder, installed from public packages.

The articles are the demo's, in five languages, and some more with what those lack: pictures that say their size and
such that don't, code, long tables, frames. Each theme gets them as plain HTML, the way its own writers would.
"""

from __future__ import annotations

import html
import json
import re
import shutil
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from adproxy.demo.content import load_articles
from adproxy.demo.pages import article_page
from adproxy.demo.pictures import draw

DEMO_STATIC = Path(sys.modules["adproxy.demo.content"].__file__ or "").parent / "static"
INSTALL_SECONDS = 900
BUILD_SECONDS = 180


@dataclass(frozen=True, slots=True)
class Story:
    name: str
    title: str
    lang: str
    body: str


@dataclass(frozen=True, slots=True)
class Theme:
    """A theme with all stories in it."""

    name: str
    build: Callable[[Path, Path], Path]
    """(folder of the tools, empty folder) -> the site's root; a story's page is called by its name."""


# --- stories ------------------------------------------------------------------------------

_DEMO_PICTURE = re.compile(r'src="/pictures/([a-z-]+)\.svg"')
_LONG = "long-crossing"
_DEMO_FILES = 8
"""So many of the demo's, the others are much like them."""


def _shown(lang: str) -> bool:
    """False for scripts that this machine has no face for: it would show boxes of some other width."""
    done = subprocess.run(["fc-list", f":lang={lang}"], capture_output=True, timeout=30, check=False)
    return bool(done.stdout)


@cache
def stories() -> tuple[Story, ...]:
    demo = [Story(a.path.rsplit("/", 1)[-1], a.title, a.phrases.lang, a.body) for a in load_articles()]
    prose = next(s for s in demo if s.name == "the-" + _LONG).body
    paragraphs = [p for p in prose.split("\n\n") if p.startswith("<p>")]
    chosen = [s for s in demo if s.lang != "en" and _shown(s.lang)] + [s for s in demo if s.lang == "en"]
    return (*chosen[:_DEMO_FILES], *_own(paragraphs))


def _own(text: list[str]) -> tuple[Story, ...]:
    def woven(name: str, title: str, every: int, parts: list[str], count: int) -> Story:
        pieces: list[str] = []
        for i in range(count):
            pieces.append(text[i % len(text)])
            if i % every == every - 1 and parts:
                pieces.append(parts[(i // every) % len(parts)])
        return Story(name, title, "en", "\n\n".join(pieces))

    sized = [
        '<p><img src="/wide.svg" width="1200" height="675" alt="The harbour"></p>',
        '<figure><img src="/wide.svg" width="1200" height="675" alt="The quay"><figcaption>The quay at night, seen '
        "from the ferry.</figcaption></figure>",
        '<p><img src="/small.svg" width="300" height="200" alt="A bollard"></p>',
    ]
    unsized = [
        '<p><img src="/wide.svg" alt="The harbour"></p>',
        '<figure><img src="/photo.svg" alt="The quay"><figcaption>The quay at noon.</figcaption></figure>',
    ]
    listing = "\n".join(f"tide[{i}] = height(harbour, hour={i}) - datum  # metres" for i in range(14))
    code = [f"<pre><code>{listing}</code></pre>"]
    row = "<tr><td>{}</td><td>{} m</td><td>high water at the second step of the customs house</td></tr>"
    table = "<table><thead><tr><th>Hour</th><th>Height</th><th>Mark</th></tr></thead><tbody>"
    tables = [table + "".join(row.format(i, i / 10) for i in range(12)) + "</tbody></table>"]
    item = "<li>{} bags of salt for the smokehouse</li>"
    lists = [
        "<ul>" + "".join(item.format(i) for i in range(3, 11)) + "</ul>",
        "<ol>" + "".join(f"<li>{p[3:-4]}</li>" for p in text[3:5]) + "</ol>",
    ]
    frames = [
        '<iframe src="/frame.html" width="560" height="315" style="max-width: 100%" '
        'title="A film of the crossing"></iframe>',
        f"<blockquote>{text[6]}</blockquote>",
    ]
    return (
        woven("pictures-that-say-their-size", "Pictures that say their size", 3, sized, 12),
        woven("pictures-that-do-not", "Pictures that do not", 3, unsized, 12),
        woven("code", "How the tide is reckoned", 3, code, 10),
        woven("tables", "A table of tides", 4, tables, 9),
        woven("lists", "What the boat carries", 3, lists, 10),
        woven("frames", "A film and what was said", 3, frames, 10),
        woven("short", "Briefly", 9, [], 4),
        woven(
            "headings", "The day in hours", 2, [f"<h{2 + i % 2}>At {i} o'clock</h{2 + i % 2}>" for i in range(9)], 16
        ),
        woven("long", "Everything there is to say", 9, [], 40),
    )


def pictures(folder: Path) -> None:
    """What the stories show, at the root of a site."""
    for name, width, height in (("wide", 1200, 675), ("small", 300, 200), ("photo", 900, 600)):
        (folder / f"{name}.svg").write_text(
            f'<svg xmlns="http://www.w3.org/2000/svg" width="{width}" height="{height}"><rect width="100%" '
            'height="100%" fill="#789"/></svg>'
        )
    (folder / "pictures").mkdir()
    for name in sorted({name for story in stories() for name in _DEMO_PICTURE.findall(story.body)}):
        (folder / "pictures" / f"{name}.svg").write_text(draw(name))
    (folder / "frame.html").write_text("<!DOCTYPE html><title>A film</title>")


# --- tools --------------------------------------------------------------------------------

PYTHON_TOOLS = (
    "furo",
    "mkdocs",
    "mkdocs-material",
    "mkdocs-terminal",
    "pelican[markdown]",
    "pydata-sphinx-theme",
    "sphinx",
    "sphinx-rtd-theme",
)
NODE_TOOLS = (
    "hexo",
    "hexo-renderer-ejs",
    "hexo-renderer-marked",
    "hexo-renderer-stylus",
    "hexo-theme-landscape",
    "@picocss/pico",
    "sakura.css",
    "simpledotcss",
    "water.css",
)


def install(tools: Path) -> None:
    """Pelican, MkDocs, Sphinx, Hexo and style sheets, each with its themes; what is there already is left alone."""
    if not (tools / "venv" / "bin" / "sphinx-build").exists():
        _run([sys.executable, "-m", "venv", str(tools / "venv")], tools, INSTALL_SECONDS)
        _run([str(tools / "venv" / "bin" / "pip"), "install", "--quiet", *PYTHON_TOOLS], tools, INSTALL_SECONDS)
    if not (tools / "npm" / "node_modules" / "hexo").exists():
        (tools / "npm").mkdir(parents=True, exist_ok=True)
        npm = ["npm", "install", "--silent", "--no-audit", "--no-fund", "--prefix", str(tools / "npm"), *NODE_TOOLS]
        _run(npm, tools, INSTALL_SECONDS)


def _run(command: list[str], folder: Path, seconds: float) -> None:
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, timeout=seconds, check=False)
    if done.returncode:
        raise SystemExit(f"{' '.join(command[:3])} … failed:\n{(done.stderr or done.stdout)[-2000:]}")


# --- themes -------------------------------------------------------------------------------


def _demo(_tools: Path, site: Path) -> Path:
    articles = load_articles()
    shutil.copytree(DEMO_STATIC, site / "static")
    pictures(site)
    for article in articles:
        file = site / (article.path.strip("/") + ".html")
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(article_page(article, articles))
        (site / "pictures" / f"{article.picture}.svg").write_text(draw(article.picture))
    return site


def _pelican(theme: str) -> Callable[[Path, Path], Path]:
    def build(tools: Path, site: Path) -> Path:
        content = site / "content"
        content.mkdir()
        for story in stories():
            (content / f"{story.name}.html").write_text(
                f'<html><head><title>{html.escape(story.title)}</title><meta name="date" content="2026-09-01">'
                f'<meta name="slug" content="{story.name}"></head>'
                f"<body>{story.body}</body></html>"
            )
        out = site / "out"
        (site / "settings.py").write_text("SITENAME = 'The Packet'\nTIMEZONE = 'UTC'\nRELATIVE_URLS = True\n")
        pelican = [str(tools / "venv/bin/pelican"), "content", "-o", "out", "-s", "settings.py", "-t", theme]
        _run(pelican, site, BUILD_SECONDS)
        pictures(out)
        return out

    return build


def _mkdocs(theme: str) -> Callable[[Path, Path], Path]:
    def build(tools: Path, site: Path) -> Path:
        docs = site / "docs"
        docs.mkdir()
        for story in stories():
            (docs / f"{story.name}.md").write_text(f"# {story.title}\n\n{story.body}\n")
        (docs / "index.md").write_text("# The Packet\n")
        (site / "mkdocs.yml").write_text(
            f"site_name: The Packet\nuse_directory_urls: false\ntheme: {{name: {theme}}}\nplugins: []\n"
        )
        _run([str(tools / "venv/bin/mkdocs"), "build", "-q", "-d", "out"], site, BUILD_SECONDS)
        pictures(site / "out")
        return site / "out"

    return build


def _sphinx(theme: str) -> Callable[[Path, Path], Path]:
    def build(tools: Path, site: Path) -> Path:
        source = site / "source"
        source.mkdir()
        (source / "conf.py").write_text(f"project = 'The Packet'\nhtml_theme = '{theme}'\n")
        for story in stories():
            # as Sphinx writes listings; its themes set code in one line elsewhere
            body = story.body.replace("<pre><code>", '<div class="highlight"><pre>')
            body = body.replace("</code></pre>", "</pre></div>")
            raw = "\n".join("   " + line for line in body.splitlines())
            underline = "=" * 2 * len(story.title)
            (source / f"{story.name}.rst").write_text(f"{story.title}\n{underline}\n\n.. raw:: html\n\n{raw}\n")
        names = "\n".join("   " + story.name for story in stories())
        (source / "index.rst").write_text(f"The Packet\n==========\n\n.. toctree::\n\n{names}\n")
        _run([str(tools / "venv/bin/sphinx-build"), "-q", "-b", "html", "source", "out"], site, BUILD_SECONDS)
        pictures(site / "out")
        return site / "out"

    return build


def _hexo(theme: str) -> Callable[[Path, Path], Path]:
    def build(tools: Path, site: Path) -> Path:
        posts = site / "source" / "_posts"
        posts.mkdir(parents=True)
        for story in stories():
            (posts / f"{story.name}.html").write_text(
                f"---\ntitle: {json.dumps(story.title)}\ndate: 2026-09-01\n---\n{story.body}\n"
            )
        (site / "_config.yml").write_text(
            f"title: The Packet\ntheme: {theme}\npermalink: :title.html\nurl: http://packet.example\n"
        )
        packages = {name: "*" for name in NODE_TOOLS if name.startswith("hexo")}
        (site / "package.json").write_text(json.dumps({"name": "s", "hexo": {"version": ""}, "dependencies": packages}))
        (site / "node_modules").symlink_to(tools / "npm" / "node_modules")
        _run(["node", "node_modules/.bin/hexo", "generate"], site, BUILD_SECONDS)
        pictures(site / "public")
        return site / "public"

    return build


def _classless(sheet: str) -> Callable[[Path, Path], Path]:
    """A style sheet for plain HTML, which needs no classes."""

    def build(tools: Path, site: Path) -> Path:
        shutil.copy(tools / "npm" / "node_modules" / sheet, site / "style.css")
        pictures(site)
        for story in stories():
            title = html.escape(story.title)
            (site / f"{story.name}.html").write_text(
                f'<!DOCTYPE html><html lang="{story.lang}"><head><meta charset="utf-8"><title>{title}</title>'
                '<meta name="viewport" content="width=device-width, initial-scale=1">'
                '<link rel="stylesheet" href="style.css"></head><body><header><nav><a href="/">The Packet</a></nav>'
                f'</header><main class="container"><article><h1>{title}</h1>\n{story.body}\n</article></main>'
                "<footer><p>The Packet</p></footer></body></html>"
            )
        return site

    return build


THEMES = (
    Theme("demo", _demo),
    Theme("pelican notmyidea", _pelican("notmyidea")),
    Theme("pelican simple", _pelican("simple")),
    Theme("mkdocs", _mkdocs("mkdocs")),
    Theme("mkdocs readthedocs", _mkdocs("readthedocs")),
    Theme("mkdocs material", _mkdocs("material")),
    Theme("mkdocs terminal", _mkdocs("terminal")),
    Theme("sphinx alabaster", _sphinx("alabaster")),
    Theme("sphinx furo", _sphinx("furo")),
    Theme("sphinx rtd", _sphinx("sphinx_rtd_theme")),
    Theme("sphinx pydata", _sphinx("pydata_sphinx_theme")),
    Theme("hexo landscape", _hexo("landscape")),
    Theme("water.css", _classless("water.css/out/water.css")),
    Theme("simple.css", _classless("simpledotcss/simple.css")),
    Theme("sakura.css", _classless("sakura.css/css/sakura.css")),
    Theme("pico.css", _classless("@picocss/pico/css/pico.css")),
)
