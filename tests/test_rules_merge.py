"""Files laid over each other: maps by key, lists whole, the later wins, each value knows where it came from."""

from __future__ import annotations

from pathlib import Path

import pytest

from adproxy.errors import RulesError
from adproxy.model import PerDevice
from adproxy.rules.compile import load_rules
from adproxy.rules.match import describe_policy
from adproxy.rules.merge import merge_file, preset_names
from adproxy.rules.ruleset import (
    ByPage,
    Counts,
    Distance,
    FixedPlace,
    HtmlCreative,
    MidArticle,
    Policy,
    Said,
    SelectorPlace,
    Sides,
    Size,
    Slot,
)
from adproxy.rules.strict_yaml import plain

SLOT = "    place: mid-article\n    sizes: {phone: [300x250], desktop: [728x90]}\n"


class Folder:
    """Rules files in a directory of their own."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def write(self, **files: str) -> None:
        for name, text in files.items():
            (self.path / f"{name}.yaml").write_text("version: 1\n" + text)

    def policy(self, name: str = "site", page: int = 0) -> Policy:
        policy = load_rules(self.path / f"{name}.yaml").rule_sets[0].pages[page].policy
        assert policy is not None
        return policy

    def slot(self, slot: str = "a", page: int = 0) -> Slot:
        return next(s for s in self.policy(page=page).slots if s.name == slot)


@pytest.fixture
def folder(tmp_path: Path) -> Folder:
    return Folder(tmp_path)


def test_a_file_wins_over_what_it_uses_and_the_later_over_the_earlier(folder: Folder) -> None:
    folder.write(
        one="limits: {in_article: 1, gap: 100 words}\nkeep_clear: {around_media: 1 block}\n",
        two="limits: {in_article: 2, gap: 120 words}\n",
        site="site: s\nuse: [./one.yaml, ./two.yaml]\nlimits: {in_article: 3}\n",
    )
    policy = folder.policy()
    assert policy.limits.in_article == 3
    assert policy.limits.gap.phone == Distance(120, "words")
    assert policy.keep_clear.around_media == Distance(1, "blocks")


def test_maps_merge_by_key_and_lists_replace(folder: Folder) -> None:
    folder.write(
        base="slots:\n  a:\n" + SLOT,
        site="site: s\nuse: ./base.yaml\nslots:\n  a: {sizes: {phone: [320x50, 320x100]}}\n",
    )
    sizes = folder.slot().sizes
    assert sizes.at(390) == (Size(320, 50), Size(320, 100))
    assert sizes.at(1366) == (Size(728, 90),)


def test_one_device_can_change_alone(folder: Folder) -> None:
    folder.write(
        base="limits: {gap: 100 words}\n",
        site="site: s\nuse: ./base.yaml\nlimits: {gap: {phone: 300 words}, ad_share: {desktop: 10%}}\n",
    )
    limits = folder.policy().limits
    assert (limits.gap.phone, limits.gap.desktop) == (Distance(300, "words"), Distance(100, "words"))
    assert limits.ad_share == PerDevice(0.30, 0.10)


def test_a_number_of_slots_can_change_on_one_device_alone(folder: Folder) -> None:
    folder.write(
        base="limits: {in_article: 6}\nslots:\n  a:\n" + SLOT + "    max: 5\n  b:\n" + SLOT + "    max: {desktop: 2}\n",
        site="site: s\nuse: ./base.yaml\nlimits: {in_article: {phone: 3}}\nslots: {a: {max: {phone: 2}}, b: {max: 3}}"
        "\n",
    )
    policy = folder.policy()
    assert (policy.limits.in_article, policy.limits.in_article_on) == (6, Counts(3, 6))
    a, b = policy.slots
    assert (a.max, a.max_on) == (5, Counts(2, 5))
    assert (b.max, b.max_on) == (3, None)


def test_a_device_that_nothing_is_said_of_has_the_usual_number(folder: Folder) -> None:
    folder.write(site="site: s\nlimits: {in_article: {phone: 3}}\nslots:\n  a:\n" + SLOT + "    max: {phone: 1}\n")
    policy = folder.policy()
    assert policy.limits.in_article_on == Counts(3, 8)
    assert policy.slots[0].max_on == Counts(1, 8)


def test_false_turns_a_slot_off_and_a_map_turns_it_on_again(folder: Folder) -> None:
    folder.write(
        base="slots:\n  a:\n" + SLOT + "  b:\n" + SLOT,
        off="use: ./base.yaml\nslots: {a: false, b: false}\n",
        site="site: s\nuse: ./off.yaml\nslots:\n  a:\n" + SLOT,
    )
    assert [slot.name for slot in folder.policy().slots] == ["a"]


def test_a_new_place_drops_the_old_ones_narrows(folder: Folder) -> None:
    folder.write(
        base="slots:\n  a:\n" + SLOT + "    every: 2 blocks\n    first_after: 50 words\n",
        site="site: s\nuse: ./base.yaml\nslots: {a: {place: end-of-article}}\n",
    )
    slot = folder.slot()
    assert slot.place is FixedPlace.END_OF_ARTICLE
    assert slot.first_after.amount == 0


def test_one_narrow_replaces_another(folder: Folder) -> None:
    folder.write(
        base="slots:\n  a:\n" + SLOT + "    every: 2 blocks\n",
        site="site: s\nuse: ./base.yaml\nslots: {a: {after: paragraph -2}}\n",
    )
    assert folder.slot().place == MidArticle(after_paragraph=-2)


def test_a_place_of_another_form_replaces_the_whole(folder: Folder) -> None:
    folder.write(
        base="slots:\n  a: {place: {sidebar: first}, sizes: {phone: [300x250]}}\n",
        site='site: s\nuse: ./base.yaml\nslots: {a: {place: {after: ".tags"}}}\n',
    )
    assert folder.slot().place == SelectorPlace("after", ".tags")


def test_a_creative_replaces_a_div_and_a_div_a_creative(folder: Folder) -> None:
    folder.write(
        base="slots:\n  a:\n" + SLOT + "    div: {id: 'x-{n}'}\n",
        house="use: ./base.yaml\nslots: {a: {creative: {html: <br>}}}\n",
        site="site: s\nuse: ./house.yaml\n",
    )
    assert isinstance(folder.slot().creative, HtmlCreative)
    folder.write(site="site: s\nuse: ./house.yaml\nslots: {a: {div: {class: y}}}\n")
    assert folder.slot().creative == ByPage(classes="y")


def test_site_and_hosts_are_not_handed_on(folder: Folder) -> None:
    folder.write(
        other="site: other\nhosts: other.example\nlimits: {in_article: 2}\n",
        site="site: s\nuse: ./other.yaml\n",
    )
    (rule_set,) = load_rules(folder.path / "site.yaml").rule_sets
    assert (rule_set.site, rule_set.hosts) == ("s", ())
    assert folder.policy().limits.in_article == 2


def test_pages_lie_over_the_rest_with_what_they_use_between(folder: Folder) -> None:
    folder.write(
        live="limits: {in_article: 1, gap: 90 words}\nslots: {a: {max: 1}}\n",
        site="site: s\nlimits: {in_article: 5}\nslots:\n  a:\n"
        + SLOT
        + "pages:\n  - {path: /live/**, use: ./live.yaml, limits: {gap: 80 words}}\n  - {path: /**}\n",
    )
    live, rest = folder.policy(page=0), folder.policy(page=1)
    assert (live.limits.in_article, rest.limits.in_article) == (1, 5)
    assert (live.limits.gap.phone.amount, rest.limits.gap.phone.amount) == (80, 200)
    assert (live.slots[0].max, rest.slots[0].max) == (1, 5)


def test_each_value_remembers_the_file_and_line_that_it_came_from(folder: Folder) -> None:
    folder.write(
        base="limits:\n  in_article: 3\n",
        site="site: s\nuse: ./base.yaml\nlimits:\n  gap: 100 words\nslots:\n  a:\n" + SLOT,
    )
    book = load_rules(folder.path / "site.yaml")
    rows = {key: (value, origin) for key, value, origin in describe_policy(book, "https://any.example/x?y=1")}
    assert rows["limits.in_article"] == ("3", f"{folder.path}/base.yaml:3")
    assert rows["limits.gap.phone"] == ("100 words", f"{folder.path}/site.yaml:5")
    assert rows["keep_clear.around_media"] == ("40 words", "default")
    assert rows["slots.a.sizes.desktop"] == ("[728x90]", f"{folder.path}/site.yaml:9")
    assert book.origins["s: limits.in_article"] == f"{folder.path}/base.yaml:3"
    assert rows["site"][0] == "s"


def test_all_files_that_were_read_are_named_with_their_hash(folder: Folder) -> None:
    (folder.path / "house.html").write_text("<br>")
    folder.write(
        base="limits: {in_article: 3}\n",
        site="site: s\nuse: ./base.yaml\nslots:\n  a:\n" + SLOT + "    creative: {html_file: house.html}\n",
    )
    book = load_rules(folder.path / "site.yaml")
    assert [Path(file.path).name for file in book.files] == ["base.yaml", "house.html", "site.yaml"]
    assert all(len(file.sha256) == 64 for file in book.files)


def test_files_outside_the_folder_and_links_may_be_used(tmp_path: Path) -> None:
    (tmp_path / "shared").mkdir()
    (tmp_path / "sites").mkdir()
    Folder(tmp_path / "shared").write(group="limits: {in_article: 2}\n")
    (tmp_path / "sites" / "linked.yaml").symlink_to(tmp_path / "shared" / "group.yaml")
    Folder(tmp_path / "sites").write(site="site: s\nuse: [../shared/group.yaml, ./linked.yaml]\n")
    assert Folder(tmp_path / "sites").policy().limits.in_article == 2


def test_a_diamond_of_uses_is_no_circle_and_no_explosion(folder: Folder) -> None:
    folder.write(l0="limits: {in_article: 2}\n")
    for level in range(1, 7):
        folder.write(**{f"l{level}": f"use: [{', '.join([f'./l{level - 1}.yaml'] * 16)}]\n"})
    folder.write(site="site: s\nuse: ./l6.yaml\n")
    assert folder.policy().limits.in_article == 2


def test_merge_file_gives_the_file_alone_and_the_whole(folder: Folder) -> None:
    folder.write(base="site: b\nhosts: b.example\nlimits: {in_article: 2}\n", site="site: s\nuse: ./base.yaml\n")
    merged = merge_file(folder.path / "site.yaml")
    assert plain(merged.own) == {"version": 1, "site": "s", "use": "./base.yaml"}
    whole = plain(merged.whole)
    assert isinstance(whole, dict)
    assert whole["limits"]["in_article"] == 2
    assert whole["site"] == "s"
    assert not {"use", "hosts"} & whole.keys()


def test_merge_file_raises_what_is_wrong(folder: Folder) -> None:
    folder.write(site="site: s\nuse: [./none.yaml, nws]\n")
    with pytest.raises(RulesError) as caught:
        merge_file(folder.path / "site.yaml")
    assert len(caught.value.problems) == 2


def test_presets_are_found_by_name() -> None:
    assert preset_names() == ["blog", "live-blog", "longform", "news"]


def words(amount: int) -> Distance:
    return Distance(amount, "words")


def test_one_side_of_a_distance_is_changed_and_the_other_stays(folder: Folder) -> None:
    folder.write(
        base="keep_clear: {around_media: 40 words, around_lists: 10 words, around: {.x: 2 blocks}}\n",
        site="site: s\nuse: ./base.yaml\nkeep_clear:\n  around_media: {below: 80 words}\n  around_lists: 5 words\n"
        "  around: {.x: {unless_heading: true}}\n",
    )
    clear = folder.policy().keep_clear
    assert clear.around_media == Sides(words(40), words(80))
    assert clear.around_lists == words(5)
    assert clear.around == ((".x", Sides(Distance(2, "blocks"), Distance(2, "blocks"), True)),)


def test_one_distance_over_two_sides_replaces_both(folder: Folder) -> None:
    folder.write(
        base="keep_clear: {around_media: {above: 40 words, unless_heading: true}}\n",
        site="site: s\nuse: ./base.yaml\nkeep_clear: {around_media: 10 words}\n",
    )
    assert folder.policy().keep_clear.around_media == words(10)


def test_a_side_over_the_defaults_leaves_the_other_as_it_is_by_default(folder: Folder) -> None:
    folder.write(site="site: s\nkeep_clear: {around_media: {above: 10 words}, around_quotes: {above: 1 block}}\n")
    clear = folder.policy().keep_clear
    assert clear.around_media == Sides(words(10), words(40))
    assert clear.around_quotes == Sides(Distance(1, "blocks"), words(0))


def test_conditions_merge_by_field_and_each_field_is_replaced_whole(folder: Folder) -> None:
    folder.write(
        base="slots:\n  a:\n"
        + SLOT
        + "    when:\n      words: {at_least: 300}\n      json_ld: {articleSection: {not: News}, x: y}\n",
        site="site: s\nuse: ./base.yaml\nslots:\n  a:\n    when:\n      words: {at_most: 900}\n"
        "      json_ld: {articleSection: Sport}\n      language: [en, DE]\n",
    )
    when = folder.slot().when
    assert (when.min_words, when.max_words) == (0, 900)
    assert dict(when.json_ld) == {"articleSection": Said(one_of=("sport",)), "x": Said(one_of=("y",))}
    assert when.language == Said(one_of=("en", "de"))


def test_a_shift_stays_with_a_new_position_and_goes_with_the_place(folder: Folder) -> None:
    folder.write(
        base="slots:\n  a:\n" + SLOT + "    at: 50%\n    shift: 2 blocks\n",
        site="site: s\nuse: ./base.yaml\nslots:\n  a: {after: paragraph 3}\n",
        every="site: s\nuse: ./base.yaml\nslots:\n  a: {every: 300 words}\n",
        end="site: s\nuse: ./base.yaml\nslots:\n  a: {place: end-of-article}\n",
        only="site: s\nuse: ./base.yaml\nslots:\n  a: {shift: 1 block}\n",
    )
    assert folder.slot().place == MidArticle(after_paragraph=3, shift=Distance(2, "blocks"))
    assert folder.policy("every").slots[0].place == MidArticle(every=words(300))
    assert folder.policy("end").slots[0].place is FixedPlace.END_OF_ARTICLE
    assert folder.policy("only").slots[0].place == MidArticle(at=0.5, shift=Distance(1, "blocks"))


def test_pages_have_conditions_and_markers_of_their_own(folder: Folder) -> None:
    folder.write(
        site="site: s\nmarkers: [a]\npages:\n  - {path: /opinion/**, markers: off, when: {has_not: .sponsored}}\n"
        "  - {path: /**}\nslots:\n  a:\n" + SLOT
    )
    opinion, rest = folder.policy(page=0), folder.policy(page=1)
    assert (opinion.markers, opinion.when.has_not) == ((), (".sponsored",))
    assert (rest.markers, rest.when.has_not) == (("a",), ())


def test_markers_mean_every_slot_where_no_file_says_anything(folder: Folder) -> None:
    folder.write(site="site: s\n")
    assert folder.policy().markers is None


def test_what_may_differ_by_page_is_shown_with_its_origin(folder: Folder) -> None:
    folder.write(
        base="keep_clear: {around_media: 40 words}\n",
        site="site: s\nuse: ./base.yaml\nkeep_clear: {around_media: {above: 10 words}}\nwhen: {language: en}\n",
    )
    shown = {key: (value, Path(origin.split(":")[0]).name) for key, value, origin in describe_policy(
        load_rules(folder.path / "site.yaml"), "https://any.example/"
    )}  # fmt: skip
    assert shown["keep_clear.around_media.above"] == ("10 words", "site.yaml")
    assert shown["keep_clear.around_media.below"] == ("40 words", "base.yaml")
    assert shown["when.language"] == ("en", "site.yaml")
    assert shown["markers"] == ("on", "default")
    assert shown["limits.gap_grows"] == ("0 words", "default")


def test_the_revision_changes_with_conditions_markers_and_sides(folder: Folder) -> None:
    folder.write(
        a="site: s\n",
        b="site: s\nmarkers: off\n",
        c="site: s\nwhen: {language: en}\n",
        d="site: s\nkeep_clear: {around_media: {above: 1 word}}\n",
        e="site: s\nlimits: {gap_grows: 10 words}\n",
    )
    assert len({folder.policy(name).revision for name in "abcde"}) == 5
