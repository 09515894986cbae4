// Keeps what is typed in this browser until it is saved, and says so at the top of the page.
//
// props.value comes from the server: { state: "ready" | "setup", saved, saved_at, first, title }, `saved`
// being the screen's fields as they were last saved. Each page writes a draft of its own, so that two tabs do
// not overwrite each other. A draft goes away when it is saved or discarded; beyond the five newest,
// the oldest make room.

const PREFIX = "seedbed:draft:" + props.project + ":";
const KEPT = 5;
const WAIT = 300;
const own = PREFIX + Date.now().toString(36) + Math.random().toString(36).slice(2, 8);

let saved = null; // JSON of the fields as last saved
let screen = null; // the fields as they are now
let savedAt = null;
let first = false; // nobody has saved anything yet
let timer = null;
let opened = false; // drafts of earlier visits were looked for
let offered = null; // key of the draft that is offered
let full = false;

const fields = (values) => JSON.stringify(values);
const clock = (time) => {
  const date = new Date(time);
  const today = date.toDateString() === new Date().toDateString();
  const shape = today ? { hour: "2-digit", minute: "2-digit" } : { day: "numeric", month: "short", hour: "2-digit", minute: "2-digit" };
  return date.toLocaleString(LOCALE, shape);
};

function drafts() {
  const found = [];
  try {
    for (let i = 0; i < localStorage.length; i++) {
      const key = localStorage.key(i);
      if (key.startsWith(PREFIX) && key !== own) found.push({ key, ...JSON.parse(localStorage.getItem(key)) });
    }
  } catch (error) { console.warn("Seedbed: no drafts can be read here", error); }
  return found.filter((draft) => draft.values && draft.time).sort((a, b) => b.time - a.time);
}
function drop(key) {
  try { localStorage.removeItem(key); } catch (error) { console.warn("Seedbed: a draft cannot be removed", error); }
}

function write() {
  clearTimeout(timer);
  timer = null;
  if (saved === null || screen === null) return;
  if (fields(screen) === saved) { drop(own); full = false; return; }
  try {
    localStorage.setItem(own, JSON.stringify({ time: Date.now(), values: screen }));
    full = false;
  } catch (error) {
    full = true;
    console.warn("Seedbed: the draft cannot be kept", error.name);
  }
}
const writeNow = () => { if (timer !== null) write(); };

function say() {
  const state = piece("state");
  const changed = saved !== null && screen !== null && fields(screen) !== saved;
  state.dataset.kind = full ? "bad" : changed ? "draft" : "";
  state.textContent = full ? word("full")
    : changed ? word("unsaved")
    : savedAt ? word("saved_at", { time: clock(savedAt) })
    : saved === null ? "" : first ? word("nothing_written") : word("all_saved");
}

function offer() {
  const draft = drafts().find((one) => fields(one.values) !== saved);
  offered = draft?.key ?? null;
  piece("offer").hidden = !draft;
  if (draft) piece("offer-text").textContent = word("found", { time: clock(draft.time) });
}

document.addEventListener("seedbed:screen", (event) => {
  screen = event.detail;
  clearTimeout(timer);
  timer = setTimeout(() => { write(); say(); trigger("input"); }, WAIT);
});
window.addEventListener("pagehide", writeNow);
document.addEventListener("visibilitychange", () => { if (document.hidden) writeNow(); });

piece("restore").addEventListener("click", () => {
  const draft = drafts().find((one) => one.key === offered);
  if (draft) {
    screen = draft.values;
    write(); // under this page's own key; only then may the old one go
    if (!full) drop(draft.key);
    trigger("submit", { draft: draft.values });
  }
  offer();
});
piece("discard").addEventListener("click", () => { if (offered) drop(offered); offer(); });

document.addEventListener("click", (event) => { if (event.target.closest?.("[data-reload]")) location.reload(); });

function fromServer() {
  const value = plain(props.value);
  if (!value) return;
  document.body.dataset.seedbed = value.state;
  document.title = (value.title ? value.title + " · " : "") + word("page") + " · Seedbed";
  piece("project").textContent = props.project;
  savedAt = value.saved_at ?? savedAt;
  first = value.first;
  saved = value.saved ? fields(value.saved) : null;
  if (saved !== null && !opened) {
    opened = true;
    drafts().slice(KEPT).forEach((draft) => drop(draft.key));
    drafts().filter((draft) => fields(draft.values) === saved).forEach((draft) => drop(draft.key));
    screen ??= value.saved;
    offer();
  }
  write();
  say();
}
watch("value", fromServer);
fromServer();
