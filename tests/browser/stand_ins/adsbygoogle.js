// Stands in for Google AdSense: each push fills the first ins that has no status yet; unit 4040 gets no ad.
(() => {
  const fill = () => {
    const ins = document.querySelector("ins.adsbygoogle:not([data-adsbygoogle-status])");
    if (!ins) return;
    ins.dataset.adsbygoogleStatus = "done";
    setTimeout(() => {
      if (ins.dataset.adSlot === "4040") {
        ins.dataset.adStatus = "unfilled";
        return;
      }
      const frame = document.createElement("iframe");
      frame.width = parseInt(ins.style.width, 10);
      frame.height = parseInt(ins.style.height, 10);
      frame.style.border = "0";
      frame.title = "ad";
      frame.src = "/frame/ad";
      ins.append(frame);
      ins.dataset.adStatus = "filled";
    }, 60);
  };
  const waiting = window.adsbygoogle || [];
  window.adsbygoogle = { push: fill };
  waiting.forEach(fill);
})();
