// adproxy in the browser: fills the slots of a page, and reports what became of them.
//
// It sets no cookie, stores nothing, and moves nothing: each slot has its height before it is filled. DOM calls only (no
// HTML sinks), one deferred script, no unload handlers. What it reports, and to whom it says what:
//
//   page_view   the page was shown, once; never while it is prerendered or in a tab that nobody has looked at
//   request     a slot came near the view and its creative was asked for;  unfilled: none came
//   withheld    it was not asked for, with the reason
//   rendered    the creative began to render: an impression
//   viewable    half of its pixels (30 % from 242,500 square px on) were in view for a second, in a visible tab
//   click       a link in it, or the frame that it is, was clicked
//   density     the measured share of advertising in the main content
//
// What goes together under one nonce is one view of the page. A page that comes back from the back/forward cache is a new
// view with a new nonce; what was asked for in the old one goes on under the old one's, so no creative counts twice.
(() => {
  "use strict";
  const script = document.currentScript;
  // Without a token nothing is counted.
  const token = script.dataset.adproxyToken;
  const rules = JSON.parse(script.dataset.adproxyRules);
  const base = script.src.replace(/[^/]*$/, "");

  const GPT = "https://securepubads.g.doubleclick.net/tag/js/gpt.js";
  // For ads that use no data of the reader's.
  const LIMITED_GPT = "https://pagead2.googlesyndication.com/tag/js/gpt.js";
  const ADSENSE = "https://pagead2.googlesyndication.com/pagead/js/adsbygoogle.js";
  // In the TCF's vendor list.
  const GOOGLE = 755;
  // In square px: from here on 30 % are enough.
  const LARGE = 242500;
  const VIEWABLE_MS = 1000;
  const BATCH_MS = 1000;
  // Without an answer by then, nothing is paused.
  const CONFIG_MS = 1000;
  // Of 200 ms: so long may a consent platform take to come.
  const CONSENT_TRIES = 300;
  // In px, as the style sheet has it.
  const DESKTOP_FROM = 768;
  const MAX_BYTES = 2048;
  const MAX_EVENTS = 40;

  const isSeen = () => document.visibilityState === "visible" && !document.prerendering;
  const hasBox = (element) => element.getClientRects().length > 0;
  const painted = (then) => requestAnimationFrame(() => requestAnimationFrame(then));

  // --- reports: batches of events, each under the nonce of its view

  const newNonce = () =>
    btoa(String.fromCharCode(...crypto.getRandomValues(new Uint8Array(16))))
      .replace(/[+/=]/g, (letter) => ({ "+": "-", "/": "_" })[letter] || "");
  let view = newNonce();
  let begun = false;
  // [nonce, event].
  let queue = [];
  // What the beacon under way says: one at a time, so that no event overtakes another.
  let flying = [];
  let failed = false;
  let timer = 0;

  const later = (ms) => {
    clearTimeout(timer);
    timer = setTimeout(flush, ms);
  };

  const report = (nonce, ...event) => {
    if (!token) return;
    queue.push([nonce, event]);
    if (begun && !timer) later(BATCH_MS);
  };

  // A beacon's body with as many of the items as go into it, and how many those are.
  const pack = (items) => {
    const said = { v: 1, t: token, n: items[0][0], e: [], ...(navigator.webdriver ? { w: 1 } : {}) };
    let size = JSON.stringify(said).length;
    for (const [nonce, event] of items) {
      size += JSON.stringify(event).length + 1;
      if (nonce !== said.n || said.e.length === MAX_EVENTS || (said.e.length && size > MAX_BYTES)) break;
      said.e.push(event);
    }
    return [JSON.stringify(said), said.e.length];
  };

  const post = (body) => fetch(`${base}beacon`, { method: "POST", body, keepalive: true, credentials: "omit" });

  const flush = () => {
    timer = 0;
    if (flying.length || !queue.length) return;
    const [body, count] = pack(queue);
    flying = queue.splice(0, count);
    post(body).then(
      (answer) => (answer.status === 429 || answer.status >= 500 ? Number(answer.headers.get("retry-after")) || 1 : 0),
      () => 1,
    ).then((wait) => {
      // One more try, with the same nonce: what had arrived counts once.
      failed = wait > 0 && !failed;
      if (failed) queue.unshift(...flying);
      flying = [];
      if (queue.length) later(failed ? Math.min(wait, 30) * 1000 + Math.random() * 2000 : 0);
    });
  };

  // The page is being left, perhaps for good. What is under way goes along, for the events behind it build on it.
  const leave = () => {
    if (!begun || !queue.length) return;
    const items = [...flying, ...queue];
    queue = [];
    while (items.length) {
      const [body, count] = pack(items);
      items.splice(0, count);
      if (!navigator.sendBeacon(`${base}beacon`, body)) post(body).catch(() => {});
    }
  };

  // --- slots

  const slots = [];
  for (const element of document.querySelectorAll("[data-adproxy-slot]")) {
    const box = [...element.children].find((child) => /^(creative|ad|gpt|iframe|adsense)$/.test(child.dataset.adproxy));
    if (element.adproxy || !box) continue;
    const { adproxySlot: name, adproxyN: n } = element.dataset;
    const ad = box.dataset.adproxyAd && JSON.parse(box.dataset.adproxyAd);
    slots.push((element.adproxy = { element, box, name, n: Number(n), kind: box.dataset.adproxy, ad, told: new Set() }));
  }

  const slotAt = (id) => document.getElementById(id)?.closest("[data-adproxy-slot]")?.adproxy;

  const tell = (slot, event, ...more) => {
    if (slot.told.has(event)) return false;
    slot.told.add(event);
    slot.view ||= view;
    report(slot.view, event, slot.name, slot.n, ...more);
    return true;
  };

  // A slot that stays empty goes when it is well below what is in view: nothing that is seen moves.
  const below = new IntersectionObserver(
    (entries) => {
      for (const { target, isIntersecting, boundingClientRect } of entries) {
        if (isIntersecting || boundingClientRect.top < innerHeight) continue;
        below.unobserve(target);
        target.style.display = "none";
      }
    },
    { rootMargin: "0px 0px 25% 0px" },
  );

  // In place of the ad: what the rules have for that, or nothing. Neither is an impression.
  const stayEmpty = (slot, fallback = true) => {
    const { element } = slot;
    const template = fallback && element.querySelector("template[data-adproxy=fallback]");
    slot.empty = true;
    if (!template) {
      slot.box.style.visibility = "hidden";
      below.observe(element);
    } else if (slot.kind !== "fallback") {
      slot.kind = "fallback";
      const house = document.createElement("div");
      house.dataset.adproxy = "creative";
      house.append(document.importNode(template.content, true));
      // The room that there is, and no more.
      element.style.maxHeight = `${element.offsetHeight}px`;
      slot.box.style.display = "none";
      slot.box.after(house);
    }
  };

  const unfilled = (slot) => {
    if (!slot.empty && !slot.told.has("rendered") && tell(slot, "unfilled")) stayEmpty(slot);
  };

  const withhold = (slot, reason, fallback) => {
    tell(slot, "withheld", reason);
    stayEmpty(slot, fallback);
  };

  // --- impressions

  const eyes = new IntersectionObserver(
    (entries) => {
      for (const { target, isIntersecting, intersectionRatio, boundingClientRect: box } of entries) {
        const slot = target.closest("[data-adproxy-slot]")?.adproxy;
        if (!slot) continue;
        slot.inView = isIntersecting && intersectionRatio >= (box.width * box.height >= LARGE ? 0.3 : 0.5);
        look(slot);
      }
    },
    { threshold: [0, 0.3, 0.5] },
  );

  const look = (slot) => {
    if (!slot.inView || !isSeen()) {
      clearTimeout(slot.timer);
      slot.timer = 0;
    } else if (!slot.timer && slot.target) {
      slot.timer = setTimeout(() => {
        tell(slot, "viewable");
        eyes.unobserve(slot.target);
        slot.target = null;
      }, VIEWABLE_MS);
    }
  };

  // `byLibrary`: Google's library says itself when the creative was viewable.
  const rendered = (slot, byLibrary) => {
    if (slot.empty || !tell(slot, "rendered") || byLibrary) return;
    slot.target = slot.box.childElementCount === 1 ? slot.box.firstElementChild : slot.box;
    eyes.observe(slot.target);
  };

  const onClick = (event) => {
    const slot = event.isTrusted && event.target.closest?.("[data-adproxy-slot]")?.adproxy;
    const link = slot && event.target.closest("a[href]");
    if (!link || !slot.told.has("rendered") || !slot.element.contains(link)) return;
    if (token && link === slot.box) {
      // A picture's link leads over us, who count it: it only lacks whose click it is.
      if (!link.search.includes("&n=")) link.search += `&n=${slot.view}`;
    } else tell(slot, "click");
  };
  addEventListener("click", onClick, true);
  addEventListener("auxclick", onClick, true);

  // A click into a frame is not ours to see, but the focus goes there with it.
  let tabbed = false;
  addEventListener("keydown", (event) => (tabbed = event.key === "Tab"), true);
  addEventListener("pointermove", () => (tabbed = false), true);
  addEventListener("blur", () =>
    setTimeout(() => {
      const frame = document.activeElement;
      const slot = frame?.tagName === "IFRAME" && frame.closest("[data-adproxy-slot]")?.adproxy;
      if (slot?.told.has("rendered") && !tabbed && navigator.userActivation?.isActive !== false) tell(slot, "click");
    }),
  );

  // --- consent: who may be asked for ads, and when that is known

  // A function of a slot: why nothing may be asked for, or "".
  let verdict = null;
  const undecided = [];

  const decide = (rule) => {
    verdict = rule;
    for (const go of undecided.splice(0)) go();
  };

  // What Google and most others need to show an ad at all: purpose 1 by consent, and these by that or by legitimate
  // interest. From TCF 2.3 on (policy 5) a vendor that nobody was shown has no consent, whatever the string says.
  const byTcf = (data) => (slot) => {
    const { consents = {}, legitimateInterests = {} } = data.purpose || {};
    const vendor = data.vendor || {};
    const vendors = [...rules.vendors, ...(slot.kind === "iframe" ? [] : [GOOGLE])];
    const agreed =
      (consents[1] || data.purposeOneTreatment) &&
      [2, 7, 9, 10].every((purpose) => consents[purpose] || legitimateInterests[purpose]) &&
      vendors.every(
        (id) =>
          vendor.consents?.[id] && (vendor.disclosedVendors ? vendor.disclosedVendors[id] : !(data.tcfPolicyVersion >= 5)),
      );
    return agreed ? "" : "no_consent";
  };

  // Sections of the United States say who opted out. The European one is read by the TCF's own interface.
  const byGpp = (ping) => () => {
    const said = Object.values(ping.parsedSections || {}).flat();
    if (said.some((part) => part.Gpc === true)) return "gpc";
    const optOuts = ["SaleOptOut", "SharingOptOut", "TargetedAdvertisingOptOut"];
    const european = (ping.applicableSections || []).includes(2);
    return european || said.some((part) => optOuts.some((name) => part[name] === 1)) ? "no_consent" : "";
  };

  const listen = () => {
    if (navigator.globalPrivacyControl) return decide(() => "gpc");
    if (rules.consent !== "required") return decide(() => "");
    let tcf = null;
    let gpp = null;
    let tries = 0;
    const weigh = () => {
      if (tcf?.data && tcf.data.gdprApplies !== false) decide(byTcf(tcf.data));
      else if (tcf && !tcf.data) return;
      else if (gpp?.ping) decide(byGpp(gpp.ping));
      else if (tcf && !gpp) decide(() => "");
    };
    const seek = () => {
      if (!tcf && typeof window.__tcfapi === "function") {
        tcf = {};
        window.__tcfapi("addEventListener", 2, (data, ok) => {
          if (!ok || !(data.gdprApplies === false || /^(tcloaded|useractioncomplete)$/.test(data.eventStatus))) return;
          tcf.data = data;
          weigh();
        });
      }
      if (!gpp && typeof window.__gpp === "function") {
        gpp = {};
        const hear = (ping) => {
          if (ping?.signalStatus !== "ready") return;
          gpp.ping = ping;
          weigh();
        };
        window.__gpp("addEventListener", ({ eventName, data, pingData }) => {
          if (eventName === "signalStatus" && data === "ready") hear({ ...pingData, signalStatus: "ready" });
        });
        window.__gpp("ping", hear);
      }
      if (!verdict && (tries += 1) < CONSENT_TRIES && !(tcf && gpp)) setTimeout(seek, 200);
    };
    seek();
  };

  // --- asking for creatives

  let policy = null;
  const trusted = (url) => {
    if (!window.trustedTypes) return url;
    policy ||= trustedTypes.createPolicy("adproxy", {
      createScriptURL: (wanted) => {
        if ([GPT, LIMITED_GPT, ADSENSE].includes(wanted.split("?")[0])) return wanted;
        throw new TypeError(wanted);
      },
    });
    return policy.createScriptURL(url);
  };

  const load = (url, onError) => {
    const library = document.createElement("script");
    library.src = trusted(url);
    library.async = true;
    library.addEventListener("error", onError);
    // A policy with a nonce passes on to what a trusted script loads only if the nonce goes along.
    if (script.nonce) library.nonce = script.nonce;
    document.head.append(library);
    return library;
  };

  const pageHasGpt = () => window.googletag?.apiReady || document.querySelector('script[src*="/tag/js/gpt.js"]');

  // All slots at once, for a request each would part what was sold together. Where the page has the library already, its
  // settings are the page's: a first load that it holds back (disableInitialLoad) stays held back until it asks.
  const askGpt = (limited) => {
    const asked = slots.filter((slot) => slot.kind === "gpt" && !slot.asked && !slot.empty && !slot.paused && hasBox(slot.element));
    const own = !pageHasGpt();
    for (const slot of asked) slot.asked = true;
    const gt = (window.googletag = window.googletag || {});
    gt.cmd = gt.cmd || [];
    if (own) load(limited ? LIMITED_GPT : GPT, () => asked.forEach((slot) => stayEmpty(slot)));
    hearGpt();
    gt.cmd.push(() => {
      const pubads = gt.pubads();
      if (own) {
        if (limited) pubads.setPrivacySettings({ limitedAds: true, restrictDataProcessing: true });
        const lazyLoad = { fetchMarginPercent: 100, renderMarginPercent: 100, mobileScaling: 1 };
        if (gt.setConfig) gt.setConfig({ singleRequest: true, lazyLoad });
        else {
          pubads.enableSingleRequest();
          pubads.enableLazyLoad(lazyLoad);
        }
      }
      const defined = asked.flatMap(({ ad, box }) => {
        const slot = gt.defineSlot(ad.unit, ad.sizes.flatMap(([, sizes]) => sizes), box.id);
        if (!slot) return [];
        const mapping = gt.sizeMapping();
        for (const [width, sizes] of ad.sizes) mapping.addSize([width, 0], sizes);
        slot.defineSizeMapping(mapping.build());
        if (slot.setConfig) slot.setConfig({ targeting: ad.targeting });
        else for (const [key, value] of Object.entries(ad.targeting)) slot.setTargeting(key, value);
        return [slot.addService(pubads)];
      });
      gt.enableServices();
      for (const slot of defined) gt.display(slot);
    });
  };

  const askAdsense = (slot) => {
    const { client, unit, sizes } = slot.ad;
    const room = slot.element.clientWidth;
    const [, here] = sizes.filter(([width]) => width <= innerWidth).pop() || [0, []];
    const fitting = here.filter(([width]) => width <= room).sort((a, b) => b[0] * b[1] - a[0] * a[1]);
    if (!fitting.length) return stayEmpty(slot);
    const ins = document.createElement("ins");
    ins.className = "adsbygoogle";
    ins.dataset.adClient = client;
    ins.dataset.adSlot = unit;
    const [width, height] = fitting[0];
    Object.assign(ins.style, { display: "inline-block", width: `${width}px`, height: `${height}px` });
    new MutationObserver(() => {
      if (ins.dataset.adStatus === "filled") rendered(slot);
      else if (ins.dataset.adStatus) unfilled(slot);
    }).observe(ins, { attributeFilter: ["data-ad-status"] });
    slot.box.append(ins);
    tell(slot, "request");
    if (!document.querySelector('script[src*="/pagead/js/adsbygoogle.js"]')) {
      load(`${ADSENSE}?client=${client}`, () => slots.filter((s) => s.kind === "adsense" && s.asked).forEach(unfilled))
        .crossOrigin = "anonymous";
    }
    (window.adsbygoogle = window.adsbygoogle || []).push({});
  };

  const askFrame = (slot) => {
    const { src, title, size } = slot.ad;
    const frame = document.createElement("iframe");
    // Its scripts run, but as a stranger's: never with allow-same-origin beside allow-scripts.
    frame.sandbox = "allow-scripts allow-popups allow-popups-to-escape-sandbox";
    frame.title = title;
    [frame.width, frame.height] = size;
    frame.style.border = "0";
    frame.referrerPolicy = "strict-origin-when-cross-origin";
    frame.addEventListener("load", () => rendered(slot));
    addEventListener("message", (event) => {
      if (event.source === frame.contentWindow && event.data === "adproxy:unfilled") unfilled(slot);
    });
    frame.src = src;
    slot.box.append(frame);
    tell(slot, "request");
  };

  // Markup and pictures of the site's own, which are on the page already.
  const showOwn = (slot) => {
    tell(slot, "request");
    const picture = slot.box.tagName === "A" && slot.box.querySelector("img");
    if (!picture) painted(() => rendered(slot));
    else picture.decode().then(() => painted(() => rendered(slot)), () => unfilled(slot));
  };

  const ask = (slot) => {
    if (slot.asked || slot.empty) return;
    const reason = verdict(slot);
    // Only a library that was loaded for them gives limited ads; what holds for one of its slots holds for all.
    const limited = rules.refused === "limited" && slot.kind === "gpt" && !pageHasGpt();
    if (reason && !limited) withhold(slot, reason, rules.refused !== "none");
    else if (slot.kind === "gpt") askGpt(reason);
    else {
      slot.asked = true;
      (slot.kind === "iframe" ? askFrame : askAdsense)(slot);
    }
  };

  // --- slots that the page fills itself: listen, never interfere

  let heard = false;
  const hearGpt = () => {
    if (heard || !window.googletag?.cmd) return;
    heard = true;
    googletag.cmd.push(() => {
      const on = (name, then) =>
        googletag.pubads().addEventListener(name, (event) => {
          const slot = slotAt(event.slot.getSlotElementId());
          if (slot && !slot.empty) then(slot, event);
        });
      on("slotRequested", (slot) => {
        slot.byGpt = true;
        tell(slot, "request");
      });
      on("slotRenderEnded", (slot, { isEmpty }) => {
        slot.byGpt = true;
        if (isEmpty) unfilled(slot);
        else rendered(slot, true);
      });
      on("impressionViewable", (slot) => tell(slot, "viewable"));
    });
  };

  let heardPrebid = false;
  const hearPrebid = () => {
    if (heardPrebid || !window.pbjs?.que) return;
    heardPrebid = true;
    pbjs.que.push(() => {
      pbjs.onEvent("auctionInit", ({ adUnitCodes = [] }) => {
        for (const slot of adUnitCodes.map(slotAt)) if (slot && !slot.empty) tell(slot, "request");
      });
    });
  };

  const watch = (slot) => {
    const check = () => {
      hearGpt();
      hearPrebid();
      const creative = slot.box.firstElementChild;
      if (!creative || slot.empty) return;
      const frame = creative.matches("iframe,img") ? creative : creative.querySelector("iframe,img");
      const show = () =>
        painted(() => {
          const { width, height } = creative.getBoundingClientRect();
          // One pixel is no creative, and what Google's library fills is its to tell.
          if (width > 1 && height > 1 && !slot.byGpt && hasBox(creative)) rendered(slot);
        });
      if (frame && !frame.complete && begun) frame.addEventListener("load", show, { once: true });
      else show();
    };
    const changes = new MutationObserver(() => (slot.told.has("rendered") ? changes.disconnect() : check()));
    changes.observe(slot.box, { childList: true, subtree: true });
    check();
  };

  // --- the page

  const near = new IntersectionObserver(
    (entries) => {
      for (const { target, isIntersecting } of entries) {
        const slot = target.adproxy;
        if (!isIntersecting || slot.near) continue;
        slot.near = true;
        near.unobserve(target);
        if (slot.paused) withhold(slot, "paused", false);
        else if (slot.kind === "creative") showOwn(slot);
        else if (slot.kind === "ad") continue;
        else if (verdict) ask(slot);
        else undecided.push(() => ask(slot));
      }
    },
    // A screen before it comes into view.
    { rootMargin: "100% 0px" },
  );

  // Of the element that holds the slots in the article; the page's own ads in it count.
  const OWN_ADS = "ins.adsbygoogle,[id^=div-gpt-ad],[id^=google_ads_iframe]";
  const density = (nonce) => {
    const shown = slots.filter(({ element }) => "adproxyMain" in element.dataset && hasBox(element));
    if (!shown.length) return;
    let holder = shown[0].element.parentElement;
    while (!shown.every(({ element }) => holder.contains(element))) holder = holder.parentElement;
    const theirs = [...holder.querySelectorAll(OWN_ADS)].filter(
      (ad) => !ad.parentElement.closest(`${OWN_ADS},[data-adproxy-slot]`),
    );
    const heights = [...shown.map(({ element }) => element), ...theirs].map((ad) => ad.offsetHeight);
    const share = heights.reduce((sum, height) => sum + height, 0) / holder.offsetHeight;
    report(nonce, "density", Math.min(1, Number(share.toFixed(3))), innerWidth < DESKTOP_FROM ? "phone" : "desktop");
  };

  // Pages may come from caches: what is paused now is asked for now.
  const pauses = async () => {
    if (!rules.site) return {};
    const asked = fetch(`${base}config/${rules.site}.json`, { credentials: "omit" }).then((answer) => answer.json());
    const late = new Promise((resolve) => setTimeout(resolve, CONFIG_MS, {}));
    return Promise.race([asked, late]).catch(() => ({}));
  };

  const wouldShow = ({ element }) => {
    const only = element.dataset.adproxyOn;
    const device = innerWidth < DESKTOP_FROM ? "phone" : "desktop";
    return (!only || only === device) && parseFloat(getComputedStyle(element).minHeight) > 0;
  };

  const begin = async () => {
    if (begun || !isSeen()) return;
    begun = true;
    report(view, "page_view");
    if (document.documentElement.hasAttribute("data-adproxy-off")) {
      for (const slot of slots) if (wouldShow(slot)) tell(slot, "withheld", "ad_free");
      return;
    }
    const { off, paused = [] } = await pauses();
    listen();
    for (const slot of slots) {
      slot.paused = off || paused.includes(slot.name);
      if (slot.kind === "ad" && !slot.paused) watch(slot);
      near.observe(slot.element);
    }
    setTimeout(density, 2 * BATCH_MS, view);
  };

  const onVisibility = () => {
    begin();
    for (const slot of slots) look(slot);
    if (document.visibilityState !== "hidden" || !begun) return;
    // Who leaves without having decided was not shown an ad for want of consent.
    for (const slot of slots) if (slot.near && !verdict && !slot.paused && slot.ad) tell(slot, "withheld", "no_consent");
    leave();
  };

  addEventListener("visibilitychange", onVisibility, true);
  document.addEventListener("prerenderingchange", begin);
  addEventListener("pagehide", leave);
  addEventListener("pageshow", (event) => {
    if (!event.persisted || !begun) return;
    view = newNonce();
    report(view, "page_view");
  });
  // Its events may come before the page is looked at; they are kept until then.
  hearGpt();
  addEventListener("load", () => {
    hearGpt();
    hearPrebid();
  });
  begin();
})();
