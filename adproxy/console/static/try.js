// Shows how far a trial is, and its result when it is there. Without it the page asks anew every two seconds.
"use strict";

const EVERY = 400; // milliseconds
const SECONDS = 10;
const bar = document.querySelector("[data-progress]");
const told = document.getElementById("told");
const select = document.querySelector("select[name=rules]");

async function look() {
  try {
    const answer = await fetch(bar.dataset.progress, { signal: AbortSignal.timeout(SECONDS * 1000) });
    if (!answer.ok) throw new Error(String(answer.status));
    const now = await answer.json();
    if (now.over) {
      location.reload();
      return;
    }
    told.textContent = now.told;
    if (now.of > 0) {
      bar.max = now.of;
      bar.value = now.done;
    }
  } catch {
    told.textContent = "No answer; asking again";
  }
  setTimeout(look, EVERY);
}

if (bar !== null) setTimeout(look, EVERY);
// another file of rules has another text
select.addEventListener("change", () => select.form.requestSubmit());
