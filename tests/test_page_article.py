"""Where the article is."""

from __future__ import annotations

import pytest

from adproxy.page import article as articles
from adproxy.page.article import Article
from adproxy.page.marks import mark
from adproxy.page.tree import Tree

SENTENCE = "The harbour lay quiet and nobody had seen the boat since late in the evening. "
P = f"<p>{SENTENCE * 2}</p>"
SHORT = "<p>A short line of text.</p>"


def find(html: str) -> Article | None:
    page = html.encode()
    marked = mark(page)
    tree = Tree(page, marked, marked.copy)
    assert tree.body is not None
    return articles.find(tree.body, tree.landmarks.paragraphs)


def root(html: str) -> str | None:
    """The id of the article's element, else its tag."""
    found = find(html)
    return None if found is None else found.root.id or found.root.tag


def test_it_is_the_deepest_element_that_holds_the_text() -> None:
    assert root(f"<body><div id=a><div id=b><main id=c>{P * 5}</main></div></div>") == "c"


def test_paragraphs_that_are_wrapped_one_by_one_do_not_lead_further_down() -> None:
    assert root(f"<body><div id=a>{''.join(f'<div>{P}</div>' for _ in range(6))}</div>") == "a"


def test_text_in_sections_is_found_by_what_holds_all_of_them() -> None:
    assert root(f"<body><div id=a><section>{P * 3}</section><section>{P * 3}</section></div>") == "a"


@pytest.mark.parametrize(
    "around",
    [
        "<nav>{}</nav>",
        "<aside>{}</aside>",
        "<footer>{}</footer>",
        "<div class=related-posts>{}</div>",
        "<div id=comments>{}</div>",
        "<section class=newsletter>{}</section>",
        "<div class=sidebar>{}</div>",
        "<div role=complementary>{}</div>",
        "<div hidden>{}</div>",
        "<div style='display: none'>{}</div>",
        "<div class=ad-slot>{}</div>",
        "<details>{}</details>",
        "<figure>{}</figure>",
    ],
)
def test_what_is_not_the_articles_own_text_does_not_count(around: str) -> None:
    found = find(f"<body><div id=x>{around.format(P * 4)}<div id=a>{P * 5}</div>{around.format(P * 2)}</div>")
    assert found is not None
    assert found.root.id == "a"
    assert len(found.nodes) == len(found.paragraphs) == 5
    assert found.words == 5 * 30


def test_an_article_in_an_element_with_a_strange_name_is_still_found() -> None:
    assert root(f"<body><div id=a class=newsletter>{P * 8}</div><div>{P}</div>") == "a"


def test_an_article_in_a_form_around_the_page_is_found() -> None:
    assert root(f"<body><form><div id=a>{P * 8}</div></form>") == "a"


def test_comments_longer_than_the_article_do_not_win() -> None:
    html = f"<body><div id=a>{P * 5}</div><div class=comments>{P * 4}</div><div class=comment-list>{P * 4}</div>"
    assert root(html) == "a"


@pytest.mark.parametrize("start", ["<footer><div>", "<nav><div>", "<dialog><div>"])
def test_a_page_with_most_of_its_words_in_its_footer_has_none_or_a_brief(start: str) -> None:
    assert find(f"<body><main>{SHORT}</main>{start}{P * 6}") is None
    assert root(f"<body><main id=a>{P * 2}</main>{start}{P * 6}") == "a"


@pytest.mark.parametrize("name", ["comments", "comment-list", "commentsArea", "CommentsBlock"])
def test_a_brief_is_found_beside_more_words_of_comments(name: str) -> None:
    assert root(f"<body><div id=a>{P * 2}</div><div class='{name}'>{P * 9}</div>") == "a"


def test_an_article_that_says_it_has_comments_is_one() -> None:
    assert root(f"<body><div>{P * 2}</div><div id=a class='comments-open with-comments'>{P * 9}</div>") == "a"


@pytest.mark.parametrize("name", ["footer", "site-footer", "footerInner", "sidebar", "legal"])
def test_a_brief_is_found_beside_more_words_in_a_footer_or_sidebar(name: str) -> None:
    assert root(f"<body><div id=a>{P * 2}</div><div class='x {name}'><div>{P * 9}</div></div>") == "a"


@pytest.mark.parametrize("name", ["content-sidebar", "sidebar", "footer", "comment", "kommentar", "opinion-comment"])
def test_what_holds_the_headline_is_no_sidebar(name: str) -> None:
    assert root(f"<body><div>{P * 2}</div><div id=a class={name}><h1>A Headline</h1>{P * 9}</div>") == "a"


@pytest.mark.parametrize("name", ["d-none d-print-block", "hidden print:block", "show-for-print"])
def test_a_copy_for_the_printer_is_no_article(name: str) -> None:
    copies = [f"<div id=a class='text d-print-none'>{P * 4}</div>", f"<div class='{name}'>{P * 4}</div>"]
    assert root(f"<body>{''.join(copies)}") == root(f"<body>{''.join(reversed(copies))}") == "a"


@pytest.mark.parametrize("how", ["hidden", "style='display: none'"])
def test_a_window_that_is_not_open_is_no_article_however_much_it_says(how: str) -> None:
    assert root(f"<body><h1>Sign in</h1><div id=a>{P * 2}</div><div {how}>{P * 9}</div>") == "a"
    assert find(f"<body><h1>Sign in</h1><p>Your name:</p><div {how}>{P * 9}</div>") is None
    # a script shows it as soon as it runs
    assert root(f"<body><div><div id=a {how}><h1>A Headline</h1>{P * 9}</div></div>") == "a"


def test_what_is_left_without_the_comments_tells_how_much_is_too_much_to_ignore() -> None:
    article = f"<div id=a class=related-x>{P * 6}</div>"
    assert root(f"<body>{article}<div class=comments>{P * 20}</div>") == "a"
    assert root(f"<body>{article}<div class=visitors-comments-x>{P * 20}</div>") == "a"


def test_a_little_box_is_no_article_because_all_else_is_comments() -> None:
    assert (
        root(f"<body><div id=a>{P * 2}</div><div class=newsletter>{P * 4}</div><ol class=comments>{P * 20}</ol>") == "a"
    )


def test_paragraphs_of_links_are_no_text() -> None:
    links = f"<p><a href=x>{SENTENCE}</a></p>" * 8
    assert root(f"<body><div id=l>{links}</div><div id=a>{P * 4}</div>") == "a"


@pytest.mark.parametrize("html", ["", "<p>", SHORT * 30, P, "<ul>" + f"<li><a href=x>{SENTENCE}</a>" * 30 + "</ul>"])
def test_a_page_with_too_little_text_has_none(html: str) -> None:
    assert find(f"<body>{html}") is None


def test_a_paragraph_that_holds_others_is_not_counted_with_them() -> None:
    found = find(f"<body><div id=a>{P * 3}<p><object>{SENTENCE}{P}</object></p></div>")
    assert found is not None
    assert (found.root.id, found.words, len(found.nodes)) == ("a", 4 * 30, 4)


def test_a_page_of_teasers_has_none_or_one_that_holds_them_all() -> None:
    teasers = "".join(f'<div class="teaser"><h2><a href=x>{SENTENCE}</a></h2>{SHORT}</div>' for _ in range(30))
    assert find(f"<body><main>{teasers}</main>") is None


def excerpts(text: str, *, longer: str = "", title: str = "<a class=post-title href=/{}>A title</a>") -> str:
    """Six posts in boxes, the third of them with more text."""
    texts = [text, text, longer or text, text, text, text]
    items = (f"<div class=item><div>{title.format(i)}<p>{each}</p></div></div>" for i, each in enumerate(texts))
    return f"<body><main id=a>{''.join(items)}</main>"


@pytest.mark.parametrize(
    "title",
    [
        "<a class=article-title href=/{}>A title</a>",
        "<div class='post title'><a href=/{}>A title</a></div>",
        "<h2><a href=/{}>A title</a></h2>",
    ],
)
def test_titles_that_are_no_headings_make_teasers_too(title: str) -> None:
    assert find(excerpts(SENTENCE * 3, title=title)) is None


def test_titles_that_lead_nowhere_else_make_none() -> None:
    assert root(excerpts(SENTENCE * 3, title="<a class=title href=#{}>A title</a>")) == "a"
    assert root(excerpts(SENTENCE * 3, title="<a class=author href=/{}>A name</a>")) == "a"


def test_a_longer_excerpt_among_others_that_are_cut_off_is_no_article() -> None:
    assert find(excerpts(SENTENCE * 3 + "and...", longer=SENTENCE * 14 + "and…")) is None
    assert find(excerpts(SENTENCE * 3 + "… <a href=/x>Read more</a>", longer=SENTENCE * 14)) is None


def test_a_longer_post_among_short_ones_that_are_whole_is_one() -> None:
    found = find(excerpts(SENTENCE * 3, longer=SENTENCE * 14))
    assert found is not None
    assert len(found.nodes) == 1


@pytest.mark.parametrize(
    "html",
    [
        "<section id=a><h1>One</h1>{few}<section><h2>Two</h2>{many}</section></section>",
        "<div id=a><h1>One</h1><div class=row><div>{few}</div></div><div class=row><div>{many}</div></div></div>",
        "<div id=a><h1>One</h1><div class=row><div><div>{many}</div></div></div><div class=row>{few}</div></div>",
    ],
)
def test_a_section_that_holds_most_of_an_article_is_not_all_of_it(html: str) -> None:
    assert root(f"<body><main>{html.format(few=P * 3, many=P * 9)}</main>") == "a"


@pytest.mark.parametrize(
    "html",
    [
        "<div><h1>One</h1>{few}<div id=a><h1>Two</h1>{many}</div></div>",
        "<div>{few}<div id=a>{many}</div></div>",
        "<div><h1>One</h1><div id=a class=text>{many}</div><div class=else>{few}</div></div>",
    ],
)
def test_what_else_stands_beside_an_article_is_none_of_it(html: str) -> None:
    assert root(f"<body><main>{html.format(few=P * 3, many=P * 9)}</main>") == "a"


LONG = SENTENCE * 9


@pytest.mark.parametrize(
    ("below", "is_list"),
    [
        ("<p><a href=/{}>Read more</a>", True),
        ("<a class=more href=/{}>Continue reading →</a><p><a href='/{}#comments'>2 comments</a>", True),
        ("<p><a href='/{}#comments'>2 comments</a>", False),
        ("<p>Posted at <a href=/{}>5:13 pm</a>", False),
        ("<p><a href=/{}>Permalink</a>", False),
        ("<p><a href=/{}><img src=x></a>", False),
        ("", False),
    ],
)
def test_long_excerpts_are_told_from_posts_by_what_leads_on(below: str, is_list: bool) -> None:
    posts = "".join(
        f"<div><h2><a href=/{i}>A title</a></h2><p>{LONG}</p>{below.replace('{}', str(i))}</div>" for i in range(6)
    )
    assert (find(f"<body><main>{posts}</main>") is None) == is_list


@pytest.mark.parametrize(
    "item",
    [
        "<article><h2><a href=/{}>A title</a></h2><p>By A</p>{}</article>",
        "<dt><a href=/{}>A title</a></dt><dd><p>{}</p></dd>",
        "<dt><a href=/{}>A title</a></dt><dd>{}</dd>",
        "<h2><a href=/{}>A title</a></h2><h6>Posted by A</h6><p>{}</p><ul><li>Tag</ul>",
        "<h2><a href=/{}>A title</a></h2><p>May 3</p><p>{}</p>",
    ],
)
def test_excerpts_that_are_no_paragraphs_make_a_list_too(item: str) -> None:
    items = "".join(item.format(i, SENTENCE * 4) for i in range(6))
    assert find(f"<body><main>{items}</main>") is None


def test_answers_whose_titles_lead_to_the_page_of_all_questions_are_an_article() -> None:
    assert root(excerpts(SENTENCE * 3, title="<h3><a href=/questions>A question</a></h3>")) == "a"


@pytest.mark.parametrize(
    ("says_where", "links", "is_list"),
    [
        ("<link rel=canonical href='https://www.paper.example/'>", 0, True),
        ("<link rel=canonical href='https://other.example/'>", 9, False),
        ("<link rel='https://api.w.org/' href='https://paper.example/wp-json/'>", 0, True),
        ("", 9, True),
    ],
)
def test_posts_below_links_to_the_sites_own_addresses_are_a_list(says_where: str, links: int, is_list: bool) -> None:
    posts = "".join(
        f"<article><h2><a href='https://paper.example/{i}'>{SENTENCE}</a></h2>{P}<p>{SENTENCE}</p></article>"
        for i in range(6)
    )
    menu = "<a href='https://paper.example/a'>Town</a>" * links + "<a href=//shop.example>Shop</a>" * 3
    head = f"<head>{says_where}</head>"
    assert (find(f"<html>{head}<body>{menu}<main>{posts}</main>") is None) == is_list


def test_where_most_links_lead_to_is_no_host_of_its_own_if_most_have_none() -> None:
    posts = "".join(
        f"<article><h2><a href='https://shop.example/{i}'>{SENTENCE}</a></h2>{P}</article>" for i in range(6)
    )
    assert find(f"<body>{'<a href=/town>Town</a>' * 6}<main>{posts}</main>") is not None


CARD = '<div class=c><a href="{0}"><img src="/1.jpg" width=200></a><b><a href="{1}">A title</a></b>{2}</div>'


def cards(picture: str, title: str, text: str) -> str:
    return "".join(CARD.format(picture.format(i), title.format(i), text) for i in range(6))


def test_a_picture_and_a_title_that_lead_to_the_same_other_page_make_a_teaser() -> None:
    def paragraphs(picture: str, title: str) -> int:
        menu = "<a href=/town>Town</a>" * 9
        found = find(f"<body>{menu}<div>{P * 4}<section>{cards(picture, title, P)}</section></div>")
        return 0 if found is None else len(found.nodes)

    assert paragraphs("/story/{}", "/story/{}") == 4
    # what leads to a shop, to a larger picture or to the page itself belongs to the article
    assert paragraphs("https://shop.example/{}", "https://shop.example/{}") == 10
    assert paragraphs("/large/{}.jpg", "/story/{}") == 10
    assert paragraphs("#{}", "#{}") == 10


def test_the_few_paragraphs_of_a_page_without_them_are_read_too() -> None:
    items = "".join(f"<li>{SENTENCE * 2}</li>" for _ in range(8))
    found = find(f"<body><div id=a>{P}<ol>{items}</ol>{P}</div>")
    assert found is not None
    assert (found.root.id, len(found.nodes)) == ("a", 10)


def test_a_page_without_paragraph_tags_is_read_by_its_line_breaks() -> None:
    text = "<br><br>".join(SENTENCE * 3 for _ in range(8))
    assert root(f"<body><div id=a>{text}</div>") == "a"


@pytest.mark.parametrize("around", ["<div id=a>{}</div>", "<body id=a>{}"])
def test_text_between_line_breaks_is_found_though_comments_stand_in_paragraphs(around: str) -> None:
    text = "<br><br>".join(SENTENCE * 3 for _ in range(12))
    assert root(f"<body>{around.format(text)}<div class=comments>{P * 6}</div>") == "a"


def test_a_brief_in_paragraphs_is_believed_though_menus_have_more_text() -> None:
    menu = "".join(f"<div>{SENTENCE}</div>" for _ in range(8))
    assert root(f"<body><div>{menu}</div><div id=a>{P * 3}</div>") == "a"


def test_a_page_of_boxes_instead_of_paragraphs_is_found() -> None:
    assert root(f"<body><div id=a>{f'<div>{SENTENCE * 2}</div>' * 8}</div>") == "a"


def test_a_page_laid_out_in_a_table_is_found_in_its_cell() -> None:
    links = "<a href=x>Somewhere else on this site</a><br>" * 9
    assert root(f"<body><table><tr><td>{links}</td><td id=a>{P * 8}</td></tr></table>") == "a"


def test_two_columns_of_text_are_held_together() -> None:
    assert root(f"<body><table id=t><tr><td>{P * 5}</td><td>{P * 5}</td></tr></table>") == "tr"


def test_a_live_page_of_many_entries_is_held_together() -> None:
    entries = "".join(f"<article><h2>10:{i}</h2>{P}</article>" for i in range(10, 25))
    assert root(f"<body><main id=a>{entries}</main>") == "a"


def test_chinese_text_counts() -> None:
    assert root(f"<body><div id=a>{('<p>' + '港口很安静没有人看见那条船。' * 4 + '</p>') * 5}</div>") == "a"


def test_an_element_that_the_rules_name_is_taken_as_it_is() -> None:
    page = f"<body><div id=a>{SHORT}{P}</div>{P * 9}".encode()
    marked = mark(page)
    tree = Tree(page, marked, marked.copy)
    found = articles.within(tree.css("#a")[0])
    assert found.root.id == "a"
    assert (found.words, len(found.nodes)) == (30, 1)
