// What a page can do without, and is nicer with. No part of it is needed to read.

// One button folds all code of a lesson, but for solutions, which stay as they are.
const button = document.getElementById("fold");
const code = [...document.querySelectorAll("details.code[open]")];
if (button && code.length) {
  button.hidden = false;
  button.addEventListener("click", () => {
    const fold = code.some((cell) => cell.open);
    for (const cell of code) cell.open = !fold;
    button.textContent = fold ? "Unfold all code" : "Fold all code";
  });
}

// A sound that begins stops the others.
document.addEventListener("play", (event) => {
  for (const player of document.querySelectorAll("audio")) {
    if (player !== event.target) player.pause();
  }
}, true);

// The table of contents shows where the reader is.
const entries = new Map();
for (const link of document.querySelectorAll("nav.contents a")) {
  const heading = document.getElementById(decodeURIComponent(link.hash.slice(1)));
  if (heading) entries.set(heading, link);
}
function follow() {
  let current = null;
  for (const [heading, link] of entries) {
    if (heading.getBoundingClientRect().top < 120) current = link;
    link.removeAttribute("aria-current");
  }
  if (current) current.setAttribute("aria-current", "true");
}
if (entries.size) {
  let waiting = false;
  document.addEventListener("scroll", () => {
    if (waiting) return;
    waiting = true;
    requestAnimationFrame(() => { waiting = false; follow(); });
  }, { passive: true });
  follow();
}
