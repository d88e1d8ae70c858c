"use strict";

// Search, and what makes the drawings and columns easier to read. Without this script everything is still there.

const box = document.getElementById("search");
const list = document.getElementById("found");
const SHOWN = 30;

// Letters without their accents, small.
const plain = (text) => text.normalize("NFD").replace(/\p{M}/gu, "").toLowerCase();

const entries = [];
for (const [name, kind, comment, page, columns] of window.DICTIONARY) {
  entries.push({ name, kind, comment, href: page, own: plain(name), told: plain(comment) });
  for (const [column, said, anchor] of columns) {
    const href = `${page}#${anchor}`;
    entries.push({ name: `${name}.${column}`, kind, comment: said, href, own: plain(column), told: plain(said), of: plain(name) });
  }
}

// How well an entry answers one word; 0: not at all.
function weight(entry, word) {
  const short = entry.own.slice(entry.own.lastIndexOf(".") + 1);
  if (entry.own === word || short === word) return entry.of ? 60 : 64;
  if (short.startsWith(word) || entry.own.startsWith(word)) return entry.of ? 30 : 34;
  if (entry.own.includes(word)) return entry.of ? 12 : 16;
  if (entry.of && `${entry.of}.${entry.own}`.includes(word)) return 6;
  return entry.told.includes(word) ? 3 : 0;
}

// Marts before facts before what they are made of, where words alone do not decide.
const order = ["mart", "fact", "dimension", "table", "raw", "source"];

function find(asked) {
  const words = plain(asked).split(/\s+/).filter(Boolean);
  if (!words.length) return [];
  const found = [];
  for (const entry of entries) {
    const weights = words.map((word) => weight(entry, word));
    if (weights.every(Boolean)) found.push([weights.reduce((sum, one) => sum + one, 0), entry]);
  }
  found.sort((a, b) => b[0] - a[0] || order.indexOf(a[1].kind) - order.indexOf(b[1].kind));
  return found.map(([, entry]) => entry);
}

let chosen = -1;

function element(name, text, kind = "") {
  const made = document.createElement(name);
  made.textContent = text;
  if (kind) made.className = kind;
  return made;
}

function show() {
  const found = find(box.value);
  list.replaceChildren();
  chosen = found.length ? 0 : -1;
  found.slice(0, SHOWN).forEach((entry, place) => {
    const item = element("li", "");
    item.id = `found-${place}`;
    item.setAttribute("role", "option");
    const link = element("a", "");
    link.href = entry.href;
    link.tabIndex = -1;
    link.append(element("span", entry.name, `of ${entry.kind}`));
    if (entry.comment) link.append(element("small", entry.comment));
    item.append(link);
    list.append(item);
  });
  if (!found.length) list.append(element("li", "Nothing is called so, and nobody says so.", "none"));
  if (found.length > SHOWN) list.append(element("li", `and ${found.length - SHOWN} more; write another word`, "none"));
  open(box.value.trim() !== "");
  choose(chosen);
}

function open(yes) {
  list.hidden = !yes;
  box.setAttribute("aria-expanded", String(yes));
  if (!yes) box.removeAttribute("aria-activedescendant");
}

function choose(place) {
  const items = list.querySelectorAll("[role=option]");
  if (!items.length) return;
  chosen = (place + items.length) % items.length;
  items.forEach((item, at) => item.setAttribute("aria-selected", String(at === chosen)));
  box.setAttribute("aria-activedescendant", items[chosen].id);
  items[chosen].scrollIntoView({ block: "nearest" });
}

box.closest(".search").hidden = false;
box.addEventListener("input", show);
box.addEventListener("focus", () => box.value.trim() && show());
box.addEventListener("keydown", (event) => {
  if (event.key === "ArrowDown" || event.key === "ArrowUp") {
    event.preventDefault();
    choose(chosen + (event.key === "ArrowDown" ? 1 : -1));
  } else if (event.key === "Enter" && !list.hidden) {
    const item = list.querySelector("[aria-selected=true] a");
    if (item) item.click();
  } else if (event.key === "Escape") {
    open(false);
  }
});
list.addEventListener("click", () => open(false));
document.addEventListener("click", (event) => {
  if (!event.target.closest(".search")) open(false);
});
document.addEventListener("focusin", (event) => {
  if (!event.target.closest(".search")) open(false);
});
document.addEventListener("keydown", (event) => {
  if (event.key === "/" && !event.ctrlKey && !event.metaKey && !event.altKey && event.target !== box) {
    event.preventDefault();
    box.focus();
    box.select();
  }
});

// A column that is pointed to is open.
function unfold() {
  const there = location.hash && document.getElementById(location.hash.slice(1));
  const details = there && there.querySelector("details");
  if (details) {
    details.open = true;
    there.scrollIntoView();
  }
}
window.addEventListener("hashchange", unfold);
unfold();

// On paper nothing can be unfolded.
let folded = [];
window.addEventListener("beforeprint", () => {
  folded = [...document.querySelectorAll("details:not([open])")];
  folded.forEach((one) => (one.open = true));
});
window.addEventListener("afterprint", () => folded.forEach((one) => (one.open = false)));

// In a drawing, what a table has to do with.
for (const drawing of document.querySelectorAll(".drawing")) {
  const arrows = [...drawing.querySelectorAll(".arrow")];
  const boxes = [...drawing.querySelectorAll(".box")];
  const look = (name) => {
    const near = new Set([name]);
    for (const arrow of arrows) {
      const lit = name !== null && (arrow.dataset.tail === name || arrow.dataset.head === name);
      arrow.classList.toggle("lit", lit);
      if (lit) near.add(arrow.dataset.tail).add(arrow.dataset.head);
    }
    boxes.forEach((one) => one.classList.toggle("lit", near.has(one.dataset.name)));
    drawing.classList.toggle("looking", name !== null);
  };
  for (const one of boxes) {
    one.addEventListener("pointerenter", () => look(one.dataset.name));
    one.addEventListener("pointerleave", () => look(null));
    one.addEventListener("focus", () => look(one.dataset.name));
    one.addEventListener("blur", () => look(null));
  }
  const here = drawing.querySelector(".box.here");
  if (here) drawing.scrollLeft = here.getBBox().x - drawing.clientWidth / 2 + here.getBBox().width / 2;
}
