// Questions with the answers an expert would give. props.value is a list of
// { question, answer, topic, perspective, extra }; `extra` is carried along untouched.

const list = piece("list");
const opened = new Set(); // cards that are open; each card has an id of its own in this page
let lastId = 0;

const say = (text, bad) => {
  piece("said").textContent = text;
  piece("said").classList.toggle("bad", Boolean(bad));
};
const withId = (fields) => ({ id: ++lastId, fields });

function changed() {
  props.value = cards.items.map((card) => card.fields);
  piece("undo").disabled = !cards.canUndo;
}

function draw(focus) {
  const nodes = cards.items.map(drawCard);
  list.replaceChildren(...nodes);
  if (!nodes.length) list.append(make("li", { className: "none-yet", textContent: "No example yet. Two or three good ones are enough to begin with." }));
  if (!focus) return;
  const card = list.children[focus.index];
  const target = card?.querySelector(focus.button ? '[data-do="' + focus.button + '"]:not(:disabled)' : "textarea") ?? card?.querySelector(".fold") ?? piece("add");
  target.focus();
}

function drawCard(card, index) {
  const name = "example " + (index + 1);
  const body = make("div", { className: "body", id: "sb-example-" + card.id, hidden: !opened.has(card.id) });
  const fold = make("button", { type: "button", className: "fold", "aria-expanded": String(opened.has(card.id)), "aria-controls": body.id });
  const title = () => {
    const text = card.fields.question.trim();
    const about = [card.fields.topic, card.fields.perspective].filter(Boolean).join(" · ");
    fold.replaceChildren(make("span", { className: text ? "title" : "title none", textContent: text || "New example" }), make("span", { className: "about", textContent: about }));
    fold.setAttribute("aria-label", "Example " + (index + 1) + ": " + (text || "new"));
  };
  fold.addEventListener("click", () => {
    const open = body.hidden;
    body.hidden = !open;
    fold.setAttribute("aria-expanded", String(open));
    if (open) opened.add(card.id); else opened.delete(card.id);
  });
  const edit = (field, value) => {
    card = { id: card.id, fields: { ...card.fields, [field]: value } };
    cards.type(index, card.id + field, card);
    title();
  };
  body.append(
    textField("Question", "question", "For example: How can I tell whether a clay soil is too wet to plough?", 2),
    textField("Answer", "answer", "Write it as you would say it to somebody who asks you.", 5),
    make("div", { className: "pair" }, choice("Topic", "topic", "topics"), choice("Perspective", "perspective", "perspectives")),
  );
  function textField(label, field, placeholder, rows) {
    const id = "sb-" + field + "-" + card.id;
    const area = make("textarea", { id, rows, placeholder, value: card.fields[field], className: field, spellcheck: true });
    area.addEventListener("input", () => edit(field, area.value));
    return make("div", {}, make("label", { for: id, textContent: label }), area);
  }
  function choice(label, field, kind) {
    const id = "sb-" + field + "-" + card.id;
    const select = make("select", { id, "data-kind": kind });
    offer(select, kind, card.fields[field]);
    select.addEventListener("change", () => edit(field, select.value));
    return make("div", {}, make("label", { for: id, textContent: label + " (if it belongs to one)" }), select);
  }
  const shift = (by, button) => cards.move(index, index + by, { index: index + by, button }, "Now example " + (index + by + 1) + " of " + cards.items.length + ".");
  const remove = () => cards.remove(index, { index, button: "remove" }, "Example removed. Undo brings it back.");
  title();
  return make("li", { className: "example", "data-index": index },
    make("div", { className: "head" }, grip(), fold, ...itemButtons(name, index, cards.items.length, shift, remove)), body);
}

// The current list, plus what the example names although the list no longer has it.
function offer(select, kind, chosen) {
  const known = seedbed.lists[kind];
  const missing = chosen && !known.includes(chosen) ? [chosen] : [];
  select.replaceChildren(
    make("option", { value: "", textContent: "Any" }),
    ...known.map((text) => make("option", { value: text, textContent: text })),
    ...missing.map((text) => make("option", { value: text, textContent: text + " (not in your list)" })),
  );
  select.value = chosen;
}

const cards = orderedList({ limit: props.limit, draw, changed, say });
piece("add").addEventListener("click", () => {
  const card = withId({ question: "", answer: "", topic: "", perspective: "", extra: "{}" });
  opened.add(card.id);
  cards.add([card], cards.items.length, { index: cards.items.length });
});
piece("undo").addEventListener("click", () => cards.undo());
draggable(list, (from, to) => cards.move(from, to, { index: to, button: "up" }, "Now example " + (to + 1) + "."));
document.addEventListener("seedbed:lists", () => {
  list.querySelectorAll("select").forEach((select) => offer(select, select.dataset.kind, select.value));
});
// From the preview: see shared.js.
document.addEventListener("seedbed:example", ({ detail }) => {
  const { question, answer, topic, perspective } = detail;
  const card = withId({ question, answer, topic, perspective, extra: "{}" });
  if (!cards.add([card], cards.items.length)) return;
  detail.undo = () => {
    const index = cards.items.findIndex((one) => one.id === card.id);
    if (index >= 0) cards.remove(index);
  };
});
function fromServer() {
  cards.reset((plain(props.value) ?? []).map(withId));
  piece("undo").disabled = true;
}
watch("value", fromServer);
fromServer();
