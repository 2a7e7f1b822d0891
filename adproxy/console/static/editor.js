// A field of text with line numbers: those of lines with a problem are marked, and a problem leads to its place.
"use strict";

const editor = document.querySelector("[data-editor]");
const field = editor.querySelector("textarea");
const gutter = document.createElement("div");
const problems = document.getElementById("problems");

function lineCount() {
  return field.value.split("\n").length;
}

function number() {
  const wrong = new Set(
    [...problems.querySelectorAll("[data-line]:not([data-elsewhere])")].map((link) => Number(link.dataset.line)),
  );
  const lines = [];
  for (let line = 1; line <= lineCount(); line += 1) {
    const mark = document.createElement("b");
    mark.textContent = String(line);
    if (wrong.has(line)) mark.className = "wrong";
    lines.push(mark);
  }
  gutter.replaceChildren(...lines);
  gutter.scrollTop = field.scrollTop;
}

function goTo(line, column) {
  const lines = field.value.split("\n");
  const start = lines.slice(0, line - 1).reduce((sum, text) => sum + text.length + 1, 0) + column - 1;
  field.focus();
  field.setSelectionRange(start, start + Math.max(1, (lines[line - 1] || "").length - column + 1));
  field.scrollTop = Math.max(0, ((line - 4) * field.scrollHeight) / lines.length);
}

gutter.className = "gutter";
gutter.setAttribute("aria-hidden", "true");
editor.append(gutter);
editor.classList.add("numbered");
field.addEventListener("input", number);
field.addEventListener("scroll", () => {
  gutter.scrollTop = field.scrollTop;
});
problems.addEventListener("click", (event) => {
  const link = event.target.closest("[data-line]");
  if (link === null || "elsewhere" in link.dataset) return;
  event.preventDefault();
  goTo(Number(link.dataset.line), Number(link.dataset.column));
});
new MutationObserver(number).observe(problems, { childList: true });
number();
