"""The paper's standing matter: its sections, the people who write it, and its furniture words in four languages.

All of it is invented. Nothing here knows HTML.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from types import MappingProxyType

PAPER = "The Tolvaness Packet"
MOTTO = "News of the Sundry Isles, by the morning boat since 1871"


@dataclass(frozen=True, slots=True)
class Author:
    """Somebody who signs articles. Plain text, in the language that the person writes in."""

    name: str
    role: str
    about: str


@dataclass(frozen=True, slots=True)
class Phrases:
    """The words around an article in one language. Plain text; ``{n}`` and ``{date}`` are filled in."""

    lang: str
    rtl: bool
    skip: str
    sections: str
    by: str
    published: str
    updated: str
    minutes: str
    tags: str
    about_author: str
    related: str
    comments: str
    most_read: str
    newsletter: str
    newsletter_text: str
    email: str
    subscribe: str
    categories: str
    archives: str
    latest: str
    drawing: str
    footer: str
    section_names: Mapping[str, str]
    months: tuple[str, ...]
    date_form: str

    def date(self, moment: datetime) -> str:
        """The day of `moment` as readers of this language write it."""
        return self.date_form.format(day=moment.day, month=self.months[moment.month - 1], year=moment.year)


SECTION_NOTES: Mapping[str, str] = MappingProxyType(
    {
        "harbour": "The town, the boats that tie up in it, and the eleven who play in blue.",
        "world": "Beyond the outer buoy: the other islands, and letters from ports our boats call at.",
        "business": "Rope, fish, timber, tickets, and what they fetch.",
        "science": "Tides, birds, fog and the instruments that keep an eye on them.",
        "culture": "Reading, music, supper and the people behind the counter.",
    }
)
"""Every section's key and its one line, in the order of the navigation."""

ENGLISH = Phrases(
    lang="en",
    rtl=False,
    skip="Skip to the story",
    sections="Sections",
    by="By",
    published="Published {date}",
    updated="updated {date}",
    minutes="{n} min read",
    tags="More on",
    about_author="About the author",
    related="Related stories",
    comments="Letters from readers",
    most_read="Most read",
    newsletter="The Morning Boat",
    newsletter_text="Five stories and the tide table, before the first ferry leaves.",
    email="E-mail address",
    subscribe="Sign up",
    categories="Sections",
    archives="From the archive",
    latest="Latest",
    drawing="Drawing",
    footer="An invented paper from an invented country. Any likeness to a real harbour is a compliment to the harbour.",
    section_names=MappingProxyType(
        {"harbour": "Harbour", "world": "World", "business": "Business", "science": "Science", "culture": "Culture"}
    ),
    months=(
        "January",
        "February",
        "March",
        "April",
        "May",
        "June",
        "July",
        "August",
        "September",
        "October",
        "November",
        "December",
    ),
    date_form="{day} {month} {year}",
)

GERMAN = Phrases(
    lang="de",
    rtl=False,
    skip="Zum Artikel springen",
    sections="Ressorts",
    by="Von",
    published="Veröffentlicht am {date}",
    updated="aktualisiert am {date}",
    minutes="{n} Min. Lesezeit",
    tags="Mehr zu",
    about_author="Über die Autorin",
    related="Mehr zum Thema",
    comments="Leserbriefe",
    most_read="Meistgelesen",
    newsletter="Das Morgenboot",
    newsletter_text="Fünf Geschichten und die Gezeitentafel, bevor die erste Fähre ablegt.",
    email="E-Mail-Adresse",
    subscribe="Bestellen",
    categories="Ressorts",
    archives="Aus dem Archiv",
    latest="Neueste",
    drawing="Zeichnung",
    footer="Eine erfundene Zeitung aus einem erfundenen Land.",
    section_names=MappingProxyType(
        {
            "harbour": "Hafen",
            "world": "Welt",
            "business": "Wirtschaft",
            "science": "Wissenschaft",
            "culture": "Kultur",
        }
    ),
    months=(
        "Januar",
        "Februar",
        "März",
        "April",
        "Mai",
        "Juni",
        "Juli",
        "August",
        "September",
        "Oktober",
        "November",
        "Dezember",
    ),
    date_form="{day}. {month} {year}",
)

ARABIC = Phrases(
    lang="ar",
    rtl=True,
    skip="انتقل إلى المقال",
    sections="الأقسام",
    by="بقلم",
    published="نُشر في {date}",
    updated="حُدّث في {date}",
    minutes="{n} دقائق قراءة",
    tags="المزيد عن",
    about_author="عن الكاتبة",
    related="مقالات ذات صلة",
    comments="رسائل القراء",
    most_read="الأكثر قراءة",
    newsletter="قارب الصباح",
    newsletter_text="خمس قصص وجدول المد والجزر قبل أن تغادر العبّارة الأولى.",
    email="البريد الإلكتروني",
    subscribe="اشترك",
    categories="الأقسام",
    archives="من الأرشيف",
    latest="الأحدث",
    drawing="رسم",
    footer="صحيفة متخيَّلة من بلد متخيَّل.",
    section_names=MappingProxyType(
        {"harbour": "الميناء", "world": "العالم", "business": "الاقتصاد", "science": "العلوم", "culture": "الثقافة"}
    ),
    months=(
        "يناير",
        "فبراير",
        "مارس",
        "أبريل",
        "مايو",
        "يونيو",
        "يوليو",
        "أغسطس",
        "سبتمبر",
        "أكتوبر",
        "نوفمبر",
        "ديسمبر",
    ),
    date_form="{day} {month} {year}",
)

JAPANESE = Phrases(
    lang="ja",
    rtl=False,
    skip="記事へ移動",
    sections="分野",
    by="文・",
    published="{date}",
    updated="{date}更新",
    minutes="読了目安 {n} 分",
    tags="関連語",
    about_author="筆者について",
    related="関連記事",
    comments="読者のたより",
    most_read="よく読まれた記事",
    newsletter="朝の船便",
    newsletter_text="始発の船が出る前に、五つの記事と潮見表をお届けします。",
    email="メールアドレス",
    subscribe="申し込む",
    categories="分野",
    archives="過去の記事",
    latest="新着",
    drawing="挿絵",
    footer="架空の国の、架空の新聞です。",
    section_names=MappingProxyType(
        {"harbour": "港", "world": "世界", "business": "経済", "science": "科学", "culture": "文化"}
    ),
    months=tuple(str(month) for month in range(1, 13)),
    date_form="{year}年{month}月{day}日",
)

PHRASES: Mapping[str, Phrases] = MappingProxyType({p.lang: p for p in (ENGLISH, GERMAN, ARABIC, JAPANESE)})

AUTHORS: Mapping[str, Author] = MappingProxyType(
    {
        "marrin": Author(
            "Odile Marrin",
            "Harbour correspondent",
            "Odile Marrin has written about the boats of the Sundry Isles for nineteen years and has been seasick on "
            "most of them. She lives on Ropewalk Quay with a cat who is not.",
        ),
        "tann": Author(
            "Bastian Tann",
            "Business editor",
            "Bastian Tann keeps the paper's books on rope, herring and timber. Before that he kept the actual books "
            "of the Ockry creamery, where he learnt to distrust round numbers.",
        ),
        "sallow": Author(
            "Wren Sallow",
            "Science writer",
            "Wren Sallow writes about weather, birds and anything with a dial. The barometer in the newsroom is hers; "
            "please do not tap it.",
        ),
        "pell": Author(
            "Ignatia Pell",
            "Culture editor",
            "Ignatia Pell edits the culture pages and conducts the second altos of the Fennick choir, from the side.",
        ),
        "dray": Author(
            "Corin Dray",
            "Football, and odd jobs",
            "Corin Dray has missed two Pilots home matches since he was six, both because of fog, both of them won.",
        ),
        "desk": Author(
            "The news desk",
            "Ropewalk Quay",
            "The news desk is four people, one kettle and a window from which you can see the harbour light.",
        ),
        "brede": Author(
            "Hanne Olbrich",
            "Korrespondentin in Brede",
            "Hanne Olbrich berichtet aus dem Nachbarhafen Brede, jede Woche mit dem Donnerstagsboot.",
        ),
        "samar": Author(
            "سمر الراوي",
            "مراسلة العلوم",
            "تكتب سمر الراوي عن البحر والطقس والآلات الصغيرة التي تقيسهما، وتعيش فوق محطة الأرصاد في تل النوارس.",
        ),
        "kisaragi": Author(
            "如月 汀",
            "文化担当",
            "島々の図書館と茶の間を訪ね歩く記者。船酔いにはいまだ慣れない。",
        ),
    }
)
