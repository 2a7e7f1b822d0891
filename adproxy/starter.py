"""A rules file to start from for a site that was looked at: it validates, and says what it was made from.

Everything that a page says is foreign: in comments it stands on one line without control characters, in values it is
either a word of a narrow alphabet or quoted.
"""

from __future__ import annotations

import json
import re
import tempfile
from collections import Counter
from collections.abc import Iterable, Iterator
from pathlib import Path
from statistics import median
from textwrap import wrap
from urllib.parse import urlsplit

from adproxy.account import Work, clean, count, decide
from adproxy.model import BlockKind, Skip, SkipReason
from adproxy.page.ad_stack import ADSENSE, GPT
from adproxy.rules.compile import load_rules
from adproxy.site_survey import Seen, SiteSurvey

LONG_READS = 1500
"""Words in the middle of a site's articles from which on the preset for long reads is the better start."""
_WIDTH = 110
_SHOWN = 70
"""Characters of an address in a comment."""


def starter(survey: SiteSurvey) -> str:
    """The text of the file. The pages of the survey are planned by it, and the file says what came of it."""
    rules = "\n".join(_rules(survey)) + "\n"
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "site.yaml"
        file.write_text(rules, "utf-8")
        book = load_rules(file)
    works = [decide(seen.fetched.body, seen.url, book, seen.fetched) for seen in survey.seen]
    return "\n".join(_comment(_head(survey, works))) + "\n\n" + rules


# --- what was seen ----------------------------------------------------------------------------------


def _head(survey: SiteSurvey, works: list[Work]) -> Iterator[str]:
    yield f"Rules for {survey.host}, to start from: made by `adproxy init` from a look at {count(len(works), 'page')}."
    yield "Read them, change what you know better, and try them before they go live:"
    yield ""
    yield "  adproxy check FILE                        mistakes, with line and column"
    yield "  adproxy explain --rules FILE URL          where the slots go on a page, and why not elsewhere"
    yield f"  adproxy measure --rules FILE {_short(survey.articles[0].url) if survey.articles else 'URL'}"
    yield ""
    yield "The pages: words of the article, ads that the page has already, slots that these rules put on it"
    yield ""
    for seen, work in zip(survey.seen, works, strict=True):
        yield f"  {_outcome(seen, work):<44}  {_short(seen.url)}"
    for problem in survey.passed_over[:5]:
        yield f"  not looked at: {problem[:140]}"
    yield ""
    yield "What was found"
    yield ""
    for label, text in _found(survey, works):
        yield from _labelled(label, text)


def _outcome(seen: Seen, work: Work) -> str:
    if isinstance(work.result, Skip):
        return f"left alone: {work.result.reason.value}"
    own = sum(number for _, number in seen.look.ads)
    slots = len(work.result.plan.placements)
    return f"{seen.look.words or 'no':>5} words, {count(own, 'ad'):>7}, {count(slots, 'slot'):>7}"


def _found(survey: SiteSurvey, works: list[Work]) -> Iterator[tuple[str, str]]:
    articles, total = survey.articles, len(survey.seen)
    languages = Counter(seen.look.language for seen in survey.seen if seen.look.language)
    yield "Language", ", ".join(f"{name} ({number})" for name, number in languages.most_common(4)) or "said by no page"
    if articles:
        words = round(median(seen.look.words for seen in articles))
        named = _common([seen.look.article for seen in articles])
        where = f"; on {count(named[1], 'page')} it is what {named[0]!r} matches" if named else ""
        yield "Article", f"on {len(articles)} of {count(total, 'page')}, {words} words in the middle{where}"
    else:
        yield "Article", f"on none of {count(total, 'page')}: see `article` below"
    hydrated = [w.result for w in works if isinstance(w.result, Skip) and w.result.reason is SkipReason.HYDRATED]
    if hydrated:
        yield "Scripts", f"{hydrated[0].detail}: {len(hydrated)} of {count(total, 'page')} get no slot"
    rails = [seen for seen in articles if seen.look.has_sidebar]
    named = _common([seen.look.sidebar for seen in rails])
    where = f", what {named[0]!r} matches" if named else ""
    yield "Sidebar", f"on {len(rails)} of {count(len(articles), 'article')}{where}"
    names: Counter[str] = Counter()
    for seen in survey.seen:
        names.update(dict(seen.look.ads))
    listed = ", ".join(f"{name} ({number})" for name, number in names.most_common(8))
    yield "Ads", (f"{names.total()} on these pages, known by {listed}" if names else "none that adproxy recognises")
    inside = sum(
        sum(block.kind is BlockKind.AD for block in work.result.page.blocks)
        for work in works
        if not isinstance(work.result, Skip)
    )
    if inside:
        yield "", f"{inside} of them in the articles: they count into the limits, and slots keep away from them"
    stacks = Counter(name for seen in survey.seen for name in seen.look.stack.names)
    yield "Ad stack", ", ".join(stacks) or "none: no page loads a script of the ad technology that adproxy knows"
    if any(seen.look.stack.asks_consent for seen in survey.seen):
        yield "Consent", "a consent platform asks the readers"


def _common(candidates: Iterable[tuple[str, ...]]) -> tuple[str, int] | None:
    """The selector that holds for most pages, and for how many; None where pages have none."""
    counted: Counter[str] = Counter()
    for selectors in candidates:
        counted.update(selectors)
    return counted.most_common(1)[0] if counted else None


# --- the rules --------------------------------------------------------------------------------------


def _rules(survey: SiteSurvey) -> Iterator[str]:
    """The file without its head."""
    articles = survey.articles
    preset, why = _preset(survey)
    yield "version: 1"
    yield f"site: {_site_name(survey.host):<30} # the label in metrics"
    yield f"use: [{preset}]{'':<{28 - len(preset)}}  # {why}"
    yield f"hosts: [{', '.join(json.dumps(host) for host in _hosts(survey))}]"
    yield ""
    yield from _ads(survey)
    yield from _pages(survey)
    yield from _parts(articles)
    yield ""
    yield "# How the site sets its text, for the share of ads: `adproxy measure` prints these lines for a page."
    yield "# layout:"
    yield "#   phone: {column: 358px, font: 17px, line: 26px}"
    yield ""
    yield "# limits:                            # fewer ads, further apart, than the preset has"
    yield "#   ad_share: {phone: 20%}"
    yield "#   gap: 300 words"
    yield ""
    yield "# slots:"
    yield "#   in-article: {max: 3}"
    if preset != "blog":
        yield "#   billboard: false                 # nothing over the headline"
    if preset != "blog" and articles and not any(seen.look.has_sidebar for seen in articles):
        yield "#   rail: false                      # no page had a sidebar: the slot has no place, and does no harm"


def _preset(survey: SiteSurvey) -> tuple[str, str]:
    articles = survey.articles
    if articles and median(seen.look.words for seen in articles) >= LONG_READS:
        return "longform", "long articles; other presets: news, blog, live-blog"
    if articles and not any(seen.look.ads or seen.look.stack.names for seen in survey.seen):
        return "blog", "a few quiet ads, as the site has none yet; other presets: news, longform, live-blog"
    return "news", "the preset to start from; others: longform, blog, live-blog"


def _site_name(host: str) -> str:
    """A label of letters and digits from a host; never a word that YAML would take for something else."""
    name = re.sub(r"[^a-z0-9]+", "-", host.removeprefix("www.").lower()).strip("-")[:60]
    return name if re.match(r"[a-z]", name) and name not in ("true", "false", "null") else f"site-{name}".strip("-")


def _hosts(survey: SiteSurvey) -> list[str]:
    found = [survey.host, *(urlsplit(seen.url).hostname or "" for seen in survey.seen)]
    return list(dict.fromkeys(f"[{host}]" if ":" in host else host for host in found if host))


def _ads(survey: SiteSurvey) -> Iterator[str]:
    stacks = {name for seen in survey.seen for name in seen.look.stack.names}
    networks = Counter(seen.look.stack.network for seen in survey.seen if seen.look.stack.network)
    network = networks.most_common(1)[0][0] if networks else ""
    if stacks:
        yield from _paragraph(
            f"The site has an ad stack of its own ({', '.join(sorted(stacks))}). adproxy reserves divs with the ids of "
            "the preset, ad-in-article-1 and so on; the site's stack fills them once it knows of them."
        )
        yield "ads:"
        yield "  filled_by: page"
        if network:
            yield f"  network: {network:<25}  # the network code that the site's ad units begin with"
    else:
        yield from _paragraph(
            "No ad stack was found. Until something fills the divs that adproxy reserves, they stay empty; with a "
            "network code of Google Ad Manager, adproxy's own script fills them."
        )
        yield "ads:"
        yield "  filled_by: page                    # or: adproxy"
        yield "#   network: 1234"
    if ADSENSE in stacks:
        yield from _paragraph(
            "AdSense's automatic ads come from its script, where adproxy can't see them: turn them off on these pages."
        )
    if GPT in stacks and any(seen.look.section for seen in survey.seen):
        yield "#   key_values:                      # what the pages say of themselves, for the ad server"
        yield "#     section: {json_ld: articleSection}"
    yield ""


def _pages(survey: SiteSurvey) -> Iterator[str]:
    """Which sections there are, by the first segment of the path."""
    by_section: dict[str, list[Seen]] = {}
    for seen in survey.seen:
        segment = urlsplit(seen.url).path.split("/")[1]
        if re.fullmatch(r"[A-Za-z0-9._~-]{1,40}", segment) and urlsplit(seen.url).path.count("/") > 1:
            century = re.fullmatch(r"(19|20)\d\d", segment)
            by_section.setdefault(f"{century[1]}*" if century else segment, []).append(seen)
    yield "# Which pages, top down, the first that matches; without `pages` all of them. Sections that were seen:"
    yield "# pages:"
    for segment, pages in by_section.items():
        with_article = sum(bool(seen.look.words) for seen in pages)
        line = f'#   - {{path: "/{segment}/**"}}'
        yield f"{line:<36} # an article on {with_article} of {count(len(pages), 'page')}"
    yield '#   - {path: "/about/**", ads: false}'
    yield '#   - {path: "/**"}'
    yield ""


def _parts(articles: list[Seen]) -> Iterator[str]:
    article = _common([seen.look.article for seen in articles])
    yield "# Where adproxy finds the article and the sidebar by itself, nothing has to be said."
    named = f"{json.dumps(article[0])}" if article else "main .story"
    seen = f"# so it was on {article[1]} of {count(len(articles), 'article')}" if article else ""
    yield f"# article: {named:<25} {seen}".rstrip()
    rail = _common([seen.look.sidebar for seen in articles])
    named = f"{json.dumps(rail[0])}" if rail else "aside.rail"
    yield f"# sidebar: {named}"


# --- lines ------------------------------------------------------------------------------------------


def _comment(lines: Iterable[str]) -> Iterator[str]:
    for line in lines:
        yield f"# {clean(line)}".rstrip()


def _paragraph(text: str) -> Iterator[str]:
    yield from _comment(wrap(text, _WIDTH))


def _labelled(label: str, text: str) -> Iterator[str]:
    for number, line in enumerate(wrap(clean(text), _WIDTH - 12)):
        yield f"  {label if number == 0 else '':<9} {line}"


def _short(url: str) -> str:
    return url if len(url) <= _SHOWN else url[: _SHOWN - 1] + "…"
