// Keeps what is typed in this browser until it is saved, and says so at the top of the page.
//
// props.value comes from the server: { state: "ready" | "setup", saved, saved_at, first, title },
// `saved` being the screen's fields as they were last saved. Each page writes a draft of its own, so
// that two tabs do not overwrite each other; beside its text a draft keeps what it started from, so
// that restoring it overwrites nobody's work unseen. A draft goes away when it is saved or discarded;
// beyond the five newest, the oldest make room.

const PREFIX = "seedbed:draft:" + props.project + ":";
const RESUME = "seedbed:resume:" + props.project;
const KEPT = 5;
const WAIT = 300;
const ASK = 4000; // how often the server is asked whether it is still the same
const newKey = () => PREFIX + Date.now().toString(36) + Math.random().toString(36).slice(2, 8);
const own = newKey();

let saved = null; // JSON of the fields as last saved
let base = null; // the fields that the screen started from
let screen = null; // the fields as they are now
let savedAt = null;
let first = false; // nobody has saved anything yet
let timer = null;
let opened = false; // drafts of earlier visits were looked for
let offered = null; // the draft that is offered
let full = false;
let answering = null; // which process answers
let away = false; // none does
let back = false; // another one does, or this page was loaded anew because of that

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
function keep(key, draft) {
  try {
    localStorage.setItem(key, JSON.stringify({ time: Date.now(), ...draft }));
    return true;
  } catch (error) {
    console.warn("Seedbed: the draft cannot be kept", error.name);
    return false;
  }
}

function write() {
  clearTimeout(timer);
  timer = null;
  if (saved === null || screen === null) return;
  if (fields(screen) === saved) { drop(own); full = false; return; }
  full = !keep(own, { values: screen, base });
}
const writeNow = () => { if (timer !== null) write(); };

function say() {
  const state = piece("state");
  const changed = saved !== null && screen !== null && fields(screen) !== saved;
  const [kind, text] = full ? ["bad", word("full")]
    : away ? ["bad", word("away")]
    : back && changed ? ["draft", word("back")]
    : changed ? ["draft", word("unsaved")]
    : savedAt ? ["", word("saved_at", { time: clock(savedAt) })]
    : saved === null ? ["", ""] : ["", first ? word("nothing_written") : word("all_saved")];
  state.dataset.kind = kind;
  // Said once, not again with every letter.
  if (state.textContent !== text) state.textContent = text;
}

function offer() {
  const draft = drafts().find((one) => fields(one.values) !== saved && fields(one.values) !== fields(screen));
  offered = draft ?? null;
  piece("offer").hidden = !draft;
  if (draft) piece("offer-text").textContent = word(draft.aside ? "aside" : "found", { time: clock(draft.time) });
}

function restore(draft) {
  // What stands here is kept as well, unless it is nothing new.
  const mine = screen !== null && fields(screen) !== saved && fields(screen) !== fields(draft.values);
  if (mine && !keep(newKey(), { values: screen, base, aside: true })) { full = true; say(); return; }
  tell("restored");
  screen = draft.values;
  base = draft.base ?? base;
  write(); // under this page's own key; only then may the old one go
  if (!full) drop(draft.key);
  trigger("submit", { draft: draft.values, base: draft.base ?? null });
  offer();
  say();
}

document.addEventListener("seedbed:screen", (event) => {
  screen = event.detail;
  for (const [field, value] of unheard) if (fields(value) === fields(screen[props.fields.indexOf(field)])) unheard.delete(field);
  clearTimeout(timer);
  timer = setTimeout(() => { write(); say(); trigger("input"); ask(); }, WAIT);
});
// What was typed and did not come by Gradio's events, which stop when a request of theirs breaks off.
const LATE = 500;
const unheard = new Map();
let listening = null;
function typed(field, value) {
  if (screen === null) return;
  unheard.set(field, value);
  clearTimeout(listening);
  listening = setTimeout(() => {
    if (unheard.size) tell("screen", screen.map((old, i) => unheard.get(props.fields[i]) ?? old));
  }, LATE);
}
document.addEventListener("seedbed:typed", ({ detail }) => typed(detail.field, detail.value));
document.addEventListener("input", ({ target }) => {
  const field = target.closest?.("[id^=field-]")?.id.slice("field-".length);
  // The list of languages is no text that is kept as it is typed.
  if (props.fields.includes(field) && field !== "language" && target.matches("textarea, input[type=text]") && !target.closest(".sb-part")) typed(field, target.value);
});
window.addEventListener("pagehide", () => {
  if (unheard.size) { screen = screen.map((old, i) => unheard.get(props.fields[i]) ?? old); write(); }
  writeNow();
  // Gradio loads the page anew when a lost server is back: then all of it comes back by itself.
  if ((away || back) && screen !== null && fields(screen) !== saved) sessionStorage.setItem(RESUME, own);
});
document.addEventListener("visibilitychange", () => { if (document.hidden) writeNow(); else ask(); });

piece("restore").addEventListener("click", () => { if (offered) restore(offered); });
piece("discard").addEventListener("click", () => { if (offered) drop(offered.key); offer(); });

document.addEventListener("click", (event) => { if (event.target.closest?.("[data-reload]")) location.reload(); });

// Whether the server is there, and still the same: one that restarted has forgotten this page.
let asking = false;
async function ask() {
  if (asking || document.hidden || saved === null) return;
  asking = true;
  try {
    const { root = "", api_prefix = "/gradio_api" } = window.gradio_config ?? {};
    const answer = await fetch(root + api_prefix + "/app_id", { cache: "no-store", signal: AbortSignal.timeout(ASK) });
    if (!answer.ok) throw new Error(answer.status);
    const { app_id } = await answer.json();
    if (answering !== null && app_id !== answering) {
      back = true;
      // Gradio has given up on its server and would load the page anew in a moment.
      if (away) { location.reload(); return; }
      trigger("select", { base });
      trigger("input");
    }
    answering = app_id;
    away = false;
  } catch (error) {
    away = true;
    console.info("Seedbed: the server is away", String(error));
  } finally {
    asking = false;
  }
  document.body.toggleAttribute("data-seedbed-away", away);
  say();
}
setInterval(ask, ASK);
window.addEventListener("online", ask);
window.addEventListener("offline", ask);

function open(value) {
  opened = true;
  drafts().slice(KEPT).forEach((draft) => drop(draft.key));
  drafts().filter((draft) => fields(draft.values) === saved).forEach((draft) => drop(draft.key));
  screen ??= value.saved;
  tell("opened", value.saved);
  const resumed = drafts().find((draft) => draft.key === sessionStorage.getItem(RESUME));
  sessionStorage.removeItem(RESUME);
  if (resumed) { back = true; restore(resumed); } else offer();
  ask();
}

function fromServer() {
  const value = plain(props.value);
  if (!value) return;
  document.documentElement.lang = LANGUAGE in WORDS.page ? LOCALE : "en";
  document.body.dataset.seedbed = value.state;
  document.title = (value.title ? value.title + " · " : "") + word("page") + " · Seedbed";
  piece("project").textContent = props.project;
  savedAt = value.saved_at ?? savedAt;
  first = value.first;
  saved = value.saved ? fields(value.saved) : null;
  if (value.saved) { base = value.saved; back = false; }
  if (saved !== null && !opened) open(value);
  write();
  say();
}
watch("value", fromServer);
fromServer();
