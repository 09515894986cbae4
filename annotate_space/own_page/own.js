// A person's own page: what they did, and their answers, which they can change. It asks when it is
// opened, and goes on asking only while something of what it shows is not in the dataset yet.

const RETRY_MS = 2500;
const LOOK_MS = 3000;
const SELDOM_MS = 15000;

let open = false;
let identity = {}; // who, as the card says it
let told = null; // what the server said last
let page = 0;
let asking = 0; // counts what was asked: a reply that comes late changes nothing
let timer = null;
let patience = LOOK_MS;

async function ask(name, payload) {
  const reply = await server[name]({ ...payload, who: identity, language: LANGUAGE }).catch(() => null);
  // Gradio gives nothing where there was no answer.
  if (!reply) throw Object.assign(new Error(say("away")), { kind: "away", ours: true });
  if (reply.error) throw Object.assign(new Error(reply.error), { kind: reply.kind, after: reply.retry_after });
  return reply;
}

function notice(text) {
  part("notice").textContent = text;
  show("notice", Boolean(text));
}

function message(title, text, again = true) {
  show("body", false);
  part("message-title").textContent = title;
  part("message-text").textContent = text;
  show("message-again", again);
  show("message", true);
}

async function load() {
  clearTimeout(timer);
  const mine = ++asking;
  if (!told) message(say("loading"), say("loading_text"), false);
  let reply;
  try {
    reply = await ask("history", { task: part("task").value || null, kind: part("kind").value || null, page, days: midnights() });
  } catch (error) {
    if (mine !== asking || !open) return;
    if (!["away", "slow_down"].includes(error.kind)) return message(say("not_shown"), error.message);
    const why = error.ours ? error.message : say("loading_text"); // it takes longer than a request may
    if (told) notice(say("old", { why }));
    else message(say("loading"), why, false);
    timer = setTimeout(load, Math.max(RETRY_MS, 1000 * (error.after ?? 0)));
    return;
  }
  if (mine !== asking || !open) return;
  notice("");
  ({ page } = reply);
  told = reply;
  language = reply.language;
  drawPage();
  watch();
}

function drawPage() {
  const { tasks, found, rows } = told;
  const any = tasks.length > 0;
  part("of").textContent = ` · ${told.domain}`;
  if (!any) return message(say("nothing_yet"), say("nothing_yet_text"), false);
  show("message", false);
  show("body", true);
  drawFigures(told);
  drawFilter(tasks);
  part("found").textContent = say(found === 1 ? "found_one" : "found_many", { n: number(found) });
  part("nothing").textContent = say("nothing_found");
  show("nothing", !found);
  part("rows").replaceChildren(...rows.map(answerRow));
  const pages = Math.ceil(found / told.size);
  show("pages", pages > 1);
  part("page").textContent = say("page_of", { page: number(page + 1), pages: number(pages) });
  part("newer").disabled = page === 0;
  part("older").disabled = page + 1 >= pages;
}

function drawFilter(tasks) {
  const chosen = part("task").value;
  draw("task", tasks.map((one) => one.task), () => [make("option", { value: "", textContent: say("all_tasks") }),
    ...tasks.map(({ task }) => make("option", { value: task, textContent: say(`task_${task}`) }))]);
  part("task").value = chosen;
}

function turnTo(to) {
  page = to;
  load().then(() => {
    part("history-title").focus({ preventScroll: true });
    part("history-title").scrollIntoView({ block: "start" });
  });
}
part("newer").addEventListener("click", () => turnTo(page - 1));
part("older").addEventListener("click", () => turnTo(page + 1));
for (const name of ["task", "kind"]) part(name).addEventListener("change", () => { page = 0; load(); });
part("message-again").addEventListener("click", load);

// ---- where the answers are ----------------------------------------------------------------------

const underway = () => (told?.rows ?? []).filter((row) => row.here || (!row.saved && !row.gone && row.event.event_id));

function watch() {
  clearTimeout(timer);
  if (!open || document.hidden || !underway().length) return;
  timer = setTimeout(look, patience);
  patience = Math.min(1.5 * patience, SELDOM_MS);
}

async function look() {
  for (const row of underway().filter((one) => one.here)) await refresh(row);
  const received = underway().filter((one) => !one.here);
  const { saved } = await ask("check", { event_ids: received.map((row) => row.event.event_id) }).catch(() => ({ saved: {} }));
  for (const row of received) {
    if (!saved[row.event.event_id]) continue;
    row.saved = true;
    row.node.querySelector(".state").textContent = whereabouts(row);
  }
  watch();
}

// ---- changing, taking back, giving again ----------------------------------------------------------

const rowOf = (ticket) => (ticket && told ? told.rows.find((row) => row.item?.ticket === ticket) : undefined);

function redraw(row, { unfold = row.node.firstChild.open, focus = row.node.contains(document.activeElement) } = {}) {
  const before = row.node;
  const line = answerRow(row);
  before.replaceWith(line);
  line.firstChild.open = unfold;
  if (focus) line.querySelector("summary").focus();
}

function changeAnswer(row) {
  const { item, event, at, spent } = row;
  document.dispatchEvent(new CustomEvent("seedbed:view", { detail: { view: "cards", change: { item, event, at, spent } } }));
}

function takeBack(row) {
  give(row, { status: "withdrawn" }, say("told_taken_back"));
}

function putBack(row) {
  give(row, row.before, say("told_put_back"));
}

function give(row, fields, text) {
  const { item, event } = row;
  const detail = { item, event, fields, told: (given, settled) => {
    const { event_id: _, ...before } = event;
    note(row, { ...given, ...(fields.status === "withdrawn" ? {} : fields) }, before);
    tell(text);
    settled.then(() => refresh(row)).then(watch);
  } };
  document.dispatchEvent(new CustomEvent("seedbed:give", { detail }));
}

function tell(text) {
  part("told").textContent = "";
  setTimeout(() => { part("told").textContent = text; }, 50); // said again even if it is the same
}

// What was just given, before the server has said anything of it.
function note(row, event, before = row.event) {
  const gone = event.status === "withdrawn";
  Object.assign(row, { event, before, gone, at: event.answered_at, here: true, saved: false });
  patience = LOOK_MS;
  redraw(row, { unfold: gone, focus: true });
}

// What the server says of it; a newer answer from elsewhere counts, and is shown.
async function refresh(row) {
  const { event_id: given, replaces } = row.event;
  const reply = await ask("answer", { ticket: row.item.ticket }).catch(() => null);
  const stands = reply?.row?.event.event_id ?? reply?.gone;
  if (!stands || replaces.includes(stands)) return; // it has not arrived yet
  if (row.event.event_id !== given || !row.node.isConnected) return;
  Object.assign(row, { here: false, gone: Boolean(reply.gone) }, reply.row);
  redraw(row);
  notice(stands === given ? "" : say("newer_answer"));
  await loadFigures();
}

async function loadFigures() {
  const reply = await ask("history", { task: null, kind: null, page: 0, days: midnights() }).catch(() => null);
  if (reply && open) drawFigures(reply);
}

// ---- cards or this ----------------------------------------------------------------------------

part("back").addEventListener("click", () => {
  document.dispatchEvent(new CustomEvent("seedbed:view", { detail: { view: "cards" } }));
});

function switchView(event) {
  if (!element.isConnected) return document.removeEventListener("seedbed:view", switchView);
  const { view, who, settled, changed, kept, event: given } = event.detail;
  open = view === "own";
  show("own", open);
  if (!open) return clearTimeout(timer);
  element.style.colorScheme = document.body.classList.contains("dark") ? "dark" : "light";
  identity = who ?? identity;
  const row = rowOf(changed ?? kept);
  if (row) return comeBack(row, given, settled);
  told = null;
  page = 0;
  for (const name of ["task", "kind"]) part(name).value = "";
  part("heading").focus();
  scrollTo(0, 0);
  settled.then(load);
}

function comeBack(row, given, settled) {
  watch();
  if (!given) return redraw(row, { unfold: true, focus: true });
  note(row, given);
  tell(say("told_changed"));
  settled.then(() => refresh(row)).then(watch);
}
document.addEventListener("seedbed:view", switchView);
document.addEventListener("visibilitychange", watch);
