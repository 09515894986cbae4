// Questions with the answers an expert would give. props.value is a list of
// { question, answer, topic, perspective, extra }; `extra` is carried along untouched.

const list = piece("list");
const opened = new Set(); // cards that are open; each card has an id of its own in this page
const tools = new Set(); // cards whose buttons are shown on a phone
let lastId = 0;

const say = (text, bad) => {
  piece("said").textContent = text;
  piece("said").classList.toggle("bad", Boolean(bad));
};
const withId = (fields) => ({ id: ++lastId, fields });

function changed() {
  hand(cards.items.map((card) => card.fields));
}

function draw(focus) {
  const nodes = cards.items.map(drawCard);
  list.replaceChildren(...nodes);
  if (!nodes.length) list.append(make("li", { className: "none-yet", textContent: word("none") }));
  if (!focus) return;
  const card = list.children[focus.index];
  const target = card?.querySelector(focus.button ? '[data-do="' + focus.button + '"]:not(:disabled)' : "textarea") ?? card?.querySelector(".fold") ?? piece("add");
  target.focus();
}

function drawCard(card, index) {
  const body = make("div", { className: "body", id: "sb-example-" + card.id, hidden: !opened.has(card.id) });
  const fold = make("button", { type: "button", className: "fold", "aria-expanded": String(opened.has(card.id)), "aria-controls": body.id });
  const title = () => {
    const text = card.fields.question.trim();
    const about = [card.fields.topic, card.fields.perspective].filter(Boolean).join(" · ");
    fold.replaceChildren(make("span", { className: text ? "title" : "title none", textContent: text || word("new") }), make("span", { className: "about", textContent: about }));
    fold.setAttribute("aria-label", word("title", { n: index + 1, text: text || word("title_new") }));
  };
  fold.addEventListener("click", () => {
    const open = body.hidden;
    body.hidden = !open;
    fold.setAttribute("aria-expanded", String(open));
    if (open) opened.add(card.id); else opened.delete(card.id);
  });
  const edit = (field, value) => {
    card = { id: card.id, fields: { ...card.fields, [field]: value } };
    cards.type(index, card);
    title();
  };
  body.append(
    textField("question", 2),
    textField("answer", 5),
    make("div", { className: "pair" }, choice("topic", "topics"), choice("perspective", "perspectives")),
  );
  function textField(field, rows) {
    const id = "sb-" + field + "-" + card.id;
    const area = make("textarea", { id, rows, placeholder: word(field + "_hint"), value: card.fields[field], className: field, spellcheck: true });
    area.addEventListener("input", () => edit(field, area.value));
    return make("div", {}, make("label", { for: id, textContent: word(field) }), area);
  }
  function choice(field, kind) {
    const id = "sb-" + field + "-" + card.id;
    const select = make("select", { id, "data-kind": kind });
    offer(select, kind, card.fields[field]);
    select.addEventListener("change", () => edit(field, select.value));
    return make("div", {}, make("label", { for: id, textContent: word(field) }), select);
  }
  const shift = (by, button) => cards.move(index, index + by, { index: index + by, button }, word("moved", { n: index + by + 1, all: cards.items.length }));
  const remove = () => cards.remove(index, { index, button: "remove" }, word("removed"));
  title();
  return make("li", { className: "example", "data-index": index },
    make("div", { className: "head" }, grip(), fold, ...itemButtons({
      names: (what) => word(what, { n: index + 1 }), index, count: cards.items.length, shift, remove,
      opened: tools.has(card.id), open: (yes) => { if (yes) tools.add(card.id); else tools.delete(card.id); },
    })), body);
}

// The current list, plus what the example names although the list no longer has it.
function offer(select, kind, chosen) {
  const known = seedbed.lists[kind];
  const missing = chosen && !known.includes(chosen) ? [chosen] : [];
  select.replaceChildren(
    make("option", { value: "", textContent: word("any") }),
    ...known.map((text) => make("option", { value: text, textContent: text })),
    ...missing.map((text) => make("option", { value: text, textContent: word("not_listed", { text }) })),
  );
  select.value = chosen;
}

const cards = orderedList({ limit: props.limit, draw, changed, say });
piece("add").addEventListener("click", () => {
  const card = withId({ question: "", answer: "", topic: "", perspective: "", extra: "{}" });
  opened.add(card.id);
  cards.add([card], cards.items.length, { index: cards.items.length });
});
draggable(list, (from, to) => cards.move(from, to, { index: to, button: "up" }, word("moved", { n: to + 1, all: cards.items.length })));
document.addEventListener("seedbed:lists", () => {
  list.querySelectorAll("select").forEach((select) => offer(select, select.dataset.kind, select.value));
});
// Examples follow the topic or perspective they name when that is renamed.
const FIELD = { topics: "topic", perspectives: "perspective" };
let following = { token: null, ids: new Set() };
document.addEventListener("seedbed:renamed", ({ detail: { kind, from, to, token } }) => {
  const field = FIELD[kind];
  if (!field) return;
  if (following.token !== token) {
    following = { token, ids: new Set(cards.items.filter((card) => card.fields[field] === from).map((card) => card.id)) };
  }
  if (!following.ids.size) return;
  cards.replaceAll(cards.items.map((card) => (following.ids.has(card.id) ? { ...card, fields: { ...card.fields, [field]: to } } : card)));
});

// The buttons beside a problem that an example names what is not in the list; see pieces.py.
document.addEventListener("click", (event) => {
  const button = event.target.closest?.("[data-fix]");
  if (!button) return;
  const index = Number(button.dataset.number) - 1;
  const field = button.dataset.kind;
  const card = cards.items[index];
  if (!card) return;
  if (button.dataset.fix === "add") tell("add", { kind: field + "s", text: card.fields[field].trim() });
  else cards.replaceAll(cards.items.map((old, i) => (i === index ? { ...old, fields: { ...old.fields, [field]: "" } } : old)));
  list.children[index]?.querySelector(".fold").focus();
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
}
watch("value", fromServer);
fromServer();

// A card that stays as it was keeps its id, so that it stays open.
undoable("examples", (value) => {
  const known = new Map(cards.items.map((card) => [JSON.stringify(card.fields), card.id]));
  const before = cards.items;
  cards.reset(value.map((fields, index) => {
    const same = known.get(JSON.stringify(fields));
    known.delete(JSON.stringify(fields));
    return { id: same ?? (value.length === before.length ? before[index].id : ++lastId), fields };
  }));
  changed();
}, say);
