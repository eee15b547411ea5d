// Keeps the page up to date. The server sends finished HTML; this puts it in place, keeps the clocks going, and says when
// what is shown is old. Without it the page reloads itself.
"use strict";

const quiet = 4000; // milliseconds without a beat after which the page is called stale
const patience = 2000; // milliseconds before a refused stream is asked for again

let stream = null;
let heard = 0; // when the last event came, by this browser's monotonic clock
let ahead = 0; // milliseconds by which the server's clock is ahead of this one
let retry = 0;

// update makes one element like another, and leaves alone what a person is about: open details, chosen options, focus.
function update(now, next) {
  for (const { name, value } of next.attributes) {
    if (now.getAttribute(name) !== value) now.setAttribute(name, value);
  }
  for (const { name } of [...now.attributes]) {
    if (!next.hasAttribute(name) && name !== "open") now.removeAttribute(name);
  }
  updateChildren(now, next);
}

// Children with an id are found by it, wherever they are; the others by their place.
function updateChildren(now, next) {
  const wanted = new Set([...next.children].map((c) => c.id));
  for (const c of [...now.children]) {
    if (c.id && !wanted.has(c.id)) c.remove();
  }
  const byId = new Map([...now.children].filter((c) => c.id).map((c) => [c.id, c]));
  let at = now.firstChild;
  for (const child of [...next.childNodes]) {
    const named = child.id ? byId.get(child.id) : undefined;
    const old = named ?? (at && !at.id && at.nodeName === child.nodeName && !child.id ? at : null);
    if (!old) {
      now.insertBefore(child, at);
      continue;
    }
    if (old === at) at = at.nextSibling;
    else now.insertBefore(old, at);
    if (old.nodeType === Node.ELEMENT_NODE) update(old, child);
    else if (old.data !== child.data) old.data = child.data;
  }
  while (at) {
    const gone = at;
    at = at.nextSibling;
    gone.remove();
  }
}

function show(name, html) {
  const next = document.createElement("section");
  next.innerHTML = html; // the server made it, and escaped all that is not its own
  updateChildren(document.getElementById(name), next);
  clocks();
  const title = document.querySelector("[data-title]");
  if (title && document.title !== title.dataset.title) document.title = title.dataset.title;
}

function length(ms) {
  const s = Math.max(0, Math.floor(ms / 1000));
  if (s < 60) return s + " s";
  if (s < 3600) return Math.floor(s / 60) + " min";
  if (s < 172800) return Math.floor(s / 3600) + " h";
  return Math.floor(s / 86400) + " d";
}

// clocks writes times as what has passed since; the time itself is in the title.
function clocks() {
  const now = Date.now() + ahead;
  for (const t of document.querySelectorAll("time[data-rel]")) {
    const past = length(now - Date.parse(t.dateTime));
    const text = t.dataset.rel === "for" ? "for " + past : past + " ago";
    if (t.textContent !== text) t.textContent = text;
  }
}

// link says how the page is connected, and what to do if it is not.
function link() {
  const silent = performance.now() - heard;
  const lost = !stream || stream.readyState !== EventSource.OPEN;
  const state = lost ? "lost" : silent > quiet ? "stale" : "live";
  const words = { live: "live", stale: "silent", lost: "disconnected" }[state];
  const pill = document.getElementById("link");
  if (pill.dataset.state !== state) {
    pill.dataset.state = state;
    document.getElementById("link-words").textContent = words;
  }
  const gone = document.getElementById("gone");
  gone.hidden = state === "live" || silent < quiet;
  if (gone.hidden || gone.dataset.state === state) {
    if (gone.hidden) delete gone.dataset.state;
    else gone.querySelector("b").textContent = length(silent);
    return;
  }
  gone.dataset.state = state;
  const age = document.createElement("b");
  age.ariaHidden = "true"; // it changes every second; nobody wants to hear that
  age.textContent = length(silent);
  gone.replaceChildren("What you see is ", age, " old: this coordinator ",
    lost ? "cannot be reached. Trying again. " : "has stopped sending. ", ...others());
}

// others are links to the pages of other processes.
function others() {
  const links = [...document.querySelectorAll("a.page")]
    .filter((a) => new URL(a.href).host !== location.host && !a.closest("tr").querySelector(".self"))
    .map((a) => {
      const other = document.createElement("a");
      other.href = a.href;
      other.textContent = a.getAttribute("aria-label").replace("page of ", "");
      return other;
    });
  return links.length ? ["Others: ", ...links.flatMap((a) => [a, " "])] : [];
}

function connect() {
  clearTimeout(retry);
  stream?.close();
  stream = new EventSource("events");
  for (const name of ["verdict", "roles", "history", "etcd"]) {
    stream.addEventListener(name, (event) => {
      heard = performance.now();
      show(name, event.data);
    });
  }
  stream.addEventListener("beat", (event) => {
    heard = performance.now();
    ahead = Date.parse(event.data) - Date.now();
    link();
  });
  stream.addEventListener("error", () => {
    link();
    if (stream?.readyState === EventSource.CLOSED) { // refused: the browser does not try again by itself
      clearTimeout(retry);
      retry = setTimeout(connect, patience);
    }
  });
}

function disconnect() {
  clearTimeout(retry);
  stream?.close();
  stream = null;
}

// A page that nobody sees asks for nothing.
document.addEventListener("visibilitychange", () => {
  if (document.hidden) disconnect();
  else {
    heard = performance.now();
    connect();
  }
});

heard = performance.now();
clocks();
requestAnimationFrame(() => setTimeout(() => stream ?? connect())); // the page as it came is painted first
setInterval(() => {
  clocks();
  if (!document.hidden && document.getElementById("link").dataset.state !== "none") link();
}, 1000);
