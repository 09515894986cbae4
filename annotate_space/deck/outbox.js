// Answers on their way. Each stays in localStorage, in an entry of its own, until the server says
// that it is in the dataset; so two tabs never overwrite each other, and an answer goes out under
// the name it was given with whoever is at the screen now.

const GROUP = 100;
const SHUT_OUT = ["invitation", "refused", "sign_in"];
const COUNTED = ["submitted", "flagged"]; // what is an answer
const MOST_REFUSED = 20;

const entries = new Map(); // event_id -> { order, project, annotator, who, question, task, event, from }
const onServer = new Set(); // ids the server has in its journal, not yet in the dataset
const troubles = new Map(); // who, as text -> why their answers cannot be sent now
let reachable = true;
let savedAt = null;
let trouble = null; // why the server cannot put answers into the dataset
let restUntil = 0;
let pollDelay = 1000;
let pollTimer = null;
let sendQueued = false;
let lastOrder = 0;

async function ask(name, payload, as = identity) {
  let reply;
  try {
    reply = await Promise.race([
      server[name]({ ...payload, who: as, language: LANGUAGE }),
      new Promise((_, reject) => setTimeout(() => reject(new Error("no answer")), 30000)),
    ]);
    if (typeof reply !== "object" || reply === null) throw new Error("no object");
  } catch (error) {
    console.warn("Seedbed: the server did not answer", name, error);
    reachable = false;
    throw Object.assign(new Error(say(navigator.onLine ? "away_text" : "offline_text")), { kind: "away" });
  }
  reachable = true;
  const current = session && name !== "hello" && JSON.stringify(as) === JSON.stringify(identity);
  if (reply.error) {
    const error = Object.assign(new Error(reply.error), { kind: reply.kind ?? "invalid", retryAfter: reply.retry_after, lead: reply.lead, setup: reply.setup });
    if (current && name !== "control" && SHUT_OUT.includes(error.kind)) notIn(error);
    throw error;
  }
  if (current && haveChanged(reply)) start();
  return reply;
}

// Whether the lead has changed the guidelines or what is asked since `hello`.
function haveChanged({ guidelines_version: version, progress: counts }) {
  if (version !== undefined && version !== session.guidelines_version) return true;
  return counts !== undefined && Object.keys(counts).join() !== Object.keys(session.progress).join();
}

// One call after the other: then an answer is either counted in a reply or still `isHere`.
let queue = Promise.resolve();
function inTurn(work) {
  const result = queue.then(work);
  queue = result.catch(() => {});
  return result;
}

const entryKey = (project, id = "") => `seedbed:${project}:event:${id}`;
const isHere = (entry) => !onServer.has(entry.event.event_id);

function enqueue(event, item, from) {
  lastOrder = Math.max(Date.now(), lastOrder + 1);
  const { project, annotator } = session;
  const entry = { order: lastOrder, project, annotator, who: identity, question: item.ticket, task: item.task, event, from };
  entries.set(event.event_id, entry);
  browserStore.keep(entryKey(project, event.event_id), entry);
}

function loadOutbox() {
  const prefix = entryKey(session.project);
  const stored = new Set(browserStore.keys(prefix).map((key) => key.slice(prefix.length)));
  for (const id of entries.keys()) if (!stored.has(id)) entries.delete(id); // another tab saw it saved
  for (const id of stored) {
    const entry = entries.get(id) ?? browserStore.recall(prefix + id);
    if (entry) entries.set(id, entry);
  }
}

function dropEntry(id) {
  const entry = entries.get(id);
  if (entry) browserStore.forget(entryKey(entry.project, id));
  entries.delete(id);
  onServer.delete(id);
}

// An answer given with a Hugging Face sign-in waits until the same person is signed in.
const canGo = (entry) => Object.keys(entry.who).length > 0 || entry.annotator === session.annotator;

function groups(wanted) {
  const found = new Map();
  for (const entry of [...entries.values()].filter((e) => canGo(e) && wanted(e)).sort((a, b) => a.order - b.order)) {
    const key = JSON.stringify(entry.who);
    const last = found.get(key)?.at(-1);
    if (!last) found.set(key, [[entry]]);
    else if (last.length < GROUP) last.push(entry);
    else found.get(key).push([entry]);
  }
  return found;
}

function send() {
  if (sendQueued || !session) return;
  sendQueued = true;
  inTurn(async () => {
    sendQueued = false;
    await callForEach("submit", isHere, (part) => ({ tab, events: part.map((entry) => entry.event) }));
  });
}

async function poll() {
  pollTimer = null;
  if (!session) return;
  loadOutbox();
  const before = entries.size;
  await inTurn(() => callForEach("check", (e) => !isHere(e), (part) => ({ event_ids: part.map((e) => e.event.event_id) })));
  pollDelay = entries.size < before ? 1000 : Math.min(pollDelay * 1.5, reachable ? 10000 : 30000);
  send();
}

async function callForEach(name, wanted, payload) {
  if (!session) return;
  for (const [key, parts] of groups(wanted)) {
    for (const part of parts) {
      if (Date.now() < restUntil) break;
      try {
        const reply = await ask(name, payload(part), part[0].who);
        settle(reply);
        if (reply.progress && session?.annotator === part[0].annotator) countProgress(reply.progress);
        troubles.delete(key);
      } catch (error) {
        if (error.kind === "slow_down") restUntil = Date.now() + 1000 * (error.retryAfter ?? 5);
        else troubles.set(key, error);
        break;
      }
    }
    if (!reachable || !session) break;
  }
  paintMark();
  schedule();
}

function settle({ received = [], rejected = {}, outdated = [], forgotten = [], saved, wrote = {}, ...reply }) {
  for (const id of received) onServer.add(id);
  for (const id of forgotten) onServer.delete(id); // it lost its disk: they are sent again
  for (const [id, why] of Object.entries(rejected)) {
    const late = outdated.includes(id);
    if (!late) keepRefused(id, why);
    dropEntry(id);
    notice(late ? say("newer_answer") : say("refused_answer", { why }));
  }
  for (const [id, names] of Object.entries(wrote)) noteHistory(id, { wrote: names });
  for (const [id, time] of Object.entries(saved)) {
    dropEntry(id);
    noteHistory(id, { savedAt: time });
  }
  savedAt = reply.saved_at ?? savedAt;
  trouble = reply.trouble;
}

// An answer that was not accepted is kept with its card, as long as that is here.
const refusedKey = (project) => `seedbed:${project}:refused`;
const refusedOnes = (project) => browserStore.recall(refusedKey(project), []);

function keepRefused(id, why) {
  const entry = entries.get(id);
  if (!entry || entry.event.status === "withdrawn") return;
  const item = history.find(({ event }) => event.event_id === id)?.item ?? null;
  history = history.filter(({ event }) => event.event_id !== id);
  const { project, annotator, event } = entry;
  browserStore.keep(refusedKey(project), [...refusedOnes(project), { annotator, event, item, why }].slice(-MOST_REFUSED));
  keepHandSoon();
}

function openRefused({ event, item }) {
  browserStore.keep(refusedKey(session.project), refusedOnes(session.project).filter((one) => one.event.event_id !== event.event_id));
  part("panel").close();
  notice("");
  putBack(item, event);
}

// How many answers of whoever is at the screen are in this browser only, in a session or not.
function waitingHere() {
  const mine = JSON.stringify(identity);
  return browserStore.keys("seedbed:").filter((key) => key.includes(":event:")).map((key) => browserStore.recall(key))
    .filter((entry) => entry && JSON.stringify(entry.who) === mine && isHere(entry) && COUNTED.includes(entry.event.status)).length;
}

// A timer that runs is left to run: somebody who answers quickly must not put it off for ever.
function schedule() {
  if (pollTimer || !element.isConnected || !session || !entries.size) return;
  const delay = reachable ? pollDelay : Math.max(pollDelay, 2000);
  pollTimer = setTimeout(poll, Math.max(delay, restUntil - Date.now()));
}
