// Undo and redo across the page. props.fields names the seed's fields in order, props.names says what
// each is called, by language.
//
// A step is what the fields were before a change and after it. Typing in one place is one step until
// it pauses. In a text field the browser's own Ctrl+Z stays in force.

const MOST = 50;
const SETTLE = 120; // ms; one action may change several fields, one after the other
const PAUSE = 2500; // ms without typing, after which typing is another step

let now = null; // the fields as they are, each as JSON
let coming = null; // the same, not settled yet
let timer = null;
let past = []; // { before, after, fields, what, place, time }
let future = [];

const packed = (values) => values.map((value) => JSON.stringify(value));
const differ = (one, other) => props.fields.filter((_, i) => one[i] !== other[i]);
const at = (values, field) => JSON.parse(values[props.fields.indexOf(field)]);
const textOf = (item) => (typeof item === "string" ? item : item?.question ?? [item?.topic, item?.perspective].filter(Boolean).join(" · "));

document.addEventListener("seedbed:opened", ({ detail }) => {
  [past, future, coming] = [[], [], null];
  now = packed(detail);
  draw();
});
document.addEventListener("seedbed:screen", ({ detail }) => {
  if (now === null) return;
  coming = packed(detail);
  clearTimeout(timer);
  timer = setTimeout(settle, SETTLE);
});

// A draft comes back: a step of its own.
let restoring = false;
document.addEventListener("seedbed:restored", () => { settle(); restoring = true; });

function settle() {
  clearTimeout(timer);
  if (coming === null) return;
  const [before, after] = [now, coming];
  const fields = differ(before, after);
  coming = null;
  now = after;
  if (!fields.length) return;
  const { what, place } = restoring ? { what: word("restored"), place: null } : describe(before, after, fields);
  restoring = false;
  const last = past.at(-1);
  const same = last && place !== null && last.place === place && Date.now() - last.time < PAUSE;
  if (same) past.pop();
  const start = same ? last.before : before;
  if (differ(start, after).length) {
    const told = same ? describe(start, after, differ(start, after)).what : what;
    past.push({ before: start, after, fields, what: told, place, time: Date.now() });
    past = past.slice(-MOST);
  }
  future = [];
  draw();
}

// What a step did, in words, and where: steps of the same place may become one. null stays alone.
function describe(before, after, fields) {
  // Examples and numbers of samples follow a topic or perspective that is renamed.
  const leads = fields.length > 1 ? fields.filter((field) => field !== "examples" && field !== "quotas") : fields;
  const [lead] = leads;
  if (leads.length !== 1 || (fields.length > 1 && lead !== "topics" && lead !== "perspectives")) return { what: word("several"), place: null };
  const field = spoken(props.names[lead]);
  const [old, new_] = [at(before, lead), at(after, lead)];
  if (!Array.isArray(new_)) return lead === "language" ? { what: word("chosen", { field }), place: null } : { what: word("typed", { field }), place: lead };
  const keys = [old, new_].map((list) => list.map((item) => JSON.stringify(item)));
  const added = new_.filter((_, i) => !keys[0].includes(keys[1][i]));
  const gone = old.filter((_, i) => !keys[1].includes(keys[0][i]));
  const index = keys[1].findIndex((key, i) => key !== keys[0][i]);
  // Numbers of samples have no order to go by, but each is for a topic and perspective.
  const where = lead !== "quotas" ? lead + index : added.length === 1 ? lead + textOf(added[0]) : null;
  const named = (name, items) => word(name, { field, text: quoted(textOf(items[0])) });
  if (old.length === new_.length && added.length === 1) return { what: named("changed", textOf(gone[0]).trim() ? gone : added), place: where };
  if (new_.length === old.length + 1) return { what: named("added", [new_[index]]), place: where };
  if (old.length === new_.length + 1) return { what: named("removed", [old[index < 0 ? old.length - 1 : index]]), place: null };
  if (new_.length > old.length) return { what: word("more", { field, n: new_.length - old.length }), place: null };
  if (old.length > new_.length) return { what: word("fewer", { field, n: old.length - new_.length }), place: null };
  return { what: word("order", { field }), place: null };
}

function show(values) {
  const fields = differ(now, values);
  now = values;
  tell("put", Object.fromEntries(fields.map((field) => [field, at(values, field)])));
  for (const field of fields) {
    const input = document.querySelector("#field-" + field + " textarea, #field-" + field + " input[data-testid=textbox]");
    if (field === "language") trigger("submit", { language: at(values, field) });
    else if (input && !Array.isArray(at(values, field))) {
      input.value = at(values, field);
      input.dispatchEvent(new Event("input", { bubbles: true }));
    }
  }
}
function undo() {
  settle();
  const step = past.pop();
  if (!step) return;
  future.push(step);
  show(step.before);
  piece("said").textContent = word("undone") + " " + step.what;
  draw();
}
function redo() {
  settle();
  const step = future.pop();
  if (!step) return;
  past.push(step);
  show(step.after);
  piece("said").textContent = word("redone") + " " + step.what;
  draw();
}

function draw() {
  for (const [name, steps] of [["undo", past], ["redo", future]]) {
    const button = piece(name);
    const step = steps.at(-1);
    const label = step ? word(name + "_this", { what: step.what }) : word(name);
    button.title = label;
    button.disabled = !step;
    button.hidden = name === "redo" && !step;
    piece(name + "-words").textContent = label;
  }
  seedbed.undoable = past.at(-1)?.fields ?? [];
  tell("undoable");
}

piece("undo").addEventListener("click", undo);
piece("redo").addEventListener("click", redo);
document.addEventListener("seedbed:undo", undo);
document.addEventListener("keydown", (event) => {
  const key = event.key.toLowerCase();
  if (!(event.ctrlKey || event.metaKey) || event.altKey || (key !== "z" && key !== "y")) return;
  if (event.target.closest?.("input, textarea, [contenteditable]")) return;
  event.preventDefault();
  if (key === "y" || event.shiftKey) redo(); else undo();
});
draw();
