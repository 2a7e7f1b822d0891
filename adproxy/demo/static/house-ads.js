// The paper's own ad stack, in small: fills every empty <div class="js-ad"> on the page with a house creative.
//
// It knows nothing about who put the divs there. It takes the room that a div has been given, picks the largest of the
// usual sizes that fits into it, and draws a creative of that size: so the page never moves. A div without room (hidden
// on this device, or nothing reserved) is left alone.
//
// Only DOM calls and class names: it runs under a strict content security policy and with Trusted Types.
(() => {
  "use strict";

  // width, height in CSS px, largest first
  const SIZES = [[970, 250], [300, 600], [300, 250], [728, 90], [468, 60], [320, 100], [320, 50]];

  const CAMPAIGNS = [
    { name: "ferry", head: "Take the slow boat", text: "Tolvaness to Ockry by night. Soup included.", go: "Read on", to: "/2026/09/the-long-crossing" },
    { name: "library", head: "Open until midnight", text: "Salt Row Library. Forty lamps, one of them yours.", go: "Come in", to: "/2026/09/library-until-midnight" },
    { name: "letter", head: "The Morning Boat", text: "Five stories and the tide, before the first ferry.", go: "Sign up", to: "/newsletter" },
    { name: "market", head: "Saturday on the quay", text: "Vegetables, rope, opinions. From nine.", go: "Have a look", to: "/2026/09/twelve-hours" },
    { name: "football", head: "Pilots at home", text: "Bring a scarf, and if you can, a goalkeeper.", go: "Line-up", to: "/2026/09/pilots-hold-on" },
    { name: "rope", head: "Rope that smells right", text: "By the metre, or by the shed.", go: "See how", to: "/2026/09/rope-walk-orders" },
  ];

  // about what an ad server takes to answer
  const DELAY_MS = 350;

  const SVG = "http://www.w3.org/2000/svg";

  // the room for a creative, in CSS px: what the div itself reserves, or else the element that holds nothing but it
  const roomFor = (div) => {
    const style = getComputedStyle(div);
    if (style.display === "none" || div.getClientRects().length === 0) return null;
    let height = Math.max(div.clientHeight, parseFloat(style.minHeight) || 0);
    if (height === 0) {
      const holder = div.parentElement;
      height = holder.childElementCount === 1 ? holder.getBoundingClientRect().bottom - div.getBoundingClientRect().top : 0;
    }
    return { width: div.clientWidth, height };
  };

  const sizeFor = ({ width, height }) => SIZES.find(([w, h]) => w <= width && h <= height);

  const span = (className, text) => {
    const element = document.createElement("span");
    element.className = className;
    element.textContent = text;
    return element;
  };

  // three bands of sea, so that a creative looks like one
  const waves = (width, height) => {
    const svg = document.createElementNS(SVG, "svg");
    svg.setAttribute("viewBox", `0 0 ${width} ${height}`);
    svg.setAttribute("preserveAspectRatio", "none");
    svg.setAttribute("aria-hidden", "true");
    for (let band = 0; band < 3; band += 1) {
      const path = document.createElementNS(SVG, "path");
      const y = height * (0.62 + band * 0.13);
      const step = width / 6;
      path.setAttribute("d", `M${-step / 2 * band},${y} q${step / 2},${-height / 9} ${step},0 ${`t${step},0 `.repeat(8)} V${height} H${-width} Z`);
      path.setAttribute("fill", "#fff");
      path.setAttribute("opacity", String(0.07 + band * 0.04));
      svg.append(path);
    }
    return svg;
  };

  const creative = (campaign, [width, height]) => {
    const link = document.createElement("a");
    link.href = campaign.to;
    link.rel = "sponsored";
    link.dir = "ltr";
    link.lang = "en";
    const shape = height <= 100 ? (width < 700 ? "low" : "wide") : width > 900 ? "grand" : "tall";
    link.className = `house-ad ${shape} ${campaign.name}`;
    link.style.setProperty("width", `${width}px`);
    link.style.setProperty("height", `${height}px`);
    const words = document.createElement("span");
    words.append(span("house-ad-head", campaign.head), document.createElement("br"), span("house-ad-text", campaign.text));
    link.append(waves(width, height), words, span("house-ad-button", campaign.go));
    return link;
  };

  // a page shows another campaign in each slot, and not the one that the reader is on
  const campaigns = CAMPAIGNS.filter((campaign) => campaign.to !== location.pathname);
  const first = [...location.pathname].reduce((sum, letter) => sum + letter.charCodeAt(0), 0);

  const fill = () => {
    document.querySelectorAll("div.js-ad").forEach((div, index) => {
      const room = roomFor(div);
      const size = room && sizeFor(room);
      const shown = div.querySelector(":scope > .house-ad");
      // what fits as well as before stays: nothing blinks when a window is resized by a little
      if (shown && size && shown.offsetWidth === size[0] && shown.offsetHeight === size[1]) return;
      if (shown) shown.remove();
      // somebody else's content is none of our business
      if (size && div.firstElementChild === null) div.append(creative(campaigns[(first + index) % campaigns.length], size));
    });
  };

  // a turned phone, a resized window: only the width counts, for phones change their height with every scroll
  let width = innerWidth;
  let pending = 0;
  addEventListener("resize", () => {
    if (innerWidth === width) return;
    width = innerWidth;
    clearTimeout(pending);
    pending = setTimeout(fill, DELAY_MS);
  });

  setTimeout(fill, DELAY_MS);
})();
