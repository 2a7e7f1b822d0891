"""What class and id names say, by whole words."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from adproxy.page import ads, names
from adproxy.page.names import Says, says, tokens


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("related-posts", ("related", "posts")),
        ("relatedPosts", ("related", "posts")),
        ("js_adSlot2x", ("js", "ad", "slot", "x")),
        ("MAIN", ("main",)),
        ("--", ()),
        ("größe", ("gr", "e")),
    ],
)
def test_a_name_is_split_at_case_changes_and_at_what_is_no_letter(name: str, words: tuple[str, ...]) -> None:
    assert tokens(name) == words


@pytest.mark.parametrize(
    "name",
    """ad ads advert adSlot ad-container js-ad-slot advertisement div-ad-1 adsbygoogle sponsored taboola-widget
    dfp-tag leaderboard-wrapper anzeige header-ad""".split(),
)
def test_names_of_advertising_are_known(name: str) -> None:
    assert says(name, "") & Says.AD
    assert says("", name) & Says.AD


@pytest.mark.parametrize(
    "name",
    """address header gradient loading adaptive shadow badge load-ad-free ad-free no-ads has-ads adblock-notice
    adchoices
    leaderboard-table read download roadmap thread team-leaderboard
    AdBlockModal ad-disclaimer non-ad-column ad-hoc-query
    block-7ad01536-0b4a-4c1e-9ad2-0123456789ab""".split(),
)
def test_names_that_only_contain_those_letters_or_speak_about_ads_are_none(name: str) -> None:
    assert not says(name, "") & Says.AD


@pytest.mark.parametrize(
    "name",
    "nav site-nav related relatedPosts comments comment-list newsletter-signup author-bio share-bar footer".split(),
)
def test_names_of_what_is_not_the_article(name: str) -> None:
    assert says(name, "") & Says.NOT_ARTICLE


@pytest.mark.parametrize(
    "name", "correlated navy uncommented footnote-text shareholder has-comments no-sidebar".split()
)
def test_names_that_only_look_so(name: str) -> None:
    assert not says(name, "") & (Says.NOT_ARTICLE | Says.SIDEBAR)


def test_a_generated_name_of_many_words_speaks_of_anything() -> None:
    assert says("grid-nav-a-b-c-d-e-f", "") == Says.NOTHING


def test_all_classes_and_the_id_are_heard() -> None:
    said = says("pullquote image", "sidebar")
    assert said & Says.PULL_QUOTE
    assert said & Says.MEDIA
    assert said & Says.SIDEBAR


@pytest.mark.parametrize(
    "name", ["kommentare", "comments", "commentaires-liste", "zona-comentarios", "yorumlar", "compartir", "autor-box"]
)
def test_boxes_around_an_article_are_known_in_other_languages_too(name: str) -> None:
    assert says(name, "") & Says.NOT_ARTICLE


@pytest.mark.parametrize("name", ["twitter-tweet", "instagram-media", "fb-post"])
def test_embeds_are_known_by_the_classes_that_their_scripts_look_for(name: str) -> None:
    assert says(name, "") & Says.EMBED


def test_very_long_and_very_many_names_are_cut() -> None:
    assert says(" ".join(f"x{i}" for i in range(30)) + " comments", "") == Says.NOTHING
    assert tokens("a" * 500) == ("a" * 400,)


@pytest.mark.parametrize(
    "classes",
    [
        "elementor-element elementor-widget elementor-widget-text-editor",
        "elementor-widget-wrap elementor-element-populated",
        "so-panel widget widget_sow-editor",
        "siteorigin-widget-tinymce textwidget",
        "span12 widget-span widget-type-custom_widget",
        "hs_cos_wrapper hs_cos_wrapper_widget hs_cos_wrapper_type_rich_text",
    ],
)
def test_a_page_builders_box_for_text_is_no_widget(classes: str) -> None:
    assert not says(classes, "") & Says.NOT_ARTICLE


@pytest.mark.parametrize(
    "classes",
    [
        "widget widget_text",
        "widget span4",
        "textwidget custom-html-widget",
        "elementor-element elementor-widget elementor-widget-posts",
        "elementor-element elementor-widget elementor-widget-nav-menu",
        "span4 widget-span widget-type-cell blog-sidebar",
    ],
)
def test_other_widgets_are_none_of_the_article(classes: str) -> None:
    assert says(classes, "") & Says.NOT_ARTICLE


@pytest.mark.parametrize(
    "classes",
    [
        "post-123 post type-post status-publish format-standard hentry category-advertising tag-newsletter",
        "article-area post-7 type-post tag-social-media author-box",
        "hentry tag-related",
    ],
)
def test_a_posts_terms_are_what_it_is_about(classes: str) -> None:
    assert not says(classes, "") & (Says.NOT_ARTICLE | Says.AD)


@pytest.mark.parametrize(
    ("classes", "ident"),
    [("post-123 hentry related", ""), ("post-123 hentry", "related-posts"), ("tag-related", ""), ("post-list", "nav")],
)
def test_other_names_of_a_post_speak_of_itself(classes: str, ident: str) -> None:
    assert says(classes, ident) & Says.NOT_ARTICLE


def test_what_is_printed_is_the_article_and_what_prints_is_none() -> None:
    assert not says("", "content_print") & Says.NOT_ARTICLE
    assert not says("printArticle", "") & Says.NOT_ARTICLE
    assert says("print-button", "") & Says.NOT_ARTICLE
    assert says("print-article related", "") & Says.NOT_ARTICLE


@pytest.mark.parametrize("name", ["row", "wp-block-columns", "et_pb_row", "elementor-container", "vc_row", "cols"])
def test_names_of_rows_of_columns(name: str) -> None:
    assert says(f"x {name}", "") & Says.COLUMNS


@pytest.mark.parametrize("name", ["wp-block-column", "container", "elementor-section", "rowing"])
def test_other_boxes_are_no_rows(name: str) -> None:
    assert not says(f"x {name}", "") & Says.COLUMNS


def test_a_thread_in_spips_forum_is_none_of_the_article() -> None:
    assert says("forum-fil", "") & Says.NOT_ARTICLE
    assert not says("forum", "") & Says.NOT_ARTICLE


KEPT: tuple[dict[Any, Any], ...] = (names._tokens_kept, names._remembered.kept, ads._remembered.kept)


def test_what_names_say_is_kept_within_a_bound() -> None:
    most = 0
    for i in range(names.MOST_KEPT + 3):
        says(f"name-{i}", "")
        ads.is_named_as_ad(f"name-{i}", "")
        most = max(most, *map(len, KEPT))
    assert most == names.MOST_KEPT
    assert all(len(kept) <= names.MOST_KEPT for kept in KEPT)


@pytest.mark.parametrize("asked", [lambda name: says(name, ""), lambda name: says("", name), tokens,
                                   lambda name: ads.is_named_as_ad(name, "")])  # fmt: skip
def test_long_names_fill_no_memory(asked: Callable[[str], object]) -> None:
    def held() -> int:
        return sum(map(len, KEPT))

    for kept in KEPT:
        kept.clear()
    asked("short-and-seldom-heard")
    before = held()
    assert before
    for i in range(50):
        asked(f"x{i}-" + "long" * names.LONGEST_KEPT)
    assert held() == before
