// Plans the page anew while the rules beside it are edited or switched. Without it the same is done by a button.
"use strict";

const PAUSE = 150; // milliseconds after the last key
const SECONDS = 15;
const bench = document.querySelector("[data-plan]");
const text = bench.querySelector("textarea[name=text]");
const rules = bench.querySelector("select[name=rules]");
const was = bench.querySelector("input[name=was]");
const stage = bench.querySelector("[data-frame]");
const result = document.getElementById("result");
const told = document.getElementById("problems");
const spoken = document.getElementById("spoken");
let waiting = 0;
let asking = null;
let planned = text.value;

function say(words) {
  spoken.textContent = words;
}

// The page is as wide as its device is, and drawn as small as it takes to be seen whole.
function fit() {
  const desktop = bench.querySelector("#desktop").checked;
  const width = desktop ? 1366 : 390;
  const scale = Math.min(1, stage.clientWidth / width);
  stage.classList.toggle("scaled", scale < 1);
  for (const frame of stage.querySelectorAll("iframe")) {
    frame.style.transform = scale < 1 ? `scale(${scale})` : "";
    frame.style.height = scale < 1 ? `${stage.clientHeight / scale}px` : "";
  }
}

// The new copy comes in behind the old one, so that nothing flashes.
function show(address) {
  const old = stage.querySelector("iframe:not(.coming)");
  if (address === "" || (old !== null && old.getAttribute("src").split("#")[0] === address)) return;
  for (const late of stage.querySelectorAll("iframe.coming")) late.remove();
  if (old === null) return;
  const next = old.cloneNode(false);
  next.className = "coming";
  next.removeAttribute("name");
  next.src = address;
  next.addEventListener("load", () => {
    if (!next.isConnected) return;
    old.remove();
    next.name = "copy";
    next.className = "";
    fit();
  });
  stage.append(next);
  fit();
}

async function plan() {
  asking?.abort();
  const mine = new AbortController();
  asking = mine;
  const timeout = setTimeout(() => mine.abort(), SECONDS * 1000);
  try {
    const answer = await fetch("preview", {
      method: "POST",
      body: new URLSearchParams(new FormData(bench)),
      headers: { Accept: "application/json" },
      signal: mine.signal,
    });
    if (!answer.ok && answer.status !== 503) throw new Error(String(answer.status));
    const parts = await answer.json();
    if (mine !== asking) return;
    if (parts.content !== null) {
      text.value = parts.content;
      was.value = rules.value;
    }
    planned = text.value;
    told.innerHTML = parts.problems; // made by our own templates, which escape
    if (!parts.broken) {
      result.innerHTML = parts.result;
      show(parts.frame);
      say(result.querySelector("h2")?.textContent ?? "");
    }
    text.dispatchEvent(new Event("input"));
  } catch (problem) {
    if (problem.name !== "AbortError") say("No answer: the plan is that of before");
  } finally {
    clearTimeout(timeout);
  }
}

text.addEventListener("input", () => {
  if (text.value === planned) return;
  clearTimeout(waiting);
  waiting = setTimeout(plan, PAUSE);
});
rules.addEventListener("change", plan);
for (const radio of bench.querySelectorAll("[name=device]")) radio.addEventListener("change", fit);
new ResizeObserver(fit).observe(stage);
bench.querySelector("[data-without-script]").hidden = true;

// A link in the outline leads to its mark on the page, which may be out of sight on a narrow screen.
result.addEventListener("click", (event) => {
  if (event.target.closest("a[target=copy]") !== null) stage.scrollIntoView({ block: "nearest" });
});

const upload = document.querySelector("[data-upload]");
upload.hidden = false;
upload.querySelector("input").addEventListener("change", async (event) => {
  const file = event.target.files[0];
  if (file === undefined) return;
  const address = document.getElementById("address").value;
  const answer = await fetch(`preview/upload?${new URLSearchParams({ url: address })}`, {
    method: "POST",
    body: file,
    signal: AbortSignal.timeout(SECONDS * 1000),
  });
  if (answer.ok) location.assign(answer.url);
  else say(await answer.text());
});
fit();
