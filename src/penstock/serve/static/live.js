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

function typing() {
  const at = document.activeElement;
  return at && live.contains(at) && at.matches("input, select, textarea");
}

let waiting = null;

function show(html) {
  if (typing()) {
    waiting = html;
    return;
  }
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

live.addEventListener("focusout", () => setTimeout(() => waiting !== null && show(waiting), 0));
if (document.querySelector("time[data-ago]")) refreshAges();
setInterval(refreshAges, 5000);

// A browser opens six connections to a server, and a stream keeps one of them: four of the pages that are seen have one,
// others ask now and then, and what nobody sees has none.
const STREAMS = 4;
const ASK_S = 5;

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
  let source, timer;
  const open = () => {
    source = new EventSource(live.dataset.events);
    source.addEventListener("page", (event) => show(JSON.parse(event.data)));
    source.addEventListener("open", () => connected("live"));
    source.addEventListener("error", () => {
      lost();
      // A browser tries again where nobody answers, but not where a proxy does for a server that starts anew.
      if (source.readyState === EventSource.CLOSED) timer = setTimeout(open, 1000 * ASK_S);
    });
  };
  open();
  return () => {
    clearTimeout(timer);
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
