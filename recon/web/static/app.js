// What the pages do quicker with JavaScript; none of them needs it.
"use strict";

// A filter that is not set does not stand in the address. Return in a field that was changed says the
// same twice at once, as a change and as the form: it is asked for once. The button pressed later asks
// again, since the answer may have been lost.
const SAME_KEY_MS = 100;
let lastChange = { wanted: null, at: 0 };

document.addEventListener("htmx:configRequest", (event) => {
  event.detail.headers.Accept = "text/html"; // a refusal as people read it
  const { formData, triggeringEvent } = event.detail;
  for (const [name, value] of [...formData.entries()]) {
    if (value === "") formData.delete(name);
  }
  const wanted = new URLSearchParams([...formData.entries()]).toString();
  const at = triggeringEvent?.timeStamp ?? 0;
  if (triggeringEvent?.type === "change") lastChange = { wanted, at };
  else if (triggeringEvent?.type === "submit" && wanted === lastChange.wanted) {
    if (at - lastChange.at < SAME_KEY_MS) event.preventDefault();
  }
});

const parsed = (text) => new DOMParser().parseFromString(text, "text/html");

const partsOf = (page) => {
  const said = (id) => page.getElementById(id)?.textContent ?? "";
  const heading = page.querySelector("h1")?.textContent ?? "That did not work";
  return { why: said("said") || `${heading}.`, next: said("next-step") };
};

// A line that says why something is not so, and what to do; who is signed out may sign in beside it, and
// whoever looks at a page that is of before has a link to how it stands.
const noticeOf = (why, next, { signsIn = false, isOld = false } = {}) => {
  const notice = document.createElement("p");
  notice.className = "notice bad";
  notice.setAttribute("role", "alert");
  const strong = document.createElement("strong");
  strong.textContent = why;
  notice.append(strong, ` ${next}`);
  if (signsIn) {
    const link = document.createElement("a");
    link.href = "/sign-in";
    link.target = "_blank";
    link.rel = "noopener";
    link.textContent = "Sign in in another tab";
    notice.append(" ", link);
  }
  if (isOld) {
    const link = document.createElement("a");
    link.href = window.location.pathname + window.location.search;
    link.textContent = "Load this page again";
    notice.append(" ", link);
  }
  return notice;
};

// A part of the page that is asked for is busy until its answer is there. Where none comes, a line above
// says so, and of when is what still stands there; it goes with the next answer.
let heardAt = new Date();

const sayLost = (target, why, next, how) => {
  if (document.getElementById("lost")) return;
  const notice = noticeOf(why, next, how);
  notice.id = "lost";
  target.before(notice);
};

document.addEventListener("htmx:beforeRequest", (event) => {
  event.detail.target.setAttribute("aria-busy", "true");
});

document.addEventListener("htmx:afterRequest", (event) => {
  const { target, successful } = event.detail;
  target.removeAttribute("aria-busy");
  if (!successful) return;
  heardAt = new Date();
  document.getElementById("lost")?.remove();
});

for (const kind of ["htmx:responseError", "htmx:sendError", "htmx:timeout"]) {
  document.addEventListener(kind, (event) => {
    const { target, xhr } = event.detail;
    if (xhr.status === 401) return; // it leads the whole page to the sign-in
    const since = `What stands here is of ${heardAt.toISOString().slice(11, 19)} UTC.`;
    const isPolled = target.getAttribute("hx-trigger")?.startsWith("every");
    const again = isPolled ? "It is asked for again by itself." : "Choose again, or load the page anew.";
    const { why } = xhr.status ? partsOf(parsed(xhr.responseText)) : { why: "There is no answer." };
    sayLost(target, why, `${since} ${again}`);
  });
}

// Nobody is led to the sign-in away from what they have typed.
const hasTyped = () =>
  [...document.querySelectorAll("form[data-stay] textarea, form[data-stay] input:not([type])")].some(
    (field) => field.value !== field.defaultValue,
  );

document.addEventListener("htmx:beforeOnLoad", (event) => {
  const { xhr, target } = event.detail;
  if (xhr.status !== 401 || !hasTyped()) return;
  event.preventDefault();
  sayLost(target, "You are signed out.", "Nothing that you typed is lost.", { signsIn: true });
});

// Who does not see the rows change is told.
document.addEventListener("htmx:afterSettle", (event) => {
  const spoken = document.getElementById("spoken");
  if (!spoken || event.detail.target.id !== "results") return;
  const results = document.getElementById("results");
  const rows = results.querySelectorAll("table.rows tbody tr").length;
  spoken.textContent = results.querySelector(".empty-title")?.textContent ?? `${rows} rows`;
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
  const everything = document.querySelector('#bulk input[name="all"]:checked');
  if (everything) output.textContent = "All that match, on this page or not; their totals stand above.";
  else output.textContent = chosen.length
    ? `${chosen.length} selected: ${parts.join(", ")} net`
    : "Select rows to assign or ignore them together.";
};

const setUpSelection = () => {
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

// What is refused says why where it was asked for, with all that was typed still there.
const clearRefused = () => {
  for (const said of document.querySelectorAll(".refused")) said.remove();
};

// A button in a line of its own says so beside that line; a form, on top of its fields.
const sayRefused = (form, button, ...told) => {
  const said = noticeOf(...told);
  said.classList.add("refused");
  const line = form.matches(".inline") && form.closest(".scroll, .title, header");
  if (line) line.after(said);
  else (button?.closest('[role="group"]') ?? form).prepend(said);
  said.scrollIntoView({ block: "nearest" });
};

const goTo = (place) => {
  const to = new URL(place, window.location.href);
  const isHere = to.pathname === window.location.pathname && to.search === window.location.search;
  if (!isHere) return window.location.assign(to);
  window.history.replaceState(null, "", to); // another part of this page would not be loaded anew
  return window.location.reload();
};

// An answer that is shown once, such as a key: to load the page again does not ask for it again.
const show = (page) => {
  const answer = document.adoptNode(page.getElementById("main"));
  document.getElementById("main").replaceWith(answer);
  document.title = page.title;
  htmx.process(answer);
  setUpSelection();
  window.scrollTo(0, 0);
  answer.focus();
};

// A form is sent once, however often its button is pressed.
document.addEventListener("submit", async (event) => {
  const form = event.target;
  if (!form.matches("form[data-stay]")) return;
  event.preventDefault();
  if (form.dataset.sending) return;
  form.dataset.sending = "yes";
  clearRefused();
  const button = event.submitter;
  form.setAttribute("aria-busy", "true");
  button?.setAttribute("aria-disabled", "true"); // not disabled: it would lose the focus
  try {
    const answer = await fetch(button?.getAttribute("formaction") ?? form.getAttribute("action"), {
      method: "POST",
      body: new URLSearchParams(new FormData(form, button)),
      headers: { Accept: "text/html", "X-Stay": "yes" },
      signal: AbortSignal.timeout(30_000),
    });
    const place = answer.headers.get("X-Leads-To");
    if (place) return goTo(place);
    const page = parsed(await answer.text());
    if (answer.ok && page.getElementById("main")) return show(page);
    const { why, next } = partsOf(page);
    const token = answer.headers.get("X-CSRF-Token"); // of whoever is signed in by now
    for (const field of token ? document.querySelectorAll('input[name="csrf"]') : []) field.value = token;
    const again = "Sign in beside this page, then send it again: nothing that you typed is lost.";
    if (answer.status === 401) sayRefused(form, button, why, again, { signsIn: true });
    else {
      const isOld = answer.status === 409;
      sayRefused(form, button, why, token ? "Send it once more to do it by that name." : next, { isOld });
    }
  } catch {
    sayRefused(form, button, "It did not get through.", "Nothing that you typed is lost: send it again.");
  }
  form.removeAttribute("aria-busy");
  button?.removeAttribute("aria-disabled");
  delete form.dataset.sending;
});

// A menu closes where anything else is chosen, and by Escape, which leads back to its button.
const openMenu = () => document.querySelector("details.menu[open]");

document.addEventListener("click", (event) => {
  for (const menu of document.querySelectorAll("details.menu[open]"))
    if (!menu.contains(event.target)) menu.open = false;
});

// g then a letter: go there. j and k: the next and the row before. x: select it. /: search.
let waitsForPlace = false;

// A box to tick takes no letters, so that the keys go on working after it was clicked.
const isTyping = (target) =>
  target instanceof HTMLElement &&
  target.closest('input:not([type="checkbox"]), select, textarea, [contenteditable]');

const moveRow = (step) => {
  const links = [...document.querySelectorAll("table.rows tbody th a")];
  if (links.length === 0) return;
  const here = links.findIndex((link) => link.closest("tr").contains(document.activeElement));
  const next = here === -1 ? (step > 0 ? 0 : links.length - 1) : here + step;
  links[Math.min(Math.max(next, 0), links.length - 1)].focus();
};

// The list of keys opens where it stands; closing it leads back to where one was.
let before = null;

const showKeys = (keys, open) => {
  keys.open = open;
  if (open) {
    before = document.activeElement;
    keys.scrollIntoView({ block: "end" });
    keys.querySelector("summary").focus({ preventScroll: true });
  } else before?.focus();
};

document.addEventListener("keydown", (event) => {
  if (event.ctrlKey || event.metaKey || event.altKey || event.isComposing) return;
  const search = document.getElementById("search");
  const keys = document.getElementById("keys");
  if (event.key === "Escape") {
    waitsForPlace = false;
    const menu = openMenu();
    if (menu) {
      menu.open = false;
      menu.querySelector("summary").focus();
    } else if (event.target === search) search.blur();
    else if (keys?.open) showKeys(keys, false);
    return;
  }
  if (isTyping(event.target)) return;
  if (waitsForPlace) {
    if (event.key === "Shift") return;
    waitsForPlace = false;
    const link = document.querySelector(`nav a[data-key="${CSS.escape(event.key)}"]`);
    if (link) link.click();
    return;
  }
  if (event.key === "g") waitsForPlace = true;
  else if (event.key === "j") moveRow(1);
  else if (event.key === "k") moveRow(-1);
  else if (event.key === "?" && keys) showKeys(keys, !keys.open);
  else if (event.key === "x" && !event.repeat) {
    document.activeElement?.closest("tr")?.querySelector('input[name="id"]')?.click();
  } else if (event.key === "/" && search) {
    event.preventDefault();
    search.focus();
  }
});
