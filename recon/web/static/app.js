// What the pages do quicker with JavaScript; none of them needs it.
"use strict";

// A filter that is not set does not stand in the address.
document.addEventListener("htmx:configRequest", (event) => {
  const given = event.detail.formData;
  for (const [name, value] of [...given.entries()]) {
    if (value === "") given.delete(name);
  }
});

// Selected rows: how many, and what they come to by currency. What another filter hides is gone from
// the page, and from the selection with it.
const boxes = () => [...document.querySelectorAll('#bulk input[name="id"]')];
let lastBox = null;

const figure = (minor, exponent) => {
  const digits = String(minor < 0n ? -minor : minor).padStart(exponent + 1, "0");
  const whole = digits.slice(0, digits.length - exponent).replace(/\B(?=(\d{3})+$)/g, ",");
  const sign = minor < 0n ? "\u2212" : minor > 0n ? "+" : "";
  return sign + whole + (exponent ? `.${digits.slice(-exponent)}` : "");
};

const showSelected = () => {
  const output = document.getElementById("selected");
  if (!output) return;
  const chosen = boxes().filter((box) => box.checked);
  const all = document.getElementById("select-page");
  if (all) all.checked = chosen.length > 0 && chosen.length === boxes().length;
  const sums = new Map();
  for (const { dataset } of chosen) {
    const before = sums.get(dataset.currency) ?? { minor: 0n, exponent: Number(dataset.exponent) };
    before.minor += BigInt(dataset.minor);
    sums.set(dataset.currency, before);
  }
  const parts = [...sums].map(([code, sum]) => `${figure(sum.minor, sum.exponent)} ${code}`);
  output.textContent = chosen.length
    ? `${chosen.length} selected: ${parts.join(", ")} net`
    : "Select rows to assign or ignore them together.";
};

const setUpSelection = () => {
  lastBox = null;
  const all = document.getElementById("select-page");
  if (all) all.hidden = false;
  showSelected();
};

document.addEventListener("click", (event) => {
  const box = event.target;
  if (!(box instanceof HTMLInputElement) || box.type !== "checkbox" || !box.closest("#bulk")) return;
  if (box.id === "select-page") for (const one of boxes()) one.checked = box.checked;
  else if (box.name === "id") {
    const list = boxes();
    const [from, to] = [list.indexOf(lastBox), list.indexOf(box)].sort((a, b) => a - b);
    if (event.shiftKey && from >= 0) for (const one of list.slice(from, to + 1)) one.checked = box.checked;
    lastBox = box;
  }
  showSelected();
});
document.addEventListener("htmx:afterSettle", setUpSelection);
document.addEventListener("DOMContentLoaded", setUpSelection);
window.addEventListener("pageshow", showSelected); // a page gone back to keeps its ticks

// g then a letter: go there. j and k: the next and the row before. x: select it. /: search.
let waitsForPlace = false;

const isTyping = (target) =>
  target instanceof HTMLElement && target.closest("input, select, textarea, [contenteditable]");

const moveRow = (step) => {
  const links = [...document.querySelectorAll("table.rows tbody th a")];
  if (links.length === 0) return;
  const here = links.indexOf(document.activeElement);
  const next = here === -1 ? (step > 0 ? 0 : links.length - 1) : here + step;
  links[Math.min(Math.max(next, 0), links.length - 1)].focus();
};

document.addEventListener("keydown", (event) => {
  if (event.ctrlKey || event.metaKey || event.altKey || isTyping(event.target)) return;
  if (waitsForPlace) {
    waitsForPlace = false;
    const link = document.querySelector(`nav a[data-key="${CSS.escape(event.key)}"]`);
    if (link) {
      event.preventDefault();
      link.click();
      return;
    }
  }
  if (event.key === "g") waitsForPlace = true;
  else if (event.key === "j") moveRow(1);
  else if (event.key === "k") moveRow(-1);
  else if (event.key === "?") {
    const keys = document.getElementById("keys");
    if (keys) {
      keys.open = !keys.open;
      keys.scrollIntoView({ block: "end" });
    }
  } else if (event.key === "x") {
    const box = document.activeElement?.closest("tr")?.querySelector('input[name="id"]');
    if (box) box.click();
  } else if (event.key === "/") {
    const field = document.getElementById("search");
    if (field) {
      event.preventDefault();
      field.focus();
    }
  }
});
