"""The article as blocks and gaps."""

from __future__ import annotations

import pytest

from adproxy.model import Block, BlockFlag, BlockKind, Edge, Page, Reason
from adproxy.page.blocks import MAX_VISITED
from adproxy.page.read import Wanted, read

SENTENCE = "The harbour lay quiet and nobody had seen the boat since late in the evening. "
P = f"<p>{SENTENCE * 2}</p>"
AUTO = Wanted(settled=True)


def page(inside: str, wanted: Wanted = AUTO) -> Page:
    return read(_html(inside).encode(), wanted)


def _html(inside: str) -> str:
    return f"<body><main>{P}{P}{inside}{P}{P}</main>"


def between(inside: str, wanted: Wanted = AUTO) -> tuple[Block, ...]:
    """The blocks that some markup in the middle of an article becomes."""
    blocks = page(inside, wanted).blocks
    assert [b.kind for b in (*blocks[:2], *blocks[-2:])] == [BlockKind.PARAGRAPH] * 4
    return blocks[2:-2]


def kinds(inside: str) -> list[BlockKind]:
    return [block.kind for block in between(inside)]


@pytest.mark.parametrize(
    ("html", "kind"),
    [
        ("<p>One line of text that ends here.</p>", BlockKind.PARAGRAPH),
        ("<h2>Head</h2>", BlockKind.HEADING),
        ("<div role=heading>Head</div>", BlockKind.HEADING),
        ("<ul><li>a<li>b</ul>", BlockKind.LIST),
        ("<dl><dt>a<dd>b</dl>", BlockKind.LIST),
        ("<ul><li><a href=x>a link</a></ul>", BlockKind.ASIDE),
        ("<ul><li><img src=x></ul>", BlockKind.MEDIA),
        ("<table><tr><td>a</table>", BlockKind.TABLE),
        ("<table><tr><td><img src=x><tr><td>Caption</table>", BlockKind.MEDIA),
        ("<blockquote>A quotation.</blockquote>", BlockKind.QUOTE),
        ("<blockquote class=twitter-tweet>A post</blockquote>", BlockKind.MEDIA),
        ("<pre>code</pre>", BlockKind.CODE),
        ("<figure><img src=x><figcaption>Caption</figcaption></figure>", BlockKind.MEDIA),
        ("<figure><table><tr><td>a</table></figure>", BlockKind.TABLE),
        ("<figure><pre>code</pre></figure>", BlockKind.CODE),
        ("<img src=x width=600 height=400>", BlockKind.MEDIA),
        ("<div class=photo><img src=x></div>", BlockKind.MEDIA),
        ("<p><img src=x></p>", BlockKind.MEDIA),
        ("<video src=x></video>", BlockKind.MEDIA),
        ("<iframe src=https://www.youtube.com/embed/x></iframe>", BlockKind.MEDIA),
        ("<div class=caption>A caption</div>", BlockKind.CAPTION),
        ("<div class=ad-slot></div>", BlockKind.AD),
        ("<div class=ad-slot><script>x()</script></div>", BlockKind.AD),
        ("<div><ins class=adsbygoogle></ins></div>", BlockKind.AD),
        ("<p><ins class=adsbygoogle></ins></p>", BlockKind.AD),
        ("<iframe src=https://x.doubleclick.net/y></iframe>", BlockKind.AD),
        ("<p>Advertisement</p>", BlockKind.AD),
        ("<div>- Anzeige -</div>", BlockKind.AD),
        ("<aside>More on this story.</aside>", BlockKind.ASIDE),
        ("<div class=newsletter>Sign up today.</div>", BlockKind.ASIDE),
        ("<div class=pullquote>What a quotation!</div>", BlockKind.ASIDE),
        ("<form>Name</form>", BlockKind.ASIDE),
        ("<details><summary>More</summary>text</details>", BlockKind.ASIDE),
        ("<p><a href=x>Read more about this here</a></p>", BlockKind.ASIDE),
        ("<table><tr><td><pre>1\n2\n</pre><td><pre>first = 1\nsecond = 2\n</pre></table>", BlockKind.CODE),
        ("<figure><table><tr><td class=code><pre>first = 1</pre></table></figure>", BlockKind.CODE),
        ("<table><tr><td><pre>--all</pre><td>Shows all of the boats in the harbour.</table>", BlockKind.TABLE),
        ("<hr>", BlockKind.RULE),
        ("<div>Some text in a box.</div>", BlockKind.PARAGRAPH),
        ("Some text in no box at all.", BlockKind.PARAGRAPH),
    ],
)
def test_every_kind_of_content_becomes_a_block_of_its_kind(html: str, kind: BlockKind) -> None:
    assert kinds(html) == [kind]


@pytest.mark.parametrize(
    "html",
    [
        "",
        "<p></p>",
        "<p> \n</p>",
        "<div></div>",
        "<script>var a = '<p>'</script>",
        "<style>p{}</style>",
        "<noscript><p>text</p></noscript>",
        "<template><p>text</p></template>",
        "<!-- text -->",
        "<div hidden><p>Not to be seen by anybody.</p></div>",
        "<div style='display:none'>Not to be seen.</div>",
        "<h2 hidden>Head</h2>",
        "<img src=pixel.gif width=1 height=1>",
        "<img class=emoji src=x>",
        "<iframe src=x width=0 height=0></iframe>",
        "<link rel=x>",
        "<br><br>",
    ],
)
def test_what_readers_do_not_see_is_no_block(html: str) -> None:
    assert kinds(html) == []


def test_containers_dissolve_into_what_they_hold() -> None:
    assert kinds(f"<div><section><h2>Head</h2>{P}</section></div>") == [BlockKind.HEADING, BlockKind.PARAGRAPH]


def test_a_box_with_ads_in_its_name_but_much_text_is_text() -> None:
    assert kinds(f"<div class=ad>{P * 3}</div>") == [BlockKind.PARAGRAPH] * 3


def test_a_paragraph_knows_its_words_text_and_heights() -> None:
    (block,) = between("<p>One  two\nthree <b>four</b>.</p>")
    assert (block.words, block.text, block.chars, block.tag) == (4, "One two three four.", 19, "p")
    assert block.heights.phone > 0
    assert between("<p>" + "word " * 90 + "</p>")[0].text == ("word " * 16).strip().ljust(80)[:80]


def test_scripts_and_styles_within_a_paragraph_are_not_its_text() -> None:
    (block,) = between("<p>One two.<script>var three = 4</script><style>p{color:red}</style></p>")
    assert (block.words, block.text) == (2, "One two.")


@pytest.mark.parametrize(
    ("html", "flag"),
    [
        ("<p>These are the rules:</p>", BlockFlag.LEAD_IN),
        ("<p>規則は次のとおり：</p>", BlockFlag.LEAD_IN),
        ("<p><b>A heading in disguise</b></p>", BlockFlag.PSEUDO_HEADING),
        ("<p><strong>Bold</strong><br></p>", BlockFlag.PSEUDO_HEADING),
        ("<p>WHAT HAPPENED NEXT</p>", BlockFlag.PSEUDO_HEADING),
        ("<p><b>Why did you close the mine?</b></p>", BlockFlag.PSEUDO_HEADING),
        ("<p><font size=4><b>In old markup</b></font></p>", BlockFlag.PSEUDO_HEADING),
        ("<p><span><span><u>By an editor</u></span></span></p>", BlockFlag.PSEUDO_HEADING),
        ("<p><span style='font-size: x-large'>By its size</span></p>", BlockFlag.PSEUDO_HEADING),
        ("<p style='font-weight:700'>By its weight</p>", BlockFlag.PSEUDO_HEADING),
        ("<p class=story__crosshead>By its name</p>", BlockFlag.PSEUDO_HEADING),
        ("<p class=has-x-large-font-size>By the size's name</p>", BlockFlag.PSEUDO_HEADING),
        ("<div class=block-heading>In a box</div>", BlockFlag.PSEUDO_HEADING),
        ("<div><div><b>In a box</b></div></div>", BlockFlag.PSEUDO_HEADING),
        ("<b>A line</b> <i><b>of its own</b></i><br><br>", BlockFlag.PSEUDO_HEADING),
        ("<p>He went on and on and never</p>", BlockFlag.OPEN_SENTENCE),
        ("<p>Look at this picture here.<img src=x></p>", BlockFlag.HAS_MEDIA),
    ],
)
def test_a_paragraph_has_the_flags_of_its_text(html: str, flag: int) -> None:
    (block,) = between(html)
    assert block.kind is BlockKind.PARAGRAPH
    assert block.flags & flag


def test_a_list_leads_on_where_its_last_item_ends_in_a_colon() -> None:
    items = "<li>At first there was this.</li><li>{}</li>"
    leads_on, ends = between(f"<ol>{items.format('Then, in this order:')}</ol><ul>{items.format('At last.')}</ul>")
    assert (leads_on.kind, leads_on.flags) == (BlockKind.LIST, BlockFlag.LEAD_IN)
    assert (ends.kind, ends.flags) == (BlockKind.LIST, BlockFlag.NONE)


@pytest.mark.parametrize(
    "html",
    [
        "<p>A sentence that ends.</p>",
        "<p>A <b>bold</b> word.</p>",
        "<p>“He said so.”</p>",
        "<p>Really?!</p>",
        "<p>これで終わり。</p>",
        "<p><b>A whole bold sentence, which ends.</b></p>",
        "<p style='font-size:16px'>Not larger</p>",
        "<p class=font-large>Called large</p>",
        "<div><b>Name</b> and office</div>",
        "Behind <b>bold</b>",
        "<div class=heading>A whole sentence, which ends.</div>",
    ],
)
def test_a_sentence_that_ends_has_none(html: str) -> None:
    assert [block.flags for block in between(html)] == [BlockFlag.NONE]


def test_what_plays_a_heading_is_one() -> None:
    (block,) = between("<p role=heading aria-level=2>By its role.</p>")
    assert block.kind is BlockKind.HEADING


def test_a_quotation_is_kept_with_the_link_to_its_source() -> None:
    quote, source = between("<blockquote>What he said.</blockquote><p><a href=x>The source</a></p>")
    assert (quote.kind, source.kind) == (BlockKind.QUOTE, BlockKind.PARAGRAPH)
    assert quote.flags & BlockFlag.KEEP_WITH_NEXT


def test_text_between_line_breaks_is_split_at_empty_lines_alone() -> None:
    blocks = between("One two three.<br>Four.<br><br>Five six.<br> <br>Seven.")
    assert [b.text for b in blocks] == ["One two three. Four.", "Five six.", "Seven."]


def test_there_is_a_gap_behind_the_line_breaks_between_such_paragraphs() -> None:
    found = page("One two three.<br><br>Five six.")
    gap = found.gaps[3]
    assert gap.anchor is not None
    assert _html("One two three.<br><br>Five six.")[gap.anchor.offset :].startswith("Five six.")


def test_a_heading_that_holds_a_picture_says_so() -> None:
    heading, plain = between("<h2><img src=x width=640 height=360>Two words</h2><h2>Two words</h2>")
    assert (heading.kind, plain.kind) == (BlockKind.HEADING, BlockKind.HEADING)
    assert heading.flags & BlockFlag.HAS_MEDIA
    assert not plain.flags & BlockFlag.HAS_MEDIA
    assert heading.heights.phone > plain.heights.phone + 100


def test_a_heading_of_nothing_but_a_picture_is_a_picture() -> None:
    assert kinds("<h2><img src=x width=640 height=360></h2>") == [BlockKind.MEDIA]


def test_a_button_that_is_a_picture_by_its_style_is_media() -> None:
    assert kinds("<div><button><figure><div role=img></div></figure></button></div>") == [BlockKind.MEDIA]
    assert kinds("<div><button><i></i></button></div>") == []


def test_a_link_that_is_called_advertising_is_no_ad() -> None:
    assert kinds("<div><a href=/tag/advertising>Advertising</a></div>") == [BlockKind.ASIDE]
    assert kinds("<div>Advertising</div>") == [BlockKind.AD]


_TWO = "<div class=column><p>One two three.</p><p>Four five.</p></div><div class=column><p>Six seven.</p></div>"


@pytest.mark.parametrize(
    "row",
    [
        f"<div class=wp-block-columns>{_TWO}</div>",
        f"<div class='row x'>{_TWO.replace('column', 'col-md-6')}</div>",
        f"<div class=elementor-container>{_TWO.replace('column', 'elementor-column')}</div>",
    ],
)
def test_there_is_no_gap_within_columns_side_by_side(row: str) -> None:
    html = f"{row}<p>{SENTENCE}</p>"
    gaps = page(html).gaps
    assert [gap.problem for gap in gaps[3:5]] == [Reason.SPLITS_GROUP.value] * 2
    before, behind = gaps[2].anchor, gaps[5].anchor
    assert before is not None
    assert behind is not None
    assert _html(html)[before.offset :].startswith(row)
    assert _html(html)[behind.offset :].startswith(f"<p>{SENTENCE}")


@pytest.mark.parametrize(
    "row",
    [
        f"<div class=text>{_TWO}</div>",
        "<div class=row><div class=col><p>One two three.</p><p>Four five.</p><p>Six seven.</p></div></div>",
    ],
)
def test_other_rows_have_gaps(row: str) -> None:
    assert all(gap.anchor is not None for gap in page(row).gaps[2:5])


@pytest.mark.parametrize(
    "row",
    [
        "<div class=wp-block-columns>{0}{0}{0}</div>",
        "<div class=wp-block-columns>{0}{0}</div>",
    ],
)
def test_columns_of_long_text_have_none_either(row: str) -> None:
    html = row.format(f"<div class=wp-block-column>{P}{P}</div>")
    gaps = page(html + P).gaps
    pieces = html.count("<p>")
    assert {gap.problem for gap in gaps[3 : 2 + pieces]} == {Reason.SPLITS_GROUP}


def test_the_text_beside_a_short_column_has_gaps_and_the_short_one_has_none() -> None:
    html = f"<div class=row><div class=col-8>{P * 6}</div><div class=col-4>{P}{P}</div></div>"
    problems = [gap.problem for gap in page(html).gaps]
    assert problems[2:8] == [None] * 6
    assert problems[8:10] == [Reason.SPLITS_GROUP] * 2


def test_columns_as_wide_as_the_row_are_none() -> None:
    html = f"<div class=row><div class='col-12'>{P}{P}</div><div class='col-md-12'>{P}{P}</div></div>"
    assert {gap.problem for gap in page(html).gaps[2:7]} == {None}


@pytest.mark.parametrize("name", ["admonition tip", "kg-callout-card", "tip custom-block", "vp-tabs", "faq-section"])
def test_there_is_no_gap_within_a_box_of_its_own(name: str) -> None:
    box = f"<div class='{name}'><p>Do not forget</p><div>{P}</div><p>Four five.</p></div>"
    html = f"{P * 4}{box}{P * 4}"
    gaps = page(html).gaps
    inside = [gap.problem for gap in gaps if gap.problem is Reason.SPLITS_GROUP]
    assert len(inside) == 2
    offsets = [gap.anchor.offset for gap in gaps if gap.anchor is not None]
    begins = _html(html).index(box)
    assert begins in offsets
    assert begins + len(box) in offsets
    assert not any(begins < offset < begins + len(box) for offset in offsets)


def test_a_box_that_is_most_of_the_article_is_none() -> None:
    assert Reason.SPLITS_GROUP not in {gap.problem for gap in page(f"<div class=card>{P * 6}</div>{P}").gaps}


def test_there_is_a_gap_before_an_empty_box_between_texts() -> None:
    html = "One two three.<br><div class=space></div>Four five six."
    gap = page(html).gaps[3]
    assert gap.anchor is not None
    assert _html(html)[gap.anchor.offset :].startswith("<div class=space>")


@pytest.mark.parametrize("box", ["<div hidden></div>", "<div style='display: none'><p>More.</p></div>"])
def test_there_is_none_at_a_box_that_nobody_sees(box: str) -> None:
    assert [gap.anchor for gap in page(f"One two three.{box}Four five six.").gaps[3:4]] == [None]


def test_inline_elements_belong_to_the_text_around_them() -> None:
    (block,) = between("One <b>two</b> <a href=x>three</a> <span>four</span>.")
    assert block.text == "One two three four."


def test_an_inline_element_that_holds_blocks_dissolves() -> None:
    assert kinds(f"<span>{P}{P}</span>") == [BlockKind.PARAGRAPH] * 2


def test_the_rules_own_selectors_are_noted_on_the_blocks_that_they_match_or_are_in() -> None:
    wanted = Wanted(avoid=(".recipe", "p em"))
    blocks = between("<div><p class=recipe>One <em>two</em>.</p></div><p>Three four.</p>", wanted)
    assert [b.avoided for b in blocks] == [(0, 1), ()]


def test_there_is_one_gap_more_than_blocks_and_each_has_its_number() -> None:
    found = page("<h2>Head</h2><p>Text.</p>")
    assert len(found.gaps) == len(found.blocks) + 1
    assert [g.anchor.gap for g in found.gaps if g.anchor] == list(range(len(found.gaps)))


def test_a_gap_lies_before_the_next_block_or_else_behind_the_last() -> None:
    html = "<h2>Head</h2><ins>text</ins><table><tr><td>a</table>"
    found = page(html)
    edges = [g.anchor.edge if g.anchor else None for g in found.gaps]
    assert edges[2] is Edge.BEFORE_START
    assert edges[3] is Edge.AFTER_END, "before running text there is none"
    assert edges[4] is None, "behind running text and before a table there is none"
    assert found.gaps[4].problem == "no_legal_anchor"


def test_what_comes_before_the_first_and_after_the_last_paragraph_is_cut_off() -> None:
    head = "<ul><li><a href=x>Link</a></ul><h1>T</h1><h2>S</h2>"
    tail = "<p>It ends here.</p><ul><li>a</ul><aside>More</aside><div class=author>A B</div><h2>More</h2>"
    cut = read(f"<body><main>{head}{P * 3}{tail}</main>".encode(), AUTO)
    paragraphs = [BlockKind.PARAGRAPH] * 4
    assert [b.kind for b in cut.blocks] == [BlockKind.HEADING, *paragraphs, BlockKind.LIST]


def test_the_article_ends_before_its_numbered_notes() -> None:
    notes = "".join(f"<p>[{i}] {SENTENCE}</p>" for i in (1, 2))
    assert len(read(f"<body><main>{P * 4}{notes}</main>".encode(), AUTO).blocks) == 4
    assert len(read(f"<body><main>{P * 4}{notes.replace('[', '').replace(']', '')}</main>".encode(), AUTO).blocks) == 6


def test_the_article_does_not_reach_into_cards_of_other_pages() -> None:
    text = "Nobody had seen it since late in the evening, when the last of them went home by boat."
    card = f'<div><img src=1.jpg><div><a href="http://a.example/1">Another</a></div><div>{text}</div></div>'
    cut = read(f"<body><main>{P * 4}<h2>More of it</h2>{card * 3}</main>".encode(), AUTO)
    assert [b.kind for b in cut.blocks] == [BlockKind.PARAGRAPH] * 4
    alone = read(f"<body><main>{P * 4}<div>{text}</div></main>".encode(), AUTO)
    assert len(alone.blocks) == 5, "the same text by itself ends the article"


@pytest.mark.parametrize(
    "line",
    [
        "<p>Photo: M. Keeper</p>",
        "<p>Fotos von M. Keeper</p>",
        "<p>© M. Keeper</p>",
        "<p>写真：港の朝</p>",
        "<p>The quay in the morning. (Getty Images)</p>",
        "<p><em>The quay in the morning</em></p>",
        "<p class=img-caption>The quay in the morning</p>",
        "<div>Foto: M. Keeper</div>",
    ],
)
def test_a_line_below_a_picture_that_names_its_author_is_its_caption(line: str) -> None:
    picture = "<img src=x width=600 height=400>"
    assert kinds(picture + line) == [BlockKind.MEDIA, BlockKind.CAPTION]
    assert kinds(line) != [BlockKind.CAPTION] or "caption" in line, "without a picture it is text"


@pytest.mark.parametrize(
    "line", ["Images of the quay were shown to all of us.", "Photographers came from everywhere.", "It was quiet."]
)
def test_a_sentence_below_a_picture_is_no_caption(line: str) -> None:
    assert kinds(f"<img src=x width=600 height=400><p>{line}</p>") == [BlockKind.MEDIA, BlockKind.PARAGRAPH]


def test_a_line_that_is_called_a_byline_is_not_the_articles_text() -> None:
    assert kinds("<p class=post-author>by M. Keeper, on Monday</p>") == [BlockKind.ASIDE]


def test_a_slot_before_a_heading_stands_before_the_header_that_begins_with_it() -> None:
    start = f"<section><header>\n<h2>The quay</h2><p>In the morning</p></header>{P}</section>"
    html = _html(start)
    gap = page(start).gaps[2]
    assert gap.anchor is not None
    assert html.encode()[gap.anchor.offset :].startswith(b"<header>")
    inner = page(f"<section><header><div>Monday</div><h2>The quay</h2></header>{P}</section>")
    assert inner.gaps[3].anchor is None


def test_each_of_several_posts_ends_where_the_next_begins() -> None:
    post = f'<div class="post bg"><p class=author>by A</p>{P}<div class=signature>Fair winds</div></div>'
    found = read(f"<body><main>{post * 5}</main>".encode(), AUTO)
    ends = [i for i, b in enumerate(found.blocks) if b.flags & BlockFlag.ENDS_POST]
    assert [found.blocks[i].text for i in ends] == ["Fair winds"] * 4


@pytest.mark.parametrize(
    "html",
    [
        "<ul><li>one two</li><li>three</li><li>fo<b>ur</b></li></ul>",
        "<table><tr><td>one two</td><td>three</td></tr><tr><td>four</td></tr></table>",
        "<ul>\n<li>one two</li>\n<li>three</li>\n<li>four</li></ul>",
    ],
)
def test_words_that_markup_alone_parts_are_counted_apart(html: str) -> None:
    assert [b.words for b in between(html)] == [4]


def test_words_of_ads_and_asides_are_not_the_articles() -> None:
    with_more = page("<div class=ad-slot>Buy this now</div><aside>Read that also</aside>")
    assert with_more.words == page("").words


def test_an_article_of_more_blocks_than_any_has_is_cut() -> None:
    found = read(f"<body><main>{P * 1500}</main>".encode(), AUTO)
    assert len(found.blocks) == 1000


def test_a_picture_in_a_paragraph_divides_it_but_leaves_no_place_within() -> None:
    sentence = "The ferry left at seven and carried the children over to their school. "
    found = page(f"<p>{sentence}<a href=x><img src=x width=600 height=400></a>{sentence * 2}</p><p>{sentence}</p>")
    inner = [(b.kind, b.words) for b in found.blocks[2:-2]]
    assert inner == [
        (BlockKind.PARAGRAPH, 13),
        (BlockKind.MEDIA, 0),
        (BlockKind.PARAGRAPH, 26),
        (BlockKind.PARAGRAPH, 13),
    ]
    assert [gap.anchor is not None for gap in found.gaps[2:-2]] == [True, False, False, True, True]


@pytest.mark.parametrize("empty", ["<p></p>", "</p>", "<i></i>"])
def test_no_more_is_looked_at_than_any_article_has(empty: str) -> None:
    end = f"<h2>The end</h2>{P}"
    few, many = (read(_html(empty * times + end).encode(), AUTO).blocks for times in (1_000, MAX_VISITED))
    assert BlockKind.HEADING in {block.kind for block in few}
    assert [block.kind for block in many] == [BlockKind.PARAGRAPH] * 2
