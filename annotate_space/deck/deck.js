// The annotation card. The next questions are already in this browser, so an answer shows the next
// one at once; answers travel behind. Each stays in localStorage until the server says that it is
// in the dataset.
//
// Gradio runs this file with `element` (our root) and `server` (hello, more, submit, check).

const AHEAD = 12;
const REFILL = 6;
const UNDO_DEPTH = 10;
const GROUP = 100;

const TASKS = {
  thumbs: {
    name: "One answer",
    votes: [
      { id: "down", text: "Not good", keys: ["ArrowDown", "x"], shown: "↓", answer: () => ({ label: false }) },
      { id: "skip", text: "Skip", keys: [" "], shown: "Space", skip: true },
      { id: "up", text: "Good", keys: ["ArrowUp", "a"], shown: "↑", answer: () => ({ label: true }) },
    ],
    subject: (item) => ({ completion_id: item.answers[0].completion_id }),
  },
  pairwise: {
    name: "Two answers",
    votes: [
      { id: "left", text: "A is better", keys: ["ArrowLeft", "1"], shown: "←", answer: () => ({ preference: "left" }) },
      { id: "right", text: "B is better", keys: ["ArrowRight", "2"], shown: "→", answer: () => ({ preference: "right" }) },
      { id: "tie", text: "Tie", keys: ["t"], shown: "T", answer: () => ({ preference: "tie" }) },
      { id: "both_bad", text: "Both bad", keys: ["b"], shown: "B", answer: () => ({ preference: "both_bad" }) },
      { id: "skip", text: "Skip", keys: [" "], shown: "Space", skip: true },
    ],
    subject: (item) => ({ left_id: item.answers[0].completion_id, right_id: item.answers[1].completion_id }),
  },
};
const COMMON_KEYS = { undo: ["Backspace", "u"], guidelines: ["g"], keys: ["?"] };

const part = (name) => element.querySelector(`[data-part="${name}"]`);
const show = (name, on) => { part(name).hidden = !on; };
const clock = (iso) => new Date(iso).toLocaleTimeString([], { hour: "2-digit", minute: "2-digit" });
const newId = () => (crypto.randomUUID ? crypto.randomUUID()
  : Array.from(crypto.getRandomValues(new Uint8Array(16)), (b) => b.toString(16).padStart(2, "0")).join(""));

// ---- what this browser keeps ------------------------------------------------------------------

const memory = new Map(); // stands in where the browser refuses storage, until the page closes
let storageWorks = true;
function keep(key, value) {
  memory.set(key, value);
  try { localStorage.setItem(key, value); } catch (error) { storageWorks = false; console.warn("Seedbed: this browser keeps nothing", error); }
}
function recall(key) {
  try { return localStorage.getItem(key) ?? memory.get(key) ?? null; } catch { return memory.get(key) ?? null; }
}
function forget(key) {
  memory.delete(key);
  try { localStorage.removeItem(key); } catch (error) { console.warn("Seedbed: storage refused", error); }
}
function keptKeys(prefix) {
  const keys = new Set([...memory.keys()]);
  try { for (let i = 0; i < localStorage.length; i++) keys.add(localStorage.key(i)); } catch { storageWorks = false; }
  return [...keys].filter((key) => key.startsWith(prefix));
}

// ---- state ------------------------------------------------------------------------------------

let session = null; // what the server said in hello
let task = null;
let decks = {}; // task -> { items, dry }
let current = null; // { item, shownAt, hiddenMs }
let history = []; // [{ event, item }], the newest last
let progress = {}; // task -> { done, total }, counting answers still on their way
let paces = []; // milliseconds for each of the last answers
let away = null; // why the server could not be reached, or null
let savedAt = null;
let trouble = null; // why the server cannot put answers into the dataset, or null
let sending = false;
let pollDelay = 1000;
let hiddenSince = null;

const storeKey = (kind) => `seedbed:${session?.project ?? ""}:${kind}`;
// One key an event: two tabs of the same person never overwrite each other.
const eventPrefix = () => storeKey(`event:${session.annotator}:`);
function outbox() {
  return keptKeys(eventPrefix())
    .map((key) => {
      try { return JSON.parse(recall(key)); } catch { console.warn("Seedbed: an entry is unreadable and left alone", key); return null; }
    })
    .filter(Boolean)
    .sort((a, b) => a.order - b.order);
}
const onServer = new Set(); // ids the server has in its journal, waiting to be in the dataset
let lastOrder = 0;
function enqueue(event, itemId) {
  lastOrder = Math.max(Date.now(), lastOrder + 1);
  keep(eventPrefix() + event.event_id, JSON.stringify({ order: lastOrder, itemId, event }));
}

// ---- talking to the server --------------------------------------------------------------------

async function ask(name, payload) {
  const reply = await server[name]({ ...payload, who: recall("seedbed:who") });
  if (reply.error) throw Object.assign(new Error(reply.error), { fromServer: true });
  return reply;
}

async function send() {
  if (sending || !session) return;
  sending = true;
  try {
    for (;;) {
      const group = outbox().filter((entry) => !onServer.has(entry.event.event_id)).slice(0, GROUP);
      if (!group.length) break;
      const reply = await ask("submit", { events: group.map((entry) => entry.event) });
      away = null;
      reply.received.forEach((id) => onServer.add(id));
      for (const [id, why] of Object.entries(reply.rejected)) {
        const refused = recall(eventPrefix() + id);
        if (refused) keep(storeKey("refused:" + id), refused);
        forget(eventPrefix() + id);
        notice(`An answer was not accepted: ${why}`);
      }
      settle(reply);
    }
  } catch (error) {
    away = error.fromServer ? error.message : "The server cannot be reached.";
  } finally {
    sending = false;
    paintMark();
    schedule();
  }
}

async function check() {
  const waiting = outbox().map((entry) => entry.event.event_id).filter((id) => onServer.has(id));
  if (!waiting.length) return;
  try {
    const reply = await ask("check", { event_ids: waiting.slice(0, 1000) });
    away = null;
    reply.forgotten.forEach((id) => onServer.delete(id)); // it lost its disk: send them again
    settle(reply);
    pollDelay = reply.saved.length ? 1000 : Math.min(pollDelay * 1.5, 10000);
  } catch (error) {
    away = error.fromServer ? error.message : "The server cannot be reached.";
    pollDelay = Math.min(pollDelay * 2, 30000);
  }
  paintMark();
}

function settle(reply) {
  reply.saved.forEach((id) => { onServer.delete(id); forget(eventPrefix() + id); });
  if (reply.saved_at) savedAt = reply.saved_at;
  trouble = reply.trouble;
}

let timer = null;
function schedule() {
  clearTimeout(timer);
  if (!element.isConnected || !outbox().length) return;
  timer = setTimeout(async () => { await check(); await send(); }, away ? Math.max(pollDelay, 2000) : pollDelay);
}

let refilling = {};
async function refill(name) {
  const all = decks;
  const deck = all[name];
  if (refilling[name]) return refilling[name];
  refilling[name] = (async () => {
    const inHand = new Set(deck.items.map((item) => item.id));
    if (current && current.item.task === name) inHand.add(current.item.id);
    const answered = outbox().map((entry) => entry.itemId);
    const sent = outbox().map((entry) => entry.event.event_id).slice(-1000);
    const exclude = [...inHand, ...answered].slice(-1000);
    const reply = await ask("more", { task: name, count: AHEAD, exclude, event_ids: sent });
    const waiting = new Set(outbox().map((entry) => entry.itemId));
    for (const item of reply.items) {
      const known = deck.items.some((other) => other.id === item.id) || current?.item.id === item.id;
      if (!known && !waiting.has(item.id)) deck.items.push(item);
    }
    deck.dry = reply.items.length === 0;
    if (decks !== all) return; // somebody else has begun here
    // What the server has not counted yet: it did not know it, or it came after the question.
    const counted = new Set(sent.filter((id) => !reply.forgotten.includes(id)));
    const uncounted = outbox().filter((entry) => entry.event.task === name && !counted.has(entry.event.event_id));
    const change = uncounted.reduce((sum, entry) => sum + (entry.event.status === "withdrawn" ? -1 : 1), 0);
    progress[name] = { done: reply.progress.done + change, total: reply.progress.total };
  })();
  try { await refilling[name]; } finally { if (decks === all) refilling[name] = null; }
}

// ---- the card ---------------------------------------------------------------------------------

function paint() {
  const busy = Boolean(current);
  show("message", false); show("hello", false);
  show("how-far", Boolean(progress[task]?.total));
  element.querySelector(".deck").dataset.task = task;
  show("card", busy); show("actions", busy || history.length > 0);
  part("votes").hidden = !busy;
  element.querySelector('[data-act="undo"]').disabled = history.length === 0;
  paintBar();
  if (!busy) return;
  const { item } = current;
  part("where").textContent = [item.topic, item.perspective].filter(Boolean).join(" · ");
  part("instruction").innerHTML = item.instruction; // sanitized by the server
  const answers = part("answers");
  answers.classList.toggle("pair", item.answers.length > 1);
  answers.replaceChildren(...item.answers.map((answer, index) => {
    const box = document.createElement("section");
    box.className = "answer";
    const label = document.createElement("h2");
    label.className = "label";
    label.textContent = item.answers.length > 1 ? `Answer ${"AB"[index]}` : "Answer";
    const text = document.createElement("div");
    text.className = "sb-prose";
    text.innerHTML = answer.html; // sanitized by the server
    box.append(label, text);
    return box;
  }));
  show("aside", item.stand_in);
}

function paintBar() {
  const { done = 0, total = 0 } = progress[task] ?? {};
  part("meter").max = Math.max(total, 1);
  part("meter").value = done;
  const left = minutesLeft(total - done);
  part("count").textContent = total ? `${done}/${total}${left}` : "";
  for (const button of part("tasks").children) button.setAttribute("aria-pressed", String(button.dataset.task === task));
  paintMark();
}

function minutesLeft(count) {
  if (paces.length < 3 || count <= 0) return "";
  const typical = [...paces].sort((a, b) => a - b)[Math.floor(paces.length / 2)];
  const minutes = Math.ceil((typical * count) / 60000);
  return minutes < 120 ? ` · about ${minutes} min left` : ` · about ${Math.round(minutes / 60)} h left`;
}

function paintMark() {
  if (!session) return;
  const waiting = outbox();
  const here = waiting.filter((entry) => !onServer.has(entry.event.event_id)).length;
  const mark = part("mark");
  mark.dataset.kind = away || !storageWorks || (trouble && waiting.length) ? "away" : "";
  if (away) mark.textContent = here
    ? `${away} ${here} ${here === 1 ? "answer is" : "answers are"} safe in this browser and will be sent.`
    : away;
  else if (!storageWorks) mark.textContent = "This browser keeps nothing: leave the page open until all is saved";
  else if (here) mark.textContent = `${here} on ${here === 1 ? "its" : "their"} way`;
  else if (waiting.length && trouble) mark.textContent = `${waiting.length} received, not yet saved to ${session.place}: ${trouble}`;
  else if (waiting.length) mark.textContent = `${waiting.length} received, saving to ${session.place}`;
  else if (savedAt) mark.textContent = `saved to ${session.place} ${clock(savedAt)}`;
  else mark.textContent = "";
}

function notice(text) {
  part("notice").textContent = text;
  show("notice", Boolean(text));
}

function message(title, text, actions = []) {
  current = null;
  paint();
  part("message-title").textContent = title;
  part("message-text").textContent = text;
  part("message-actions").replaceChildren(...actions.map(([label, act]) => {
    const button = document.createElement("button");
    button.type = "button"; button.className = "act"; button.textContent = label;
    button.addEventListener("click", act);
    return button;
  }));
  show("message", true);
}

let turn = 0; // counts what was put on the screen: an answer that comes late changes nothing
async function next() {
  const mine = ++turn;
  const deck = decks[task];
  if (!deck.items.length) {
    message("One moment", "The next samples are on their way."); // the last card takes no more votes
    try { await refill(task); } catch (error) { return mine === turn ? retryLater(error) : undefined; }
    if (mine !== turn) return;
  } else if (deck.items.length < REFILL && !deck.dry) {
    refill(task).catch(() => paintMark()); // there are still some in hand; asked again at the next
  }
  const item = deck.items.shift();
  if (!item) return finished();
  current = { item, shownAt: Date.now(), hiddenMs: 0 };
  paint();
}

function retryLater(error) {
  const text = error.fromServer ? error.message : "The server cannot be reached. Your answers are safe in this browser.";
  message("No new sample could be fetched", text, [["Try again", next]]);
}

function finished() {
  const { done = 0, total = 0 } = progress[task] ?? {};
  if (!total) return message("Nothing to judge yet", "The project has no samples for this task. They appear here as soon as they are generated.", [["Look again", next]]);
  const other = session.tasks.find((name) => name !== task && (progress[name]?.total ?? 1) > (progress[name]?.done ?? 0));
  const actions = [["Look for new samples", next]];
  if (other) actions.unshift([`Go on with: ${TASKS[other].name}`, () => choose(other)]);
  message("All done, thank you", `You have answered all ${done} of ${total}. What you gave is on its way into the dataset; new samples appear here when they are generated.`, actions);
}

function vote(choice) {
  if (!current) return;
  const { item, shownAt, hiddenMs } = current;
  const duration = Math.max(0, Date.now() - shownAt - hiddenMs);
  const event = {
    event_id: newId(), sample_id: item.sample_id, task: item.task,
    status: choice.skip ? "skipped" : "submitted",
    ...TASKS[item.task].subject(item), ...(choice.skip ? {} : choice.answer()),
    shown_at: new Date(shownAt).toISOString(), answered_at: new Date().toISOString(),
    duration_ms: Math.min(duration, 86400000), guidelines_version: session.guidelines_version,
  };
  enqueue(event, item.id);
  history = [...history, { event, item }].slice(-UNDO_DEPTH);
  progress[item.task].done += 1;
  paces = [...paces, duration].slice(-20);
  notice("");
  next();
  send();
}

function undo() {
  const last = history.pop();
  if (!last) return;
  const { event, item } = last;
  turn += 1;
  enqueue({ ...event, event_id: newId(), status: "withdrawn", answered_at: new Date().toISOString() }, item.id);
  if (current) decks[current.item.task].items.unshift(current.item);
  switchTo(item.task);
  progress[item.task].done -= 1;
  current = { item, shownAt: Date.now(), hiddenMs: 0 };
  paint();
  send();
}

function choose(name) {
  if (name === task && current) return;
  if (current) decks[current.item.task].items.unshift(current.item);
  current = null;
  switchTo(name);
  next();
}

function switchTo(name) {
  if (name === task) return;
  task = name;
  keep("seedbed:task", name);
  buildVotes();
}

// ---- building the page ------------------------------------------------------------------------

function actButton(choice) {
  const button = document.createElement("button");
  button.type = "button";
  button.className = choice.skip || choice.id === "tie" || choice.id === "both_bad" ? "act" : "act wide";
  button.dataset.vote = choice.id;
  const key = document.createElement("kbd");
  key.textContent = choice.shown;
  key.setAttribute("aria-hidden", "true");
  button.append(key, choice.text);
  button.addEventListener("click", () => vote(choice));
  return button;
}

function buildVotes() {
  const { votes } = TASKS[task];
  const row = part("votes");
  row.className = `line votes ${votes.length === 3 ? "three" : "five"}`;
  row.replaceChildren(...votes.map(actButton));
  const rows = [...votes.map((v) => [v.shown + (v.keys[1] ? `  ${v.keys[1].toUpperCase()}` : ""), v.text]),
    ["U  Backspace", "Undo"], ["G", "Guidelines"], ["?", "This list"]];
  part("keys-table").replaceChildren(...rows.map(([keys, text]) => {
    const row = document.createElement("tr");
    const left = document.createElement("td"), right = document.createElement("td");
    keys.split("  ").forEach((k) => { const b = document.createElement("kbd"); b.textContent = k; left.append(b); });
    right.textContent = text;
    row.append(left, right);
    return row;
  }));
}

function buildTasks() {
  part("tasks").hidden = session.tasks.length < 2;
  part("tasks").replaceChildren(...session.tasks.map((name) => {
    const button = document.createElement("button");
    button.type = "button"; button.dataset.task = name; button.textContent = TASKS[name].name;
    button.addEventListener("click", () => choose(name));
    return button;
  }));
}

const acts = {
  undo,
  guidelines: () => session?.guidelines && part("guidelines").showModal(),
  keys: () => part("keys").showModal(),
};

function onKey(event) {
  if (!element.isConnected) return document.removeEventListener("keydown", onKey);
  const field = event.target.closest?.("input, textarea, select, [contenteditable=true]");
  if (field || event.ctrlKey || event.metaKey || event.altKey || event.isComposing) return;
  if (element.querySelector("dialog[open]")) return;
  // A focused button answers to Space and Enter itself.
  if (event.key === " " && event.target.closest?.("button, a, summary")) return;
  const key = event.key.length === 1 ? event.key.toLowerCase() : event.key;
  const act = Object.keys(COMMON_KEYS).find((name) => COMMON_KEYS[name].includes(key));
  const choice = current && TASKS[task].votes.find((v) => v.keys.includes(key));
  if (act) { event.preventDefault(); acts[act](); }
  else if (choice && !event.repeat) { event.preventDefault(); vote(choice); }
}

async function start() {
  let reply;
  try {
    reply = await ask("hello", {});
  } catch (error) {
    message(error.fromServer ? "This Space is not ready" : "The server cannot be reached", error.fromServer ? error.message : "Check the connection.", [["Try again", start]]);
    return;
  }
  if (reply.ask_name) {
    show("message", false); show("card", false); show("actions", false); show("hello", true);
    part("domain").textContent = reply.domain;
    part("hello").elements.name.focus();
    return;
  }
  session = reply;
  savedAt = reply.saved_at;
  refilling = {};
  paces = [];
  decks = Object.fromEntries(session.tasks.map((name) => [name, { items: [], dry: false }]));
  progress = Object.fromEntries(session.tasks.map((name) => [name, reply.progress[name]]));
  part("domain").textContent = part("domain").title = session.domain;
  part("who").textContent = session.annotator.split("~")[0];
  part("who").disabled = !session.guest;
  part("guidelines-text").innerHTML = session.guidelines; // sanitized by the server
  element.querySelector('[data-act="guidelines"]').hidden = !session.guidelines;
  buildTasks();
  const wanted = recall("seedbed:task");
  task = session.tasks.includes(wanted) ? wanted : session.tasks[0];
  buildVotes();
  send();
  show("hello", false);
  if (session.guidelines && recall(storeKey("guidelines")) !== session.guidelines_version) {
    refill(task).catch(() => paintMark()); // fetched while they read; next() asks again if it failed
    const read = new Promise((resolve) => part("guidelines").addEventListener("close", resolve, { once: true }));
    part("guidelines").showModal();
    await read; // the clock of the first card starts when the guidelines are closed
    keep(storeKey("guidelines"), session.guidelines_version);
  }
  await next();
}

part("who").addEventListener("click", () => {
  if (outbox().length) return notice("Wait a moment until your answers are saved; then somebody else can go on here.");
  forget("seedbed:who");
  turn += 1;
  session = null;
  current = null;
  history = [];
  part("who").textContent = part("mark").textContent = "";
  show("how-far", false); show("tasks", false);
  start();
});
part("hello").addEventListener("submit", (event) => {
  event.preventDefault();
  const name = part("hello").elements.name.value.replace(/[~\u0000-\u001f]/g, " ").trim();
  if (!name) return;
  // Whoever was here before gets their own answers back under the same name.
  const guests = JSON.parse(recall("seedbed:guests") ?? "{}");
  guests[name] ??= `${name}~${newId().replaceAll("-", "").slice(0, 6)}`;
  keep("seedbed:guests", JSON.stringify(guests));
  keep("seedbed:who", guests[name]);
  start();
});
for (const button of element.querySelectorAll("[data-act]")) button.addEventListener("click", () => acts[button.dataset.act]());
// After a click with the mouse, Space shall skip and not press the same button again.
element.addEventListener("click", (event) => { if (event.detail) event.target.closest("button")?.blur(); });
document.addEventListener("keydown", onKey);
document.addEventListener("visibilitychange", () => {
  if (document.hidden) hiddenSince = Date.now();
  else if (hiddenSince && current) current.hiddenMs += Date.now() - Math.max(hiddenSince, current.shownAt);
  if (!document.hidden) { hiddenSince = null; send(); }
});
window.addEventListener("online", send);
start();
