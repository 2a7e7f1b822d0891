"""The paper's drawings: small SVG scenes, made from a subject and a light (``ferry-dusk``), the same bytes each time.

A scene is a 1200 × 800 stage: sky, hills, sea, and one subject in front of them.
"""

from __future__ import annotations

import math
import random
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from types import MappingProxyType

WIDTH, HEIGHT = 1200, 800
HORIZON = 470


@dataclass(frozen=True, slots=True)
class Light:
    """The colours of an hour, as CSS hex colours."""

    sky_top: str
    sky_low: str
    sun: str
    hill: str
    sea: str
    swell: str
    body: str
    accent: str
    lamp: str


LIGHTS: Mapping[str, Light] = MappingProxyType(
    {
        "dawn": Light(
            "#7f9bb8", "#f6d9c2", "#fff0d6", "#8b93a8", "#86a0b0", "#b9c7c9", "#2f4156", "#c4553b", "#ffe3a3"
        ),
        "day": Light("#5d9cc4", "#d7e9ee", "#fff8e0", "#7fa08e", "#2f7288", "#6fa7b3", "#f4efe4", "#c23b2e", "#ffe9a8"),
        "dusk": Light(
            "#34375f", "#e98f62", "#ffd28a", "#4d4668", "#3a4468", "#a0697a", "#191d33", "#d9683f", "#ffd37a"
        ),
        "night": Light(
            "#0e1830", "#2c4466", "#f3efd9", "#16243c", "#12233a", "#35557a", "#070d1a", "#93472f", "#ffdf87"
        ),
        "fog": Light("#b9c3c6", "#dfe3e1", "#f7f6f0", "#a3aeb1", "#9fadb0", "#c3cccd", "#56646b", "#a4645a", "#fdf3cf"),
        "storm": Light(
            "#2f3b45", "#7d8b8f", "#c5cdca", "#3b4850", "#33474f", "#93a7a8", "#161d22", "#b3542f", "#ffd877"
        ),
    }
)


def _line(dice: random.Random, y: float, rough: float, steps: int = 12) -> str:
    """A ragged skyline across the stage, closed along its bottom edge."""
    points = [f"{i * WIDTH / steps:.0f},{y + dice.uniform(-rough, rough):.0f}" for i in range(steps + 1)]
    return f"M0,{HEIGHT} L" + " L".join(points) + f" L{WIDTH},{HEIGHT} Z"


def _sky(light: Light, dice: random.Random) -> str:
    x, y = dice.randint(180, 1020), dice.randint(110, 260)
    clouds = "".join(
        f'<ellipse cx="{dice.randint(0, WIDTH)}" cy="{dice.randint(60, 330)}" rx="{dice.randint(90, 260)}" '
        f'ry="{dice.randint(8, 26)}" fill="{light.sky_low}" opacity=".45"/>'
        for _ in range(7)
    )
    return (
        f'<rect width="{WIDTH}" height="{HEIGHT}" fill="url(#sky)"/>'
        f'<circle cx="{x}" cy="{y}" r="120" fill="{light.sun}" opacity=".18"/>'
        f'<circle cx="{x}" cy="{y}" r="54" fill="{light.sun}"/>{clouds}'
    )


def _sea(light: Light, dice: random.Random) -> str:
    swells = []
    for _ in range(46):
        y = dice.uniform(HORIZON + 8, HEIGHT)
        # nearer waves are longer and thicker: that alone makes the flat blue lie down
        near = (y - HORIZON) / (HEIGHT - HORIZON)
        swells.append(
            f'<rect x="{dice.uniform(-60, WIDTH):.0f}" y="{y:.0f}" width="{40 + 170 * near:.0f}" '
            f'height="{1.5 + 5 * near:.1f}" rx="3" fill="{light.swell}" opacity="{0.25 + 0.4 * near:.2f}"/>'
        )
    return (
        f'<path d="{_line(dice, HORIZON - 55, 40)}" fill="{light.hill}" opacity=".55"/>'
        f'<path d="{_line(dice, HORIZON - 18, 22, 20)}" fill="{light.hill}"/>'
        f'<rect y="{HORIZON}" width="{WIDTH}" height="{HEIGHT - HORIZON}" fill="{light.sea}"/>{"".join(swells)}'
    )


def _windows(x: float, y: float, *, count: int, step: float, size: float, colour: str) -> str:
    return "".join(
        f'<rect x="{x + i * step:.0f}" y="{y:.0f}" width="{size:.0f}" height="{size:.0f}" fill="{colour}"/>'
        for i in range(count)
    )


def _ferry(light: Light, dice: random.Random) -> str:
    return (
        f'<g transform="translate({dice.randint(240, 380)} 400)">'
        f'<path d="M0,120 H520 L470,205 H52 Z" fill="{light.accent}"/>'
        f'<path d="M28,168 H494 L470,205 H52 Z" fill="{light.body}"/>'
        f'<rect x="70" y="62" width="370" height="58" fill="{light.body}"/>'
        f'<rect x="120" y="14" width="230" height="48" fill="{light.body}"/>'
        f'<rect x="250" y="-66" width="54" height="80" fill="{light.accent}"/>'
        f'<rect x="250" y="-52" width="54" height="14" fill="{light.lamp}"/>'
        f'<path d="M277,-80 C300,-150 380,-120 420,-190" stroke="{light.sky_low}" stroke-width="22" fill="none" '
        f'stroke-linecap="round" opacity=".6"/>'
        f"{_windows(88, 80, count=11, step=32, size=18, colour=light.lamp)}"
        f"{_windows(136, 28, count=7, step=30, size=16, colour=light.lamp)}</g>"
    )


def _lighthouse(light: Light, dice: random.Random) -> str:
    x = dice.randint(330, 820)
    bands = "".join(
        f'<path d="M{x - 46 + i * 3},{600 - i * 80} h{92 - i * 6} l-3,-42 h-{86 - i * 6} z" fill="{light.accent}"/>'
        for i in range(5)
    )
    return (
        f'<path d="M{x - 300},{HEIGHT} Q{x - 200},590 {x - 60},600 T{x + 330},{HEIGHT} Z" fill="{light.body}"/>'
        f'<path d="M{x},190 L-80,60 V290 Z M{x},190 L1280,80 V300 Z" fill="{light.lamp}" opacity=".28"/>'
        f'<path d="M{x - 50},620 L{x - 30},220 h60 L{x + 50},620 Z" fill="#f3efe6"/>{bands}'
        f'<rect x="{x - 42}" y="208" width="84" height="14" fill="{light.body}"/>'
        f'<rect x="{x - 24}" y="164" width="48" height="46" fill="{light.lamp}"/>'
        f'<path d="M{x - 32},164 h64 l-32,-40 z" fill="{light.accent}"/>'
    )


def _quay(light: Light, dice: random.Random) -> str:
    houses, x = [], -20
    fronts = ("#b4553f", "#d9b36c", "#6f8f86", "#e7dfcf", "#7c6f8e", "#c98661")
    while x < WIDTH:
        width, height = dice.randint(105, 170), dice.randint(190, 330)
        top = 620 - height
        houses.append(
            f'<rect x="{x}" y="{top}" width="{width}" height="{height}" fill="{dice.choice(fronts)}"/>'
            f'<path d="M{x - 8},{top} h{width + 16} l-{width // 2 + 8},-{dice.randint(50, 80)} z" fill="{light.body}"/>'
            + "".join(
                _windows(
                    x + 18,
                    y,
                    count=(width - 20) // 38,
                    step=38,
                    size=20,
                    colour=light.lamp if dice.random() < 0.7 else light.hill,
                )
                for y in range(top + 28, 570, 62)
            )
        )
        x += width + dice.randint(-2, 8)
    bollards = "".join(
        f'<rect x="{bx}" y="598" width="26" height="40" rx="8" fill="{light.body}"/>' for bx in range(90, WIDTH, 240)
    )
    return (
        f'{"".join(houses)}<rect y="620" width="{WIDTH}" height="60" fill="{light.hill}"/>'
        f'<rect y="668" width="{WIDTH}" height="14" fill="{light.body}" opacity=".5"/>{bollards}'
    )


def _library(light: Light, dice: random.Random) -> str:
    rows = []
    spines = (light.accent, light.hill, light.sea, light.lamp, "#7a4a3a", "#c9b48a", "#5c6f5d", "#d8cbb4")
    for y in (70, 290, 510):
        x = 70
        while x < WIDTH - 110:
            width, height = dice.randint(18, 52), dice.randint(110, 172)
            lean = f' transform="rotate({dice.randint(4, 9)} {x} {y + 180})"' if dice.random() < 0.08 else ""
            rows.append(
                f'<rect x="{x}" y="{y + 180 - height}" width="{width}" height="{height}" rx="2" '
                f'fill="{dice.choice(spines)}"{lean}/>'
            )
            x += width + (dice.randint(30, 70) if dice.random() < 0.07 else 3)
        rows.append(f'<rect x="40" y="{y + 180}" width="{WIDTH - 80}" height="20" fill="#5b3b27"/>')
    return (
        f'<rect width="{WIDTH}" height="{HEIGHT}" fill="#3a2a20"/>'
        f'<circle cx="600" cy="240" r="520" fill="{light.lamp}" opacity=".14"/>{"".join(rows)}'
        f'<rect x="40" y="40" width="24" height="700" fill="#5b3b27"/>'
        f'<rect x="{WIDTH - 64}" y="40" width="24" height="700" fill="#5b3b27"/>'
    )


def _pitch(light: Light, dice: random.Random) -> str:
    mown = "".join(
        f'<path d="M{-300 + i * 200},{HEIGHT} L{330 + i * 60},400 h60 L{-100 + i * 200},{HEIGHT} Z" '
        f'fill="#3f7a4c" opacity=".55"/>'
        for i in range(0, 10, 2)
    )
    crowd = "".join(
        f'<circle cx="{dice.randint(0, WIDTH)}" cy="{dice.randint(330, 392)}" r="7" '
        f'fill="{dice.choice((light.accent, light.body, light.lamp, light.sea))}"/>'
        for _ in range(150)
    )
    return (
        f'<rect y="320" width="{WIDTH}" height="90" fill="{light.hill}"/>{crowd}'
        f'<rect y="400" width="{WIDTH}" height="400" fill="#4f8f5b"/>{mown}'
        f'<g fill="none" stroke="#f2f2ea" stroke-width="7"><ellipse cx="600" cy="600" rx="210" ry="70"/>'
        f'<path d="M0,600 H1200 M440,400 v-84 h320 v84"/></g>'
        f'<circle cx="{dice.randint(480, 720)}" cy="690" r="20" fill="#faf7ee" stroke="#222" stroke-width="4"/>'
    )


def _bowl(light: Light, dice: random.Random) -> str:
    steam = "".join(
        f'<path d="M{x},330 C{x - 40},260 {x + 50},220 {x},130" stroke="#fff" stroke-width="14" fill="none" '
        f'opacity=".35" stroke-linecap="round"/>'
        for x in (500, 600, 700)
    )
    bits = "".join(
        f'<circle cx="{dice.randint(400, 800)}" cy="{dice.randint(395, 440)}" r="{dice.randint(9, 20)}" '
        f'fill="{dice.choice(("#f3e3c3", "#e58a4e", "#6d9a4f", "#f7d774"))}"/>'
        for _ in range(22)
    )
    return (
        f'<rect width="{WIDTH}" height="{HEIGHT}" fill="{light.hill}"/>'
        f'<rect y="560" width="{WIDTH}" height="240" fill="#8a5f3f"/>{steam}'
        f'<path d="M310,420 Q330,650 520,680 h160 Q870,650 890,420 Z" fill="{light.sea}"/>'
        f'<ellipse cx="600" cy="420" rx="290" ry="62" fill="#f0e7d6"/>'
        f'<ellipse cx="600" cy="424" rx="258" ry="46" fill="#d88a45"/>{bits}'
        f'<path d="M350,520 Q600,590 850,520" stroke="#f0e7d6" stroke-width="12" fill="none"/>'
    )


def _clock(light: Light, dice: random.Random) -> str:
    ticks = "".join(
        f'<rect x="594" y="120" width="12" height="{44 if i % 3 == 0 else 24}" fill="{light.body}" '
        f'transform="rotate({i * 30} 600 400)"/>'
        for i in range(12)
    )
    turn = dice.randint(20, 160)
    return (
        f'<rect width="{WIDTH}" height="{HEIGHT}" fill="{light.hill}"/>'
        f'<path d="M0,560 q150,-60 300,0 t300,0 t300,0 t300,0 V{HEIGHT} H0 Z" fill="{light.sea}"/>'
        f'<circle cx="600" cy="400" r="330" fill="#7a5430"/><circle cx="600" cy="400" r="300" fill="#f4ecd8"/>{ticks}'
        f'<path d="M600,400 m-150,60 q75,-44 150,0 t150,0 v40 h-300 z" fill="{light.sea}" opacity=".7"/>'
        f'<g fill="{light.body}"><rect x="592" y="190" width="16" height="230" rx="8" '
        f'transform="rotate({turn} 600 400)"/><rect x="590" y="250" width="20" height="170" rx="8" '
        f'transform="rotate({turn + 130} 600 400)"/><circle cx="600" cy="400" r="22"/></g>'
    )


def _yard(light: Light, dice: random.Random) -> str:
    ribs = "".join(f'<path d="M{x},360 q-14,130 20,240" fill="none"/>' for x in range(330, 900, 52))
    props = "".join(
        f'<path d="M{x},480 l{dice.randint(-60, -40)},220" stroke="{light.body}" stroke-width="12"/>'
        for x in (380, 520, 680, 820)
    )
    return (
        f'<rect y="640" width="{WIDTH}" height="160" fill="#8d7757"/>{props}'
        f'<path d="M230,340 Q600,420 1000,320 Q930,600 760,640 H440 Q290,600 230,340 Z" fill="#b98350"/>'
        f'<path d="M268,430 Q600,500 968,416" stroke="#8c5d34" stroke-width="6" fill="none"/>'
        f'<path d="M300,510 Q600,570 925,500" stroke="#8c5d34" stroke-width="6" fill="none"/>'
        f'<g stroke="#6f4524" stroke-width="9" opacity=".55">{ribs}</g>'
        f'<path d="M100,700 V150 H330 M100,220 L190,150" stroke="{light.body}" stroke-width="16" fill="none"/>'
        f'<path d="M326,150 V300" stroke="{light.body}" stroke-width="5"/>'
    )


def _birds(light: Light, dice: random.Random) -> str:
    flock = "".join(
        f'<path d="M{x},{y} q{s},-{s * 0.8:.0f} {s * 1.6:.0f},0 q{s * 0.6:.0f},-{s * 0.8:.0f} {s * 1.6:.0f},0" '
        f'fill="none" stroke="{light.body}" stroke-width="{max(3, s // 6)}" stroke-linecap="round"/>'
        for x, y, s in ((dice.randint(60, 1080), dice.randint(90, 420), dice.randint(14, 46)) for _ in range(26))
    )
    return f'{flock}<path d="M0,{HEIGHT} V640 Q160,560 330,650 T700,700 T1200,660 V{HEIGHT} Z" fill="{light.body}"/>'


def _chart(light: Light, dice: random.Random) -> str:
    grid = "".join(f'<path d="M{x},0 V{HEIGHT}"/>' for x in range(100, WIDTH, 100)) + "".join(
        f'<path d="M0,{y} H{WIDTH}"/>' for y in range(100, HEIGHT, 100)
    )
    isles = []
    for cx, cy, size in ((330, 300, 130), (640, 470, 90), (860, 250, 110), (960, 590, 60), (200, 620, 70)):
        radii = [size * dice.uniform(0.65, 1.15) for _ in range(9)]
        for grow, colour, opacity in ((1.55, light.swell, 0.4), (1.25, light.swell, 0.7), (1, "#e4d3a4", 1)):
            points = " ".join(
                f"{cx + r * grow * math.cos(i * math.tau / 9):.0f},{cy + r * grow * math.sin(i * math.tau / 9):.0f}"
                for i, r in enumerate(radii)
            )
            isles.append(f'<polygon points="{points}" fill="{colour}" opacity="{opacity}" stroke-linejoin="round"/>')
    return (
        f'<rect width="{WIDTH}" height="{HEIGHT}" fill="{light.sea}"/>{"".join(isles)}'
        f'<g stroke="{light.body}" stroke-width="2" opacity=".25">{grid}</g>'
        f'<path d="M330,300 Q520,260 640,470 T960,590" stroke="{light.accent}" stroke-width="8" fill="none" '
        f'stroke-dasharray="22 16"/><g transform="translate(1060 140)" fill="{light.accent}">'
        f'<path d="M0,-80 L16,0 L0,80 L-16,0 Z"/><path d="M-80,0 L0,-16 L80,0 L0,16 Z" opacity=".6"/></g>'
    )


def _horns(light: Light, dice: random.Random) -> str:
    horns = []
    for i, x in enumerate((260, 480, 700, 920)):
        y = 560 - 30 * (i % 2)
        horns.append(
            f'<rect x="{x - 16}" y="{y}" width="32" height="200" fill="{light.body}"/>'
            f'<path d="M{x - 60},{y + 10} l150,-70 v-60 q60,90 0,190 z" fill="{light.accent}"/>'
        )
        horns += [
            f'<path d="M{x + 130 + r * 34},{y - 110 - r * 14} q{44 + r * 8},{72 + r * 14} 0,{146 + r * 28}" '
            f'fill="none" stroke="{light.lamp}" stroke-width="8" opacity="{0.8 - r * 0.25:.2f}"/>'
            for r in range(dice.randint(2, 3))
        ]
    return f'<path d="M0,{HEIGHT} V700 H{WIDTH} V{HEIGHT} Z" fill="{light.body}"/>{"".join(horns)}'


_OUTDOORS: Mapping[str, Callable[[Light, random.Random], str]] = MappingProxyType(
    {
        "ferry": _ferry,
        "lighthouse": _lighthouse,
        "quay": _quay,
        "pitch": _pitch,
        "yard": _yard,
        "birds": _birds,
        "horns": _horns,
    }
)
_INDOORS: Mapping[str, Callable[[Light, random.Random], str]] = MappingProxyType(
    {"library": _library, "bowl": _bowl, "clock": _clock, "chart": _chart}
)

NAMES: frozenset[str] = frozenset(f"{subject}-{light}" for subject in (*_OUTDOORS, *_INDOORS) for light in LIGHTS)
"""All drawings there are."""


def draw(name: str) -> str:
    """The SVG of one of `NAMES`. Raises `KeyError` for any other name."""
    if name not in NAMES:
        raise KeyError(name)
    subject, _, hour = name.rpartition("-")
    light = LIGHTS[hour]
    # a seed from the name alone: the drawing must be the same in every process, or its ETag would wander
    dice = random.Random(name)
    scene = _INDOORS[subject](light, dice) if subject in _INDOORS else ""
    if subject in _OUTDOORS:
        scene = _sky(light, dice) + _sea(light, dice) + _OUTDOORS[subject](light, dice)
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {HEIGHT}" width="{WIDTH}" height="{HEIGHT}">'
        f'<defs><linearGradient id="sky" x1="0" y1="0" x2="0" y2="1"><stop offset="0" stop-color="{light.sky_top}"/>'
        f'<stop offset=".62" stop-color="{light.sky_low}"/></linearGradient></defs>{scene}</svg>'
    )
