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

// A form that is refused says why where it stands, with all that was typed still in it. It is sent
// once, however often its button is pressed.
const sayRefused = (form, why, next) => {
  const notice = document.createElement("p");
  notice.className = "notice bad refused";
  notice.setAttribute("role", "alert");
  const strong = document.createElement("strong");
  strong.textContent = why;
  notice.append(strong, ` ${next}`);
  form.prepend(notice);
};

const goTo = (place) => {
  const to = new URL(place, window.location.href);
  const isHere = to.pathname === window.location.pathname && to.search === window.location.search;
  if (!isHere) return window.location.assign(to);
  window.history.replaceState(null, "", to); // another part of this page would not be loaded anew
  return window.location.reload();
};

document.addEventListener("submit", async (event) => {
  const form = event.target;
  if (!form.matches("form[data-stay]")) return;
  event.preventDefault();
  if (form.dataset.sending) return;
  form.dataset.sending = "yes";
  form.querySelector(".refused")?.remove();
  const button = event.submitter;
  try {
    const answer = await fetch(button?.getAttribute("formaction") ?? form.getAttribute("action"), {
      method: "POST",
      body: new URLSearchParams(new FormData(form, button)),
      headers: { Accept: "text/html", "X-Stay": "yes" },
    });
    const place = answer.headers.get("X-Leads-To");
    if (place) return goTo(place);
    const page = new DOMParser().parseFromString(await answer.text(), "text/html");
    const said = (id) => page.getElementById(id)?.textContent ?? "";
    sayRefused(form, said("said") || page.title, said("next-step"));
  } catch {
    sayRefused(form, "It did not get through.", "Nothing that you typed is lost: send it again.");
  }
  delete form.dataset.sending;
});

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
