"""One `Policy` out of the layers that lie over each other for a kind of page.

What a single file can't show is checked here: whether a slot has all that it needs, whether its keys fit together,
whether the breakpoints and templates that it names exist, whether HTML ids stay unique.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, cast

from adproxy.model import PerDevice
from adproxy.rules import schema
from adproxy.rules.creative_html import CheckedHtml, check_fallback, check_html
from adproxy.rules.doubts import doubt
from adproxy.rules.merge import Sources, overlay, problem
from adproxy.rules.revision import revision_of
from adproxy.rules.ruleset import (
    ALWAYS,
    LAYOUT,
    NO_DISTANCE,
    SHIFT,
    AdsenseCreative,
    ByPage,
    Counts,
    Creative,
    Distance,
    DistancePerDevice,
    FixedPlace,
    GptCreative,
    HtmlCreative,
    IframeCreative,
    ImageCreative,
    KeepClear,
    KeyValue,
    Layout,
    LayoutPerDevice,
    Limits,
    MidArticle,
    Place,
    Policy,
    SizeMap,
    Slot,
    Visitors,
    When,
)
from adproxy.rules.strict_yaml import Map, Mark, Scalar, quoted
from adproxy.rules.values import TEMPLATE_NAMES, Mismatch, nearest, one_of, template_names


@dataclass(frozen=True, slots=True)
class _Reserved:
    """The HTML ids that a slot puts into a page, and where they are stated."""

    template: str
    at: Mark


class PolicyMaker:
    """One `Policy` out of the layers that lie over each other for a kind of page."""

    def __init__(self, merged: Map, site: str, sources: Sources, whole: bool) -> None:
        self.merged = merged
        self.site = site
        self.sources = sources
        self.whole = whole
        # validate again: only now are there models of the merged values
        version = Map({"version": Scalar(1, "1", merged.at)}, {"version": merged.at}, merged.at)
        rules, problems = schema.validate(overlay(version, merged))
        sources.problems.extend(problems)
        self.rules = rules
        self.ids: list[_Reserved] = []

    def make(self) -> Policy | None:
        """None where a problem came up."""
        if self.rules is None:
            return None
        rules = self.rules
        before = len(self.sources.problems)
        ads = rules.ads or schema.Ads()
        self.network = ads.network or ""
        self.filled_by = ads.filled_by or "page"
        self.key_values = dict(ads.key_values or {})
        self._check_breakpoints()
        self._check_key_values()
        limits, clear = self._limits(), self._keep_clear()
        slots = tuple(
            slot
            for name, stated in (rules.slots or {}).items()
            if isinstance(stated, schema.Slot) and (slot := self._slot(name, stated, limits)) is not None
        )
        self._check_ids()
        if len(self.sources.problems) > before:
            return None
        policy = Policy(
            site=self.site,
            article=rules.article,
            sidebar=rules.sidebar,
            limits=limits,
            keep_clear=clear,
            # where a slot is off, nothing stands in for it
            slots=tuple(slot for slot in slots if slot.instead_of in ("", *(other.name for other in slots))),
            when=self._when(rules.when),
            markers=self._markers(rules),
            layout=self._layout(),
            visitors=self._visitors(rules.visitors or schema.Visitors()),
            filled_by="adproxy" if self.filled_by == "adproxy" else "page",
            network=self.network,
            key_values=tuple((name, self._filled(value)) for name, value in self.key_values.items()),
        )
        return replace(policy, revision=revision_of(policy))

    # --- sections ---

    def _limits(self) -> Limits:
        stated, default = (self.rules and self.rules.limits) or schema.Limits(), Limits()
        share, gap = stated.ad_share, stated.gap
        counts = _counts(stated.in_article, default.in_article)
        return Limits(
            ad_share=PerDevice(share.phone, share.desktop) if share else default.ad_share,
            gap=DistancePerDevice(gap.phone, gap.desktop) if gap else default.gap,
            in_article=default.in_article if counts is None else max(counts),
            in_article_on=_if_they_differ(counts),
            gap_grows=self._gap_grows(stated.gap_grows or default.gap_grows, gap),
        )

    def _gap_grows(self, grows: Distance, gap: schema.OnDevice | None) -> Distance:
        """What the gap grows by, in the gap's own unit: of nothing, any unit is right."""
        units = {distance.unit for distance in (gap.phone, gap.desktop)} if gap else {grows.unit}
        if grows.amount and units != {grows.unit}:
            expected = f"{' or '.join(sorted(units))}, the unit of 'gap'"
            if len(units) > 1:
                expected = f"'gap' in {grows.unit} on both devices, as what it grows by has one unit"
            self._problem(("limits", "gap_grows"), f"'{grows}'", expected)
        return grows

    def _layout(self) -> LayoutPerDevice:
        stated = (self.rules and self.rules.layout) or schema.Layout()

        def on(given: schema.LayoutOn | None, usual: Layout) -> Layout:
            given = given or schema.LayoutOn()
            return Layout(
                column=given.column or usual.column,
                font=given.font or usual.font,
                line=given.line or usual.line,
                margin=usual.margin if given.margin is None else given.margin,
                character=given.character or usual.character,
            )

        return LayoutPerDevice(on(stated.phone, LAYOUT.phone), on(stated.desktop, LAYOUT.desktop))

    def _keep_clear(self) -> KeepClear:
        stated, default = (self.rules and self.rules.keep_clear) or schema.KeepClear(), KeepClear()
        return KeepClear(
            after_heading=stated.after_heading or default.after_heading,
            around_media=stated.around_media or default.around_media,
            around_existing_ads=stated.around_existing_ads or default.around_existing_ads,
            around_asides=stated.around_asides or default.around_asides,
            around=tuple((stated.around or {}).items()),
            before_heading=stated.before_heading or default.before_heading,
            around_lists=stated.around_lists or default.around_lists,
            around_tables=stated.around_tables or default.around_tables,
            around_quotes=stated.around_quotes or default.around_quotes,
            around_code=stated.around_code or default.around_code,
            around_captions=stated.around_captions or default.around_captions,
        )

    def _when(self, stated: schema.When | None) -> When:
        if stated is None:
            return ALWAYS
        low, high = stated.words or (0, None)
        return When(
            min_words=low,
            max_words=high,
            language=stated.language,
            json_ld=tuple((stated.json_ld or {}).items()),
            meta=tuple((stated.meta or {}).items()),
            has=stated.has or (),
            has_not=stated.has_not or (),
        )

    def _markers(self, rules: schema.RulesFile) -> tuple[str, ...] | None:
        """The slots that markers may place; a name that no slot has would do nothing, and is refused."""
        names = list(rules.slots or {})
        for index, name in enumerate(rules.markers or ()):
            if self.whole and name not in names:
                self._problem(("markers", index), f"the slot '{name}'", one_of(names), nearest(name, names))
        return rules.markers

    def _visitors(self, stated: schema.Visitors) -> Visitors:
        usual, free = Visitors(), stated.ad_free or schema.AdFree()
        return Visitors(
            consent=cast(Any, stated.consent or usual.consent),
            if_refused=cast(Any, stated.if_refused or usual.if_refused),
            vendors=tuple(sorted(set(stated.vendors or ()))),
            ad_free_cookie=free.cookie or "",
            ad_free_header=free.header or "",
        )

    def _check_breakpoints(self) -> None:
        by_width: dict[int, str] = {}
        for name, width in ((self.rules and self.rules.breakpoints) or {}).items():
            if width in by_width:
                found = f"{width} for '{name}' and for '{by_width[width]}'"
                self._problem(("breakpoints", name), found, "another width for each breakpoint")
            by_width[width] = name

    def _check_key_values(self) -> None:
        for name, value in self.key_values.items():
            where = ("ads", "key_values", name)
            if name in TEMPLATE_NAMES:
                self._problem_at(
                    schema.find(self.merged, where)[2] or self.merged.at,
                    f"the key '{name}'",
                    f"another name than {one_of(TEMPLATE_NAMES)}, which templates have already",
                )
            if isinstance(value, str):
                self._check_template(where, value, TEMPLATE_NAMES)

    # --- slots ---

    def _slot(self, name: str, stated: schema.Slot, limits: Limits) -> Slot | None:
        where = ("slots", name)
        place = stated.place
        if place is None:
            self._missing(where, "place", "place: mid-article")
        elif not isinstance(place, MidArticle):
            for word in ("after", "every", "at", "first_after", "before_end"):
                if getattr(stated, word) is not None:
                    found = f"'{word}' with another place than mid-article"
                    self._problem_at(self._key_at((*where, word)), found, "'place: mid-article', or no such key")
            self._check_shift(where, stated, place)
        place = self._narrowed(where, stated, place)
        repeats = isinstance(place, MidArticle) and place.after_paragraph is None and place.at is None
        usual = max(1, limits.in_article) if repeats else 1
        counts = _counts(stated.max, usual)
        maximum = usual if counts is None else max(counts)
        ad_unit = self._ad_unit(where, stated.ad_unit)
        creative = self._creative(where, stated, maximum)
        fallback = self._fallback(where, stated, creative)
        sizes = self._sizes(where, stated, creative)
        if place is None or creative is None or sizes is None:
            return None
        all_sizes = {size for _, step in sizes.steps for size in step}
        if stated.reserve and stated.reserve not in all_sizes:
            expected = f"one of the slot's sizes: {', '.join(map(str, sorted(all_sizes)))}"
            self._problem((*where, "reserve"), f"'{stated.reserve}'", expected)
        return Slot(
            name=name,
            place=place,
            sizes=sizes,
            creative=creative,
            priority=stated.priority or 0,
            max=maximum,
            shift=SHIFT if stated.shift is None or isinstance(place, MidArticle) else stated.shift,
            max_on=_if_they_differ(counts),
            article_min=stated.article_min or NO_DISTANCE,
            first_after=stated.first_after or NO_DISTANCE,
            before_end=stated.before_end or NO_DISTANCE,
            ad_unit=ad_unit,
            reserve=stated.reserve,
            label=stated.label,
            when=self._when(stated.when),
            fallback=fallback,
            instead_of=self._stands_in_for(where, stated.instead_of),
        )

    def _check_shift(self, where: tuple[str, ...], stated: schema.Slot, place: Place) -> None:
        if stated.shift is None:
            return
        if place is not FixedPlace.BELOW_HEADLINE:
            found = "'shift' with another place than mid-article and below-headline"
            self._problem_at(self._key_at((*where, "shift")), found, "one of the two, or no such key")
        elif stated.shift.unit != "blocks":
            expected = "a number of blocks such as '2 blocks'"
            hint = "Below the headline a block is what stands between it and the article: a standfirst, a byline"
            self._problem((*where, "shift"), f"'{stated.shift}' with below-headline", expected, hint)

    def _stands_in_for(self, where: tuple[str, ...], other: str | None) -> str:
        """The name of the slot that one stands in for; another one that stands for itself."""
        if other is None:
            return ""
        slots = (self.rules and self.rules.slots) or {}
        names = [name for name, slot in slots.items() if name != where[-1] and not getattr(slot, "instead_of", None)]
        if other not in names and (self.whole or other == where[-1] or other in slots):
            found = f"'{other}'"
            if other == where[-1]:
                found = f"'{other}', the slot itself"
            elif other in slots:
                found = f"'{other}', which stands in for another slot itself"
            expected = one_of(names) if names else "another slot of these rules"
            hint = nearest(other, names) or "A slot stands in for one that stands for itself"
            self._problem((*where, "instead_of"), found, expected, hint)
        return other

    def _narrowed(self, where: tuple[str, ...], stated: schema.Slot, place: Place | None) -> Place | None:
        if not isinstance(place, MidArticle):
            return place
        narrows = [word for word in ("after", "every", "at") if getattr(stated, word) is not None]
        if stated.shift is not None and stated.after is None and stated.at is None:
            found = "'shift' without 'after' and 'at'"
            self._problem_at(self._key_at((*where, "shift")), found, "one of the two, from where it shifts")
        if len(narrows) > 1:
            found = f"'{narrows[1]}' beside '{narrows[0]}'"
            self._problem_at(self._key_at((*where, narrows[1])), found, "one of 'after', 'every' and 'at'")
        default = place.shift
        return MidArticle(stated.after, stated.every, stated.at, default if stated.shift is None else stated.shift)

    def _sizes(self, where: tuple[str, ...], stated: schema.Slot, creative: Creative | None) -> SizeMap | None:
        breakpoints = (self.rules and self.rules.breakpoints) or {}
        if stated.sizes is None:
            if isinstance(creative, (ImageCreative, IframeCreative)):
                return SizeMap(((0, (creative.size,)),))
            self._missing(where, "sizes", "sizes: {phone: [300x250]}")
            return None
        unknown = [name for name in stated.sizes if name not in breakpoints]
        for name in unknown:
            at = self._key_at((*where, "sizes", name))
            self._problem_at(
                at, f"the breakpoint '{name}'", one_of(breakpoints), nearest(name, breakpoints) or "See 'breakpoints'"
            )
        if unknown:
            return None
        if not any(stated.sizes.values()):
            hint = f"To turn the slot off, write '{where[-1]}: false'"
            self._problem((*where, "sizes"), "no size at any breakpoint", "sizes for at least one", hint)
            return None
        steps = sorted((breakpoints[name], sizes) for name, sizes in stated.sizes.items())
        return SizeMap(tuple(steps))

    def _ad_unit(self, where: tuple[str, ...], stated: str | None) -> str:
        if stated is None:
            return ""
        here = (*where, "ad_unit")
        known = [name for name in TEMPLATE_NAMES if name != "ad_unit"] + list(self.key_values)
        self._check_template(here, stated, known)
        for name in template_names(stated):
            if "ad_unit" in template_names(str(self.key_values.get(name, ""))):
                self._problem(here, f"'{{{name}}}', which holds '{{ad_unit}}' itself", "a template that ends somewhere")
        path = f"/{self.network}/{stated}" if self.network and not stated.startswith("/") else stated
        return self._resolved(path)

    def _creative(self, where: tuple[str, ...], stated: schema.Slot, maximum: int) -> Creative | None:
        if stated.creative is not None and stated.div is not None:
            found = "'div' beside 'creative'"
            self._problem_at(self._key_at((*where, "div")), found, "one of the two", "A creative needs no div of yours")
            return None
        if isinstance(stated.creative, schema.CreativeMap):
            return self._shown_as_it_is(where, stated.creative, maximum)
        if self.filled_by == "page":
            if stated.creative == "gpt":
                hint = "Write 'ads: {filled_by: adproxy}', or leave 'creative' out"
                self._problem((*where, "creative"), "'gpt' with 'filled_by: page'", "'filled_by: adproxy'", hint)
                return None
            return self._by_page(where, stated.div or schema.Div(), maximum)
        if not stated.ad_unit:
            if self.whole:
                expected = "'ad_unit: ...' or 'creative: ...'"
                self._problem_at(self._key_at(where), f"nothing that fills '{where[-1]}'", expected)
            return None
        if not self.network and not stated.ad_unit.startswith("/"):
            if self.whole:
                hint = "Write 'ads: {network: 1234}', or start the ad unit with '/1234/'"
                self._problem((*where, "ad_unit"), f"'{stated.ad_unit}' and no network", "a network code", hint)
            return None
        return GptCreative()

    def _by_page(self, where: tuple[str, ...], div: schema.Div, maximum: int) -> ByPage:
        known = [*TEMPLATE_NAMES, *self.key_values]
        here = (*where, "div")
        if div.id is not None:
            self._check_template((*here, "id"), div.id, known)
            self._reserve_id((*here, "id"), where[-1], div.id, maximum)
        if div.classes is not None:
            self._check_template((*here, "class"), div.classes, known)
        for name, value in (div.data or {}).items():
            self._check_template((*here, "data", name), value, known)
        return ByPage(
            id=self._resolved(div.id or ""),
            classes=self._resolved(div.classes or ""),
            data=tuple((name, self._resolved(value)) for name, value in (div.data or {}).items()),
        )

    def _shown_as_it_is(self, where: tuple[str, ...], stated: schema.CreativeMap, maximum: int) -> Creative | None:
        here = (*where, "creative")
        kinds = schema.keys_of(schema.CreativeMap)
        given = [name for name in kinds if getattr(stated, name) is not None]
        if len(given) != 1:
            found = f"'{given[0]}' and '{given[1]}'" if given else "nothing"
            self._problem(here, found, f"exactly one of {one_of(kinds).replace(' or ', ' and ')}")
            return None
        if stated.iframe is not None:
            frame = stated.iframe
            self._check_template((*here, "iframe", "src"), frame.src, [*TEMPLATE_NAMES, *self.key_values])
            return IframeCreative(self._resolved(frame.src), frame.title or "", frame.size)
        if stated.adsense is not None:
            return AdsenseCreative(stated.adsense.client, stated.adsense.unit)
        if stated.image is not None:
            image = stated.image
            return ImageCreative(image.src, image.link, image.alt, image.size)
        checked = (
            stated.html if stated.html is not None else self._html_file((*here, "html_file"), stated.html_file or "")
        )
        if checked is None:
            return None
        for html_id in checked.ids:
            self._check_template((*here, given[0]), html_id, ("n", "slot"))
            self._reserve_id((*here, given[0]), where[-1], html_id, maximum)
        return HtmlCreative(checked.markup, checked.inert)

    def _fallback(self, where: tuple[str, ...], stated: schema.Slot, creative: Creative | None) -> bytes:
        if stated.if_unfilled is None:
            return b""
        here = (*where, "if_unfilled")
        if isinstance(creative, (HtmlCreative, ImageCreative)):
            self._problem_at(self._key_at(here), "'if_unfilled' beside a creative of the site's own", "one of the two")
            return b""
        checked = self._html_file(here, stated.if_unfilled, check_fallback)
        if checked is not None and checked.ids:
            self._problem(here, f"the id '{checked.ids[0]}'", "markup without ids, as it may stand on a page often")
        return b"" if checked is None else checked.markup

    def _html_file(
        self, where: tuple[str, ...], name: str, check: Callable[[object], CheckedHtml] = check_html
    ) -> CheckedHtml | None:
        at = self._at(where)
        content = self.sources.text(Path(at.file).parent / name, at)
        if content is None:
            return None
        try:
            return check(content.decode("utf-8-sig"))
        except UnicodeDecodeError:
            self._problem(where, f"{quoted(name)} in another encoding", "a file in UTF-8")
        except Mismatch as mismatch:
            self._problem(where, f"in {quoted(name)}: {mismatch.found or 'nothing'}", mismatch.expected, mismatch.hint)
        return None

    # --- ids and templates ---

    def _reserve_id(self, where: tuple[str, ...], slot: str, template: str, maximum: int) -> None:
        if maximum > 1 and "{n}" not in template:
            hint = f"Write '{template}-{{n}}', or 'max: 1': the slot may stand {maximum} times on a page"
            self._problem(where, f"the id '{template}'", "an id with '{n}', since ids are unique", hint)
        self.ids.append(_Reserved(template.replace("{slot}", slot), self._at(where)))

    def _check_ids(self) -> None:
        seen: dict[str, Mark] = {}
        for reserved in self.ids:
            if first := seen.get(reserved.template):
                found = f"the id '{reserved.template}' again"
                self._problem_at(
                    reserved.at, found, f"another id than in {first}", "Ids are unique: put '{slot}' into it"
                )
            seen.setdefault(reserved.template, reserved.at)

    def _check_template(self, where: tuple[str, ...], template: str, known: Iterable[str]) -> None:
        names = list(known)
        for name in template_names(template):
            if name in names:
                continue
            expected = one_of(f"{{{n}}}" for n in names)
            if self.whole:
                hint = nearest(name, names) or "Names beside these come from 'ads.key_values'"
                self._problem(where, f"the name '{{{name}}}'", expected, hint)
            else:
                hint = nearest(name, names) or f"Each file that uses this part has to bring 'ads.key_values.{name}'"
                self.sources.warnings.append(doubt(self._at(where), f"the name '{{{name}}}'", expected, hint))

    def _resolved(self, template: str) -> str:
        """With what is known at load put in."""
        return template.replace("{site}", self.site).replace("{network}", self.network)

    def _filled(self, value: KeyValue) -> KeyValue:
        return self._resolved(value) if isinstance(value, str) else value

    # --- problems ---

    def _at(self, where: tuple[str | int, ...]) -> Mark:
        return schema.find(self.merged, where)[1]

    def _key_at(self, where: tuple[str, ...]) -> Mark:
        _, at, key_at = schema.find(self.merged, where)
        return key_at or at

    def _missing(self, where: tuple[str, ...], key: str, example: str) -> None:
        if self.whole:
            hint = "" if where[-1] != "in-article" else "A preset has one: 'use: [news]'"
            self._problem_at(self._key_at(where), f"no '{key}' in '{where[-1]}'", f"'{example}'", hint)

    def _problem(self, where: tuple[str | int, ...], found: str, expected: str, hint: str = "") -> None:
        self._problem_at(self._at(where), found, expected, hint)

    def _problem_at(self, at: Mark, found: str, expected: str, hint: str = "") -> None:
        self.sources.problems.append(problem(at, found, expected, hint))


def _counts(stated: schema.OnDevice | None, usual: int) -> Counts | None:
    """Numbers of slots; on a device that nothing is said of, the usual one."""
    if stated is None:
        return None
    return Counts(*(usual if number is None else number for number in (stated.phone, stated.desktop)))


def _if_they_differ(counts: Counts | None) -> Counts | None:
    return counts if counts is not None and counts.phone != counts.desktop else None
