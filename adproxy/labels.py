"""What advertising is called: the label that a slot shows, and the labels by which a page's own ads are known."""

from __future__ import annotations

from typing import Final

# By primary language: the label that readers of that language see, as their press writes it.
LABELS: Final[dict[str, str]] = {
    "ar": "إعلان", "bg": "Реклама", "bn": "বিজ্ঞাপন", "ca": "Publicitat", "cs": "Reklama", "da": "Annonce",
    "de": "Anzeige", "el": "Διαφήμιση", "en": "Advertisement", "es": "Publicidad", "et": "Reklaam", "fa": "تبلیغات",
    "fi": "Mainos", "fr": "Publicité", "he": "פרסומת", "hi": "विज्ञापन", "hr": "Oglas", "hu": "Hirdetés",
    "id": "Iklan", "it": "Pubblicità", "ja": "広告", "ko": "광고", "lt": "Reklama", "lv": "Reklāma", "ms": "Iklan",
    "nb": "Annonse", "nl": "Advertentie", "nn": "Annonse", "no": "Annonse", "pl": "Reklama", "pt": "Publicidade",
    "ro": "Publicitate", "ru": "Реклама", "sk": "Reklama", "sl": "Oglas", "sr": "Oglas", "sv": "Annons",
    "th": "โฆษณา", "tr": "Reklam", "uk": "Реклама", "ur": "اشتہار", "vi": "Quảng cáo", "zh": "广告",
    "zh-hant": "廣告", "zh-tw": "廣告", "zh-hk": "廣告",
}  # fmt: skip

# Further spellings, lower case, that stand over ads in the wild.
_ALSO: Final = """
ad|ads|advert|adverts|advertising|advertisements|advertisement feature|paid advertisement|third party advertisement
sponsored|sponsored content|sponsored link|sponsored links|promoted|promoted content|promoted links|promoted stories
paid content|paid post|paid for|ad feature|advertorial
continue reading below advertisement|story continues below advertisement|article continues below advertisement
story continues below this ad|article continues below this ad|article continues after advertisement
story continues after advertisement|advertisement - continue reading below|scroll to continue with content ad
anzeigen|werbung|bezahlte anzeige|publicite|annonce|annonces|contenu sponsorisé|anuncio|publi|contenido patrocinado
pubblicita|annuncio|anúncio|conteúdo patrocinado|reclame|gesponsord|annonser|sponsrat|mainokset|reklamy|reklamı
oglasi|inzerce|inzerát|hirdetes|reklamă|на правах рекламы|реклама и объявления|реклами|اعلان|آگهی|إعلانات|מודעה
adv|werbeanzeige|anunț|reklame|διαφημιση|διαφημίσεις|ads by google|ad - content continues below
スポンサーリンク|スポンサー|pr|赞助|贊助|광고 문의|tài trợ|quang cao|advertensi|pariwara
"""


def _folded(text: str) -> str:
    """Lower case, white space folded, punctuation around it gone."""
    return " ".join(text.lower().split()).strip("-–—*·•:.|[]()<>▼▽↓ ")


_KNOWN: Final = frozenset(_folded(label) for label in (*LABELS.values(), *_ALSO.replace("\n", "|").split("|")) if label)
_LONGEST: Final = max(map(len, _KNOWN)) + 12
# Nearly all texts begin otherwise, or with what may stand around a label.
_BEGINNINGS: Final = frozenset(label[:2] for label in _KNOWN)


def is_label(text: str) -> bool:
    """True for a text that says nothing but "advertisement"."""
    if len(text) > _LONGEST or (text[:1].isalnum() and text[:2].lower()[:2] not in _BEGINNINGS):
        return False
    return _folded(text) in _KNOWN


def label_for(lang: str) -> str:
    """The label for a page in that language (``pt-br``, ``zh-hant-tw``; any case), English where it is unknown."""
    lang = lang.lower().replace("_", "-")
    while lang:
        if lang in LABELS:
            return LABELS[lang]
        lang = lang.rpartition("-")[0]
    return LABELS["en"]
