// Stands in for Google's Publisher Tag: the calls and events that its reference documents, without a network.
// An ad unit whose name says "empty" gets no ad. What it was asked is in window.gptLog.
(() => {
  const log = (window.gptLog = { requests: [], settings: [], displayed: [] });
  const listeners = {};
  const slots = new Map();
  const settings = { singleRequest: false, disableInitialLoad: false };
  let services = false;
  let waiting = [];

  const fire = (serviceName, slot, more = {}) => (listeners[serviceName] || []).forEach((then) => then({ slot, serviceName: "publisher_ads", ...more }));

  const render = (slot) => {
    const isEmpty = slot.unit.includes("empty");
    const div = document.getElementById(slot.id);
    if (isEmpty) {
      div.style.display = "none";
      fire("slotRenderEnded", slot, { isEmpty, size: null });
      return;
    }
    const holder = document.createElement("div");
    holder.id = `google_ads_iframe_${slot.unit}_0__container__`;
    const frame = document.createElement("iframe");
    const fitting = slot.mapping.filter(([[width]]) => width <= innerWidth).pop();
    [frame.width, frame.height] = fitting ? fitting[1][0] : slot.sizes[0];
    frame.style.border = "0";
    frame.title = "ad";
    frame.src = "/frame/ad";
    holder.append(frame);
    div.replaceChildren(holder);
    fire("slotRenderEnded", slot, { isEmpty, size: [Number(frame.width), Number(frame.height)] });
    frame.addEventListener("load", () => fire("slotOnload", slot));
    let timer = 0;
    new IntersectionObserver(([entry]) => {
      clearTimeout(timer);
      if (entry.intersectionRatio >= 0.5) timer = setTimeout(() => fire("impressionViewable", slot), 1000);
    }, { threshold: [0.5] }).observe(frame);
  };

  const request = (some) => {
    if (!some.length) return;
    for (const group of settings.singleRequest ? [some] : some.map((slot) => [slot])) {
      log.requests.push(group.map((slot) => ({ unit: slot.unit, id: slot.id, targeting: slot.targeting, sizes: slot.mapping })));
      group.forEach((slot) => fire("slotRequested", slot));
      setTimeout(() => group.forEach(render), 60);
    }
  };

  const service = {
    addEventListener(name, then) {
      (listeners[name] ||= []).push(then);
      return service;
    },
    enableSingleRequest: () => (settings.singleRequest = true),
    enableLazyLoad: (lazyLoad) => log.settings.push({ lazyLoad }),
    disableInitialLoad: () => (settings.disableInitialLoad = true),
    isInitialLoadDisabled: () => settings.disableInitialLoad,
    setPrivacySettings: (said) => log.settings.push({ privacy: said }),
    refresh: (some) => request(some || [...slots.values()]),
  };

  const gt = (window.googletag = window.googletag || { cmd: [] });
  Object.assign(gt, {
    apiReady: true,
    pubads: () => service,
    setConfig(said) {
      log.settings.push(said);
      Object.assign(settings, said);
    },
    sizeMapping() {
      const steps = [];
      const builder = { addSize: (viewport, sizes) => (steps.push([viewport, sizes]), builder), build: () => steps };
      return builder;
    },
    defineSlot(unit, sizes, id) {
      if (slots.has(id)) return null;
      const slot = {
        unit,
        sizes,
        id,
        mapping: [],
        targeting: {},
        getSlotElementId: () => id,
        getAdUnitPath: () => unit,
        defineSizeMapping: (steps) => ((slot.mapping = steps), slot),
        setTargeting: (key, value) => ((slot.targeting[key] = value), slot),
        setConfig: (said) => Object.assign(slot.targeting, said.targeting),
        addService: () => slot,
      };
      slots.set(id, slot);
      return slot;
    },
    enableServices: () => (services = true),
    display(slot) {
      const shown = typeof slot === "string" ? slots.get(slot) : slot;
      log.displayed.push(shown.id);
      if (!services || settings.disableInitialLoad) return;
      waiting.push(shown);
      if (waiting.length === 1) queueMicrotask(() => request(waiting.splice(0)));
    },
  });
  const commands = gt.cmd;
  gt.cmd = { push: (...some) => some.forEach((command) => command()) };
  commands.forEach((command) => command());
})();
