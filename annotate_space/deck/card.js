// The card on the screen: showing it, answering it, taking an answer back, and what there is to say
// when there is no card.

let shown = null; // { at } while the first card in hand is on the screen
let turn = 0; // counts what was put on the screen: a reply that comes late changes nothing
let paces = []; // milliseconds for each of the last answers
let buttonsFor = null;

const part = (name) => element.querySelector(`[data-part="${name}"]`);
const show = (name, on) => { part(name).hidden = !on; };

function give(fields) {
  const item = hand[0];
  if (!item || !shown) return;
  clock.count();
  const { changes } = item; // the answer that this one replaces, if it was chosen to be changed
  const comment = fields.comment ?? drafts[item.ticket]?.comment;
  const event = {
    event_id: randomHex(), ticket: item.ticket, status: "submitted", ...fields, ...(comment ? { comment } : {}),
    shown_at: new Date(shown.at).toISOString(), answered_at: new Date().toISOString(),
    duration_ms: Math.min(Math.round(clock.spent) + (changes?.spent ?? 0), 86400000), guidelines_version: session.guidelines_version,
    ...(changes ? { replaces: replaceable(item) } : {}),
  };
  const from = changes?.event.status ?? (again ? "skipped" : null);
  enqueue(event, item, from);
  delete drafts[item.ticket];
  history = changes ? history.filter((one) => one.item.ticket !== item.ticket) : [...history, { event, item }].slice(-UNDO_DEPTH);
  countAnswer({ task: item.task, event, from });
  if (again && event.status === "skipped") passed.add(item.ticket);
  if (touchOnly && TASKS[item.task].swipes) browserStore.keep(SWIPE_KNOWN, true);
  if (event.status !== "skipped" && !changes) paces = [...paces, clock.spent].slice(-20);
  hand.shift();
  notice("");
  next();
  send();
  keepHandSoon();
  if (changes) showOwn({ changed: item.ticket, event });
}

function undo() {
  if (changing()) return;
  const last = history.pop();
  if (!last) return;
  const { event, item } = last;
  const withdrawal = { event_id: randomHex(), ticket: item.ticket, status: "withdrawn", answered_at: new Date().toISOString() };
  enqueue(withdrawal, item, event.status);
  countAnswer({ task: item.task, event: withdrawal, from: event.status });
  putBack(item, event);
  if (part("panel").open) paintPanel();
  send();
}

// The card of an answer, with what was written in it.
function putBack(item, event) {
  turn += 1;
  drafts[item.ticket] = asDraft(item, event);
  passed.delete(item.ticket);
  if (mode && mode !== item.task) {
    mode = item.task;
    deal(hand.filter((other) => other.task === mode));
  }
  hand = [item, ...hand.filter((other) => other.ticket !== item.ticket)];
  showCard();
  keepHandSoon();
}

async function next() {
  const mine = ++turn;
  if (!hand.length) {
    message(say("one_moment"), say("one_moment_text")); // the last card takes no more votes
    try { await refill(); } catch (error) { return noNext(error, mine); }
    if (mine !== turn) return;
    if (!hand.length) return finished();
  } else if (hand.length <= Math.min(REFILL_BELOW, ahead() - 1) && !dry) {
    refill().catch(() => paintMark()); // there are still some in hand; asked again at the next
  }
  showCard();
}

function showCard() {
  shown = { at: Date.now() };
  clock.start();
  paint();
}

function choose(task) {
  closeMenu();
  if (task === mode && shown) return;
  mode = task;
  browserStore.keep("seedbed:task", task);
  startOver();
}

function startOver(anew = {}) {
  again = anew.again ?? false;
  deal(hand.filter((item) => !mode || item.task === mode));
  keepHandSoon();
  next();
}

// ---- no card ----------------------------------------------------------------------------------

function message(title, text, actions = []) {
  const lost = part("card").contains(document.activeElement) || part("actions").contains(document.activeElement);
  shown = null;
  clock.pause();
  paint();
  part("message-title").textContent = title;
  part("message-text").textContent = text;
  part("message-actions").replaceChildren(...actions.map(([name, act]) => {
    const button = make("button", "act", name);
    button.type = "button";
    button.addEventListener("click", act);
    return button;
  }));
  show("message", true);
  part("announce").textContent = `${title}. ${text}`;
  if (lost) part("message-title").focus({ preventScroll: true });
}

const TITLES = { away: "away_title", invitation: "invitation_title", refused: "refused_title", sign_in: "sign_in_title", slow_down: "slow_down_title" };

function titleFor(error, otherwise) {
  if (error.kind === "invitation" && !who().invite) return say("invitation_needed");
  return say(TITLES[error.kind] ?? otherwise);
}

const RETRY_AFTER = { away: 5, slow_down: 5 };
const LOOK_AGAIN_MS = 15000;

function noNext(error, mine) {
  if (mine !== turn) return;
  const seconds = error.retryAfter ?? RETRY_AFTER[error.kind];
  if (seconds) setTimeout(() => mine === turn && refill().then(() => mine === turn && next(), (still) => noNext(still, mine)), 1000 * seconds);
  const safe = entries.size ? ` ${say("answers_are_safe")}` : "";
  message(titleFor(error, "no_next"), error.message + safe, [[say("try_again"), () => startOver({ again })]]);
}

function finished() {
  if (again) return startOver();
  const { done, left } = totals();
  const look = [say("look_for_new"), () => startOver()];
  const passedOver = skippedCount();
  const others = session.tasks.filter((task) => mode && task !== mode && progress[task]?.left > 0).map((task) => [say("go_on_with", { task: say(`task_${task}`) }), () => choose(task)]);
  if (!done && !left && !passedOver) return message(say("empty_title"), say("empty_text"), [look, ...others]);
  const texts = done ? [sayCount("answered", done), say("on_its_way")] : [];
  if (left) {
    texts.push(sayCount("with_others", left));
    lookAgain(turn);
  }
  const skippedOnes = passedOver ? [[sayCount("skipped_again", passedOver), () => startOver({ again: true })]] : [];
  message(say(left ? "busy_title" : "done_title"), texts.join(" "), [...others, ...skippedOnes, look]);
}

// What others have in hand comes free when they stop.
function lookAgain(mine) {
  setTimeout(async () => {
    if (mine !== turn) return;
    if (!document.hidden) await refill().catch(() => paintMark());
    if (mine !== turn) return;
    if (hand.length) next();
    else lookAgain(mine);
  }, LOOK_AGAIN_MS);
}

function notice(text) {
  part("notice").textContent = text;
  show("notice", Boolean(text));
}

// ---- painting ---------------------------------------------------------------------------------

function paint() {
  const item = shown && hand[0];
  show("hello", false);
  show("message", false);
  show("card", Boolean(item));
  show("actions", Boolean(item) || history.length > 0);
  part("deck").dataset.task = item?.task ?? "";
  if (item) paintItem(item);
  paintVotes();
  paintButtons(item?.task ?? null);
  paintPending();
  paintBar();
}

// A correction that is open is saved or given up first: nothing else answers the card.
function paintVotes() {
  show("votes", Boolean(shown && hand[0]) && !correcting());
  const options = part("answers").querySelector(".options");
  if (options) options.disabled = correcting();
}

const touchOnly = matchMedia("(hover: none) and (pointer: coarse)").matches;
const SWIPE_KNOWN = "seedbed:swipe-known";

// The passage is fetched when somebody opens the fold: most cards are judged without it.
function paintPassage(item) {
  const fold = part("source");
  if (fold.dataset.ticket === item.ticket) return;
  fold.dataset.ticket = item.ticket;
  fold.open = false;
  part("passage").textContent = "";
  show("source", Boolean(item.passage));
}

async function fetchPassage() {
  const fold = part("source");
  const { ticket } = fold.dataset;
  if (!fold.open || part("passage").textContent) return;
  let text;
  try { ({ text } = await ask("passage", { ticket })); } catch { text = say("passage_away"); }
  if (fold.dataset.ticket === ticket && fold.open) inLanguage(part("passage")).textContent = text || say("passage_away");
}
part("source").addEventListener("toggle", fetchPassage);

function paintItem(item) {
  const { body, inviting, swipes } = TASKS[item.task];
  const blind = item.task === "exam" && item.marked === null;
  const todo = say(blind ? "todo_exam_blind" : `todo_${item.task}`);
  const hint = swipes && touchOnly && !browserStore.recall(SWIPE_KNOWN);
  part("todo").textContent = hint ? `${todo} ${say("swipe_hint")}` : todo;
  part("where").textContent = [item.topic, item.perspective, item.source, item.control ? say("control") : ""].filter(Boolean).join(" · ");
  paintPassage(item);
  paintChanging(item);
  for (const name of ["instruction", "instruction-label"]) show(name, Boolean(item.instruction));
  part("instruction").innerHTML = item.instruction; // sanitized by the server
  inLanguage(part("instruction"));
  const answers = part("answers");
  const focused = answers.contains(document.activeElement);
  answers.className = `answers ${item.task}`;
  answers.replaceChildren(...body(item));
  answers.scrollLeft = 0;
  show("sides", item.task === "pairwise");
  if (item.task === "pairwise") {
    watchSides(answers);
    paintDifferences();
  }
  show("aside", item.stand_in);
  const asked = part("instruction").textContent.trim().slice(0, 400);
  part("announce").textContent = `${item.changes ? `${part("changing-text").textContent} ` : ""}${todo} ${asked ? say("announce", { text: asked }) : part("where").textContent}`;
  if (window.scrollY) window.scrollTo(0, 0);
  if (focused || (inviting && matchMedia("(hover: hover)").matches)) answers.querySelector("textarea")?.focus({ preventScroll: true });
}

let showsDifferences = false;

function toggleDifferences() {
  showsDifferences = !showsDifferences;
  paintDifferences();
}

function paintDifferences() {
  part("deck").querySelector('[data-act="differences"]').setAttribute("aria-pressed", String(showsDifferences));
  const texts = [...part("answers").querySelectorAll(".answer .sb-prose")];
  texts.forEach((text, index) => { if (text.querySelector("mark")) text.innerHTML = hand[0].answers[index].html; });
  if (showsDifferences) markDifferences(...texts);
}

function paintButtons(task = buttonsFor?.task ?? null) {
  const keys = JSON.stringify(browserStore.recall(KEYS, {}));
  if (buttonsFor?.task !== task || buttonsFor.keys !== keys) {
    buttonsFor = { task, keys };
    const votes = task ? TASKS[task].votes : [];
    const tabbedTo = part("votes").contains(document.activeElement) && document.activeElement.matches(":focus-visible");
    part("votes").replaceChildren(...votes.filter((action) => !action.shownElsewhere).map((action) => voteButton(action, task)));
    if (tabbedTo) part("votes").querySelector("button")?.focus();
    for (const action of [...COMMON, ...votes.filter((one) => one.id === "differences")]) {
      for (const button of element.querySelectorAll(`:is(.more, .tools) [data-act="${action.id}"]`)) button.replaceChildren(keyHint(action, task), say(action.word));
    }
    for (const button of element.querySelectorAll('dialog [data-act="undo"]')) button.textContent = say("undo");
  }
  for (const name of ["comment", "flag"]) element.querySelector(`[data-act="${name}"]`).hidden = !task;
  element.querySelector('[data-act="differences"]').hidden = task !== "pairwise";
  for (const button of element.querySelectorAll('[data-act="undo"]')) button.disabled = !history.length || changing();
  if (task === "exam" && shown) paintApprove();
}

function voteButton(action, task) {
  const button = make("button", `act ${action.wide ? "wide" : ""} ${action.strong ? "strong" : ""}`, keyHint(action, task), make("span", "word", say(action.word)));
  button.type = "button";
  button.dataset.vote = action.id;
  button.addEventListener("click", () => perform(action));
  return button;
}

function paintPending() {
  const comment = shown && hand[0] && drafts[hand[0].ticket]?.comment;
  show("pending", Boolean(comment));
  if (comment) part("pending").textContent = say("comment_pending", { text: comment.length > 80 ? `${comment.slice(0, 80)}…` : comment });
}

function paintBar() {
  const { done, left } = totals();
  const passedOver = skippedCount();
  const total = done + left + passedOver;
  show("how-far", total > 0);
  part("meter").max = Math.max(total, 1);
  part("meter").value = done;
  part("meter").setAttribute("aria-valuetext", say("how_far", { done, total }));
  part("count").textContent = `${done}/${total}`;
  part("skips").textContent = passedOver ? ` · ${sayCount("skips", passedOver)}` : "";
  part("pace").textContent = timeLeft(left);
  for (const button of part("tasks").children) button.setAttribute("aria-pressed", String(button.dataset.task === (mode ?? "mix")));
  paintMark();
}

function timeLeft(count) {
  if (paces.length < 3 || count <= 0) return "";
  const typical = [...paces].sort((a, b) => a - b)[Math.floor(paces.length / 2)];
  const minutes = Math.ceil((typical * count) / 60000);
  return minutes < 120 ? say("minutes_left", { n: minutes }) : say("hours_left", { n: Math.round(minutes / 60) });
}

const place = () => say(session.place === "the Hub" ? "place_hub" : "place_folder");

function paintMark() {
  const mark = part("mark");
  if (!session) { mark.textContent = ""; return; }
  const waiting = entries.size;
  const here = [...entries.values()].filter(isHere).length;
  const [kind, text] = browserStore.refused && waiting ? ["away", say("storage_refused")]
    : here && (troubles.size || !reachable) ? ["away", sayCount("safe_here", here)]
    : !reachable ? ["away", say("away_short")]
    : here ? ["", sayCount("on_their_way", here)]
    : waiting && trouble ? ["away", sayCount("not_saved", waiting, { place: place() })]
    : waiting ? ["", sayCount("received", waiting, { place: place() })]
    : !Object.values(progress).some((one) => one.done) && !skippedCount() && !history.length ? ["", ""]
    : savedAt ? ["", say("saved_at", { place: place(), time: sayTime(savedAt) })]
    : ["", say("nothing_waits")];
  if (mark.textContent !== text) mark.textContent = mark.title = text;
  if (mark.dataset.kind !== kind) part("told").textContent = mark.dataset.kind === undefined ? "" : text;
  mark.dataset.kind = kind;
  if (part("panel").open) paintPanel();
}
