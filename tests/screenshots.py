"""The pictures of the console in the documentation, taken anew: ``make screenshots``.

Shows the demo's newspaper behind a console that runs for as long as it takes, in Chromium.
"""

from __future__ import annotations

import argparse
import base64
import tempfile
from pathlib import Path

from console_office import console
from playwright.sync_api import Page, expect, sync_playwright
from wire import serving

from adproxy.demo.run import FIRST_STORY, RULES
from adproxy.demo.site import create_site

CHROMIUM = "/usr/bin/chromium"
WIDTH, HEIGHT = 1366, 860
QUALITY = 82


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--out", type=Path, required=True, help="the folder for the pictures")
    out: Path = parser.parse_args().out
    out.mkdir(exist_ok=True)
    with (
        tempfile.TemporaryDirectory() as folder,
        sync_playwright() as playwright,
    ):
        rules = Path(folder) / "demo.yaml"
        rules.write_text(RULES.read_text(encoding="utf-8"), encoding="utf-8")
        chromium = playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox", "--disable-gpu"])
        paper = create_site()
        with serving(paper, ws="none") as site, console(paper, rules, home=f"http://127.0.0.1:{site.port}") as office:
            page = chromium.new_context(viewport={"width": WIDTH, "height": HEIGHT}).new_page()
            preview(page, office.address, out)
            trial(page, office.address, out)
        chromium.close()


def preview(page: Page, address: str, out: Path) -> None:
    """A page with its slots, one of the marks explaining itself, the rules beside it."""
    page.goto(f"{address}preview?url={FIRST_STORY}", wait_until="load")
    page.locator(".outline a", has_text="too near to another slot").first.click()
    page.evaluate("scrollTo(0, document.querySelector('.bench').offsetTop - 60)")
    page.wait_for_timeout(500)
    save(page, out / "console-preview.webp")


def trial(page: Page, address: str, out: Path) -> None:
    """What a change would do to recent pages."""
    page.goto(f"{address}try", wait_until="load")
    text = page.locator("#text")
    rules = text.input_value().replace("gap: {phone: 200 words, desktop: 250 words}", "gap: 120 words")
    text.fill(rules.replace("ad_share: {phone: 30%, desktop: 25%}", "ad_share: {phone: 25%, desktop: 20%}"))
    page.get_by_role("button", name="Compare").click()
    expect(page.locator("h1")).to_contain_text("pages change", timeout=60_000)
    save(page, out / "console-try.webp")


def save(page: Page, file: Path) -> None:
    taken = page.context.new_cdp_session(page).send("Page.captureScreenshot", {"format": "webp", "quality": QUALITY})
    file.write_bytes(base64.b64decode(taken["data"]))
    print(f"{file}: {file.stat().st_size:,} bytes")


if __name__ == "__main__":
    main()
