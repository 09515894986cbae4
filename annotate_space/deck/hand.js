// The cards in hand, the last answers that can be taken back, and half-written texts: all of it
// lives in this tab and survives a reload. The first card in hand is the one on the screen.

const AHEAD = 12;
const REFILL_BELOW = 8;
const UNDO_DEPTH = 10;
const MOST_HELD = 400; // tickets that one request may name

let tab = null;
let session = null; // what the server said in hello
let identity = {}; // who said it: another tab may let somebody else go on, this one stays theirs
let mode = null; // the task asked for; null is the project's mix
let again = false; // going through the skipped ones
let hand = [];
let dry = false;
let history = []; // [{ event, item, wrote, savedAt, controls }], the newest last
let drafts = {}; // ticket -> what is half written: text, comment, exam
let passed = new Set(); // skipped once more while going through the skipped ones
let progress = {};
let skipped = {};
let refilling = null;
let dealing = 0; // counts the hands dealt: a reply for an earlier one changes nothing

const handKey = () => `seedbed:hand:${session.project}:${session.annotator}`;

let keepTimer = null;
function keepHand() {
  clearTimeout(keepTimer);
  keepTimer = null;
  if (session) tabStore.keep(handKey(), { mode, again, hand, history, drafts });
}
// Writing it takes longer than a key press may: it waits until the next card is painted.
function keepHandSoon() {
  keepTimer ??= setTimeout(keepHand, 50);
}

function takeUpHand() {
  const kept = tabStore.recall(handKey(), {});
  ({ again = false, hand = [], history = [], drafts = {} } = kept);
  mode = kept.mode ?? browserStore.recall("seedbed:task");
  if (!session.tasks.includes(mode)) mode = null;
  const answered = unsentQuestions();
  deal(hand.filter((item) => !answered.has(item.ticket) && session.tasks.includes(item.task)));
}

function deal(items) {
  hand = items;
  dry = false;
  refilling = null;
  passed = new Set();
  dealing += 1;
}

function unsentQuestions() {
  const state = new Map();
  for (const { question, event } of [...entries.values()].filter(isHere).sort((a, b) => a.order - b.order)) state.set(question, event.status);
  return new Set([...state].filter(([, status]) => status !== "withdrawn").map(([question]) => question));
}

// Of the last few questions a part only, so that there is something to do for others as well.
const ahead = () => Math.min(AHEAD, Math.max(6, Math.ceil(totals().left / 4)));

function refill() {
  refilling ??= fetchMore(dealing);
  return refilling;
}

async function fetchMore(mine) {
  try {
    const reply = await inTurn(() => ask("next", {
      tab, task: mode, count: ahead(), again, holding: [...hand.map((item) => item.ticket), ...passed, ...unsentQuestions()].slice(0, MOST_HELD),
    }));
    if (mine !== dealing) return;
    const known = unsentQuestions();
    for (const item of hand) known.add(item.ticket);
    const fresh = reply.items.filter((item) => !known.has(item.ticket) && !passed.has(item.ticket));
    hand.push(...fresh);
    dry = fresh.length === 0;
    countProgress(reply.progress, reply.skipped);
    keepHandSoon();
  } finally {
    if (mine === dealing) refilling = null;
  }
}

// The server has counted all but what is still here.
function countProgress(reply, skips) {
  const before = { ...skipped }; // has counted them already
  progress = structuredClone(reply);
  skipped = { ...skips };
  for (const entry of entries.values()) {
    if (isHere(entry) && entry.annotator === session.annotator) countAnswer(entry);
  }
  if (!skips) skipped = before;
  paintBar();
}

// A question that was skipped is neither done nor left; one that is taken back is left again.
// `from` is what stood before: a status, or null where nothing did.
function countAnswer({ task, event: { status }, from = null }) {
  const count = progress[task];
  if (!count) return;
  const changed = (n, stands) => Math.max(0, (n ?? 0) + stands(status) - stands(from));
  count.done = changed(count.done, (one) => COUNTED.includes(one));
  count.left = changed(count.left, (one) => one === null || one === "withdrawn");
  skipped[task] = changed(skipped[task], (one) => one === "skipped");
}

function noteHistory(id, news) {
  const given = history.find((one) => one.event.event_id === id);
  if (!given) return;
  Object.assign(given, news);
  keepHandSoon();
}

const skippedCount = () => Object.entries(skipped).reduce((sum, [task, n]) => sum + (!mode || task === mode ? n : 0), 0);

function totals() {
  const counted = mode ? [progress[mode]] : Object.values(progress);
  return counted.reduce((sum, one) => ({ done: sum.done + (one?.done ?? 0), left: sum.left + (one?.left ?? 0) }), { done: 0, left: 0 });
}
