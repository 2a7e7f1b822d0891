// Brings newer figures each ten seconds while the page is looked at. Without it the page is the same, and is reloaded.
//
// A part that somebody is in (a focus, a selection, opened details) stays as it is until they leave it.
"use strict";

const SECONDS = 10;
const place = document.getElementById("live");
const button = document.createElement("button");
const told = document.createElement("span");
let running = true;

function show(text) {
  told.textContent = text;
}

function isInUse(part) {
  const selection = document.getSelection();
  return (
    part.contains(document.activeElement) ||
    part.querySelector("details[open]") !== null ||
    (selection !== null && !selection.isCollapsed && part.contains(selection.anchorNode))
  );
}

async function renew() {
  if (!running || document.visibilityState !== "visible") return;
  try {
    const answer = await fetch(location.pathname, { signal: AbortSignal.timeout(SECONDS * 1000) });
    if (!answer.ok) throw new Error(String(answer.status));
    const newer = new DOMParser().parseFromString(await answer.text(), "text/html");
    for (const part of document.querySelectorAll("[data-live]")) {
      const other = newer.getElementById(part.id);
      if (other !== null && !isInUse(part) && !part.isEqualNode(other)) part.replaceWith(document.adoptNode(other));
    }
    document.title = newer.title;
    show("Live");
  } catch {
    show("No answer: these figures are old");
  }
}

button.type = "button";
button.textContent = "Pause";
button.addEventListener("click", () => {
  running = !running;
  button.textContent = running ? "Pause" : "Go on";
  show(running ? "Live" : "Paused");
  renew();
});
show("Live");
place.replaceChildren(told, button);
setInterval(renew, SECONDS * 1000);
document.addEventListener("visibilitychange", renew);
