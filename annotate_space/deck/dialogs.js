// What opens over the card: guidelines, a flag, a comment, and the answers given so far.

const guidelinesKey = () => `seedbed:${session.project}:guidelines`;
let firstReading = false;

function openGuidelines(changed = false) {
  closeMenu();
  show("guidelines-changed", changed);
  part("guidelines").showModal();
}

// They open by themselves at the first visit, and when they have changed since they were closed.
function offerGuidelines() {
  const read = browserStore.recall(guidelinesKey());
  if (!session.guidelines || read === session.guidelines_version || part("guidelines").open) return;
  firstReading = true;
  openGuidelines(read !== null);
}

part("guidelines").addEventListener("close", () => {
  browserStore.keep(guidelinesKey(), session.guidelines_version);
  if (firstReading && shown) {
    shown.at = Date.now();
    clock.start();
  }
  firstReading = false;
});

part("flag-reasons").append(...REASONS.map((reason, index) => {
  const radio = make("input");
  Object.assign(radio, { type: "radio", name: "reason", value: reason, required: true, defaultChecked: index === 0 });
  return make("label", "choice", radio, say(`reason_${reason}`));
}));

function openFlag() {
  if (!shown) return;
  part("flag-form").reset();
  part("flag-form").elements.comment.value = drafts[hand[0].ticket]?.comment ?? "";
  part("flag").returnValue = "";
  part("flag").showModal();
}

part("flag").addEventListener("close", () => {
  if (part("flag").returnValue !== "flag") return;
  const { reason, comment } = part("flag-form").elements;
  give({ status: "flagged", reason: reason.value, comment: comment.value.trim() });
});

function openComment() {
  if (!shown) return;
  part("comment-form").elements.comment.value = drafts[hand[0].ticket]?.comment ?? "";
  part("comment").returnValue = "";
  part("comment").showModal();
}

part("comment").addEventListener("close", () => {
  if (part("comment").returnValue !== "keep" || !shown) return;
  draft(hand[0], { comment: part("comment-form").elements.comment.value.trim() });
  paintPending();
});

// ---- your answers -----------------------------------------------------------------------------

function openPanel() {
  if (!session) return;
  paintPanel();
  part("panel").showModal();
}

function paintPanel() {
  const all = [...entries.values()];
  const mine = all.filter((entry) => entry.annotator === session.annotator);
  const here = mine.filter(isHere).length;
  const answersWaiting = mine.filter(({ event }) => ["submitted", "flagged"].includes(event.status)).length;
  const done = Object.values(progress).reduce((sum, one) => sum + one.done, 0);
  const counts = [
    sayCount("count_here", here),
    sayCount("count_received", mine.length - here),
    sayCount("count_saved", Math.max(0, done - answersWaiting), { place: place() }),
    all.length > mine.length && sayCount(all.every(canGo) ? "count_others" : "count_signed_out", all.length - mine.length),
  ];
  part("panel-counts").replaceChildren(...counts.filter(Boolean).map((text) => make("li", "", text)));
  const why = [...[...troubles.values()].map((error) => error.message), trouble].filter(Boolean).join(" ");
  part("panel-trouble").textContent = why;
  show("panel-trouble", Boolean(why));
  part("panel-given").replaceChildren(...[...history].reverse().map(givenRow));
  if (!history.length) part("panel-given").replaceChildren(make("li", "", say("nothing_given")));
}

function givenRow({ event, item, wrote, savedAt: time, refused }) {
  const state = refused ? say("state_refused", { why: refused })
    : entries.has(event.event_id) ? say(onServer.has(event.event_id) ? "state_received" : "state_here")
    : say("state_saved", { place: place(), time: sayTime(time ?? savedAt ?? event.answered_at) });
  const about = prose(item.instruction).textContent.trim() || [item.topic, item.perspective].filter(Boolean).join(" · ");
  const row = make("li", "", make("strong", "", describe(event)), make("span", "about", about), make("span", "state", `${sayTime(event.answered_at)} · ${state}`));
  if (wrote?.length) row.append(make("span", "wrote", say("written_by", { names: wrote.map((name, index) => (wrote.length > 1 ? `${"AB"[index]} ${name}` : name)).join(", ") })));
  return row;
}

const PREFERENCES = { left: "a_better", right: "b_better", tie: "tie", both_bad: "both_bad" };

function describe(event) {
  if (event.status === "skipped") return say("skip");
  if (event.reason === "discard") return say("discard");
  if (event.status === "flagged") return `${say("flag")}: ${say(`reason_${event.reason}`)}`;
  if (event.preference) return say(PREFERENCES[event.preference]);
  if (event.rating) return `${event.rating} · ${say(`rate_${event.rating}`)}`;
  if (event.label !== undefined) return say(event.label ? "good" : "not_good");
  return say(event.option && !event.text ? "approve" : "save");
}
