// What opens over the card: guidelines, a flag, a comment, and the answers given so far.

const guidelinesKey = () => `seedbed:${session.project}:guidelines`;
let firstReading = false;

function openGuidelines(changed = false) {
  closeMenu();
  show("guidelines-changed", changed);
  part("guidelines").showModal();
  element.querySelector("#sb-guidelines-title").focus();
  part("guidelines").scrollTop = 0;
}

// They open by themselves at the first visit, and when they have changed since they were closed.
function offerGuidelines() {
  const read = browserStore.recall(guidelinesKey());
  if (!session.guidelines || read === session.guidelines_version || part("guidelines").open) return;
  firstReading = true;
  openGuidelines(read !== null);
}

part("guidelines").addEventListener("close", () => {
  if (!session) return;
  browserStore.keep(guidelinesKey(), session.guidelines_version);
  if (firstReading && shown) {
    shown.at = Date.now();
    clock.start();
  }
  firstReading = false;
});

part("flag-reasons").append(...REASONS.map((reason) => {
  const radio = make("input");
  Object.assign(radio, { type: "radio", name: "reason", value: reason, required: true });
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
  if (part("flag").returnValue !== "flag" || !shown) return;
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
  const given = mine.filter(({ event }) => COUNTED.includes(event.status));
  const here = given.filter(isHere).length;
  const done = Object.values(progress).reduce((sum, one) => sum + one.done, 0);
  const counts = [
    here && sayCount("count_here", here),
    given.length > here && sayCount("count_received", given.length - here),
    done && sayCount("count_saved", Math.max(0, done - given.length), { place: place() }),
    all.length > mine.length && sayCount(all.every(canGo) ? "count_others" : "count_signed_out", all.length - mine.length),
  ];
  part("panel-counts").replaceChildren(...counts.filter(Boolean).map((text) => make("li", "", text)));
  const why = [...[...troubles.values()].map((error) => error.message), trouble].filter(Boolean).join(" ");
  part("panel-trouble").textContent = why;
  show("panel-trouble", Boolean(why));
  const refused = refusedOnes(session.project).filter(({ annotator }) => annotator === session.annotator);
  element.querySelector('dialog [data-act="own"]').hidden = !done;
  const rows = [...refused, ...history].reverse().map(givenRow);
  if (!history.length) rows.push(make("li", "", say(done ? "nothing_to_take_back" : "nothing_given")));
  part("panel-given").replaceChildren(...rows);
  show("control-text", session.lead && history.some(canBeControl));
  show("somebody-else", session.kind === "guest");
}

// The known answer to a question that everybody is asked: what was given, where one answer is right.
const canBeControl = ({ event, item }) => event.status === "submitted" && !event.text && !item.control && item.task !== "instruction";

async function makeControl(one) {
  const { label, preference, rating, option } = one.event;
  const told = await inTurn(() => ask("control", { ticket: one.item.ticket, label, preference, rating, option })).catch((error) => ({ why: error.message }));
  if (told.why) one.controls = told.why;
  else {
    one.controls = sayCount("controls", told.controls);
    one.item.control = true;
  }
  part("told").textContent = one.controls;
  keepHandSoon();
  if (part("panel").open) paintPanel();
}

function smallButton(word, act) {
  const button = make("button", "quiet small", say(word));
  button.type = "button";
  button.addEventListener("click", () => { button.disabled = true; act(); });
  return button;
}

function givenRow(one) {
  const { event, item, wrote, savedAt: time, why, controls } = one;
  const state = why ? say("state_refused", { why })
    : entries.has(event.event_id) ? say(onServer.has(event.event_id) ? "state_received" : "state_here")
    : say("state_saved", { place: place(), time: sayTime(time ?? savedAt ?? event.answered_at) });
  const about = item ? prose(item.instruction).textContent.trim() || [item.topic, item.perspective].filter(Boolean).join(" · ") : event.text ?? "";
  const row = make("li", "", make("strong", "", describe(event, item)), make("span", "about", about), make("span", "state", `${sayTime(event.answered_at)} · ${state}`));
  if (wrote?.length) row.append(make("span", "wrote", say("written_by", { names: wrote.map((name, index) => (wrote.length > 1 ? `${"AB"[index]} ${name}` : name)).join(", ") })));
  if (controls) row.append(make("span", "wrote", controls));
  if (why && item) row.append(smallButton("open_again", () => openRefused(one)));
  if (!why && session.lead && canBeControl(one)) row.append(smallButton("make_control", () => makeControl(one)));
  return row;
}
