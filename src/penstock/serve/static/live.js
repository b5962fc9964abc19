// Replaces what is new on an open page, and keeps ages true. Pages are whole without it.
"use strict";

const live = document.getElementById("live");
const connection = document.getElementById("connection");

function age(seconds) {
  if (seconds < 120) return `${Math.max(0, Math.round(seconds))} s ago`;
  if (seconds < 3600) return `${Math.round(seconds / 60)} min ago`;
  const minutes = Math.round(seconds / 60);
  if (minutes < 2880) return `${Math.floor(minutes / 60)} h ${String(minutes % 60).padStart(2, "0")} ago`;
  return `${Math.floor(minutes / 1440)} d ${Math.floor((minutes % 1440) / 60)} h ago`;
}

function refreshAges() {
  for (const time of document.querySelectorAll("time[data-ago]"))
    time.textContent = age((Date.now() - Date.parse(time.dateTime)) / 1000);
}

// The element that has the focus, by what it is and which of those, so that it has it again on the new page.
function nameOf(element) {
  if (!element || !live.contains(element)) return null;
  const kind = ["id", "href", "aria-label", "aria-labelledby"].find((name) => element.hasAttribute(name));
  const selector = element.localName + (kind ? `[${kind}="${CSS.escape(element.getAttribute(kind))}"]` : "");
  return [selector, [...live.querySelectorAll(selector)].indexOf(element)];
}

// Whether somebody types, chooses, marks a text or presses something: a new page would take it away under their hands.
let pressed = false;

function isChanged(field) {
  if (!field.matches("select")) return field.value !== field.defaultValue || field.checked !== field.defaultChecked;
  const given = [...field.options].findIndex((option) => option.defaultSelected);
  return field.selectedIndex !== Math.max(given, 0);
}

function isBusy() {
  const marked = document.getSelection();
  return (
    pressed ||
    document.activeElement?.matches("#live select") ||
    (!marked.isCollapsed && live.contains(marked.anchorNode)) ||
    [...live.querySelectorAll("input:not([type=hidden]), textarea, select")].some(isChanged)
  );
}

let waiting = null;

function show(html) {
  waiting = html;
  showIfIdle();
}

function showIfIdle() {
  if (waiting === null) return;
  const busy = isBusy();
  document.body.classList.toggle("waits", busy);
  if (busy) return;
  const html = waiting;
  waiting = null;
  const focused = nameOf(document.activeElement);
  const scrolled = [...live.querySelectorAll(".wide, .log, .names, .pages")].map((e) => [e.scrollLeft, e.scrollTop]);
  live.replaceChildren(...new DOMParser().parseFromString(html, "text/html").body.childNodes);
  live.querySelectorAll(".wide, .log, .names, .pages").forEach((element, n) => {
    if (scrolled[n]) [element.scrollLeft, element.scrollTop] = scrolled[n];
  });
  if (focused) live.querySelectorAll(focused[0])[focused[1]]?.focus({ preventScroll: true });
  refreshAges();
}

function release() {
  pressed = false;
  setTimeout(showIfIdle, 0); // after the click that follows
}

document.addEventListener("pointerdown", (event) => (pressed = event.target.closest("#live a, #live button, #live label") !== null));
for (const kind of ["pointerup", "pointercancel"]) document.addEventListener(kind, release);
for (const kind of ["focusout", "input", "reset", "selectionchange"])
  document.addEventListener(kind, () => setTimeout(showIfIdle, 0));
if (document.querySelector("time[data-ago]")) refreshAges();
setInterval(refreshAges, 5000);

// A browser opens six connections to a server, and a stream keeps one of them: four of the pages that are seen have one,
// others ask now and then, and what nobody sees has none.
const STREAMS = 4;
const ASK_S = 5;
const SILENT_S = 60; // the server says every 20 s that it is there

function connected(how) {
  connection.textContent = how;
  connection.className = "";
}

function lost() {
  if (connection.className === "lost") return;
  connection.textContent = `no connection since ${new Date().toISOString().slice(11, 19)} UTC`;
  connection.className = "lost";
}

function listen() {
  let source, heard;
  const hear = () => (heard = Date.now());
  const open = () => {
    hear();
    source?.close();
    source = new EventSource(live.dataset.events);
    source.addEventListener("page", (event) => show(JSON.parse(event.data)));
    source.addEventListener("open", () => connected("live"));
    source.addEventListener("error", lost);
    for (const kind of ["open", "page", "here", "error"]) source.addEventListener(kind, hear);
  };
  // Browsers try again where nobody answers; not where a proxy does for a server that starts anew, nor where a tunnel hangs.
  const timer = setInterval(() => {
    const silent = Date.now() - heard > 1000 * SILENT_S;
    if (silent) lost();
    if (silent || source.readyState === EventSource.CLOSED) open();
  }, 1000 * ASK_S);
  open();
  return () => {
    clearInterval(timer);
    source.close();
  };
}

function ask() {
  let before = "";
  const timer = setInterval(async () => {
    try {
      const page = new DOMParser().parseFromString(await (await fetch(location.href)).text(), "text/html");
      const html = page.getElementById("live").innerHTML;
      if (html !== before) show((before = html));
      connected(`live, every ${ASK_S} s`);
    } catch {
      lost();
    }
  }, 1000 * ASK_S);
  connected(`live, every ${ASK_S} s`);
  return () => clearInterval(timer);
}

// Takes one of the streams, and resolves to what gives it back; to nothing if another page has it.
function take(stream) {
  return new Promise((taken) => {
    const keep = (lock) => (lock ? new Promise(taken) : taken(null));
    navigator.locks.request(`penstock stream ${stream}`, { ifAvailable: true }, keep);
  });
}

async function follow() {
  if (!navigator.locks) return listen(); // browsers have them where a connection is safe
  for (let stream = 0; stream < STREAMS; stream++) {
    const giveBack = await take(stream);
    if (giveBack) {
      const close = listen();
      return () => {
        close();
        giveBack();
      };
    }
  }
  return ask();
}

let following = null;

function followWhileSeen() {
  if (document.visibilityState === "visible") {
    following ??= follow();
  } else {
    following?.then((end) => end());
    following = null;
  }
}

if (live.dataset.events) {
  document.addEventListener("visibilitychange", followWhileSeen);
  followWhileSeen();
}
