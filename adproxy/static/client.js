// adproxy: asks Google Publisher Tag to fill the slots that the page carries. Loaded only where a slot needs it.
// DOM calls only (no HTML sinks), no cookie, nothing stored.
(() => {
  "use strict";
  const LIBRARY = "https://securepubads.g.doubleclick.net/tag/js/gpt.js";
  // A slot that the style sheet hides on this device is not asked for.
  const slots = [...document.querySelectorAll("[data-adproxy-gpt]")].filter((div) => !div.dataset.adproxyAsked && div.offsetParent !== null);
  if (!slots.length) return;
  const gt = (window.googletag = window.googletag || { cmd: [] });
  // One library for the page: its own, if it has one.
  if (!gt.apiReady && !document.querySelector('script[src*="/tag/js/gpt.js"]')) {
    const script = document.createElement("script");
    script.src = LIBRARY;
    script.async = true;
    // A policy with a nonce passes on to what a trusted script loads only if the nonce goes along.
    const nonce = document.currentScript && document.currentScript.nonce;
    if (nonce) script.nonce = nonce;
    document.head.appendChild(script);
  }
  gt.cmd.push(() => {
    const pubads = gt.pubads();
    const defined = [];
    for (const div of slots) {
      div.dataset.adproxyAsked = "1";
      const wanted = JSON.parse(div.dataset.adproxyGpt);
      const all = wanted.sizes.flatMap((step) => step[1]);
      const slot = all.length && gt.defineSlot(wanted.unit, all, div.id);
      if (!slot) continue;
      const mapping = gt.sizeMapping();
      for (const [width, sizes] of wanted.sizes) mapping.addSize([width, 0], sizes);
      slot.defineSizeMapping(mapping.build());
      for (const [key, value] of Object.entries(wanted.targeting)) slot.setTargeting(key, value);
      slot.addService(pubads);
      defined.push(slot);
    }
    gt.enableServices();
    for (const slot of defined) gt.display(slot);
    // Where the page holds back its first requests (disableInitialLoad), it asks when it is ready: never overridden.
  });
})();
