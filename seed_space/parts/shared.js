// What all parts share. Gradio runs this, followed by the part's own script, as one function with
// `element` (the part's root), `props`, `trigger` and `watch`.
//
// Events on document:
//   seedbed:lists    the topics or perspectives changed; they are in seedbed.lists
//   seedbed:screen   a field of the seed changed; detail holds all of them
//   seedbed:typed    one field changed; detail is { field, value }. Gradio's own events come later, and
//                    not at all once a request of theirs broke off, until the page is loaded anew
//   seedbed:go       somebody asked for a step; detail is its name
//   seedbed:opened   the page was filled; detail holds the fields of the seed
//   seedbed:restored the draft of an earlier visit is about to be shown
//   seedbed:renamed  a topic or perspective is being renamed; detail is { kind, from, to, token }:
//                    `to` changes with each keystroke, `from` and `token` stay the same meanwhile
//   seedbed:add      detail is { kind, text }: a text for the list of that kind
//   seedbed:undo     somebody asked to undo the newest change
//   seedbed:undoable the newest change is another one; seedbed.undoable names its fields
//   seedbed:put      detail has values for some fields of the seed, which are to be shown
//   seedbed:example an answer becomes an example; detail is { question, answer, topic, perspective },
//                   and gets `undo` from whoever keeps it
//   seedbed:rule    detail.text becomes a rule; detail gets `undo` from whoever keeps it

const seedbed = (window.seedbed ??= { lists: { topics: [], perspectives: [] } });
const piece = (name) => element.querySelector('[data-part="' + name + '"]');
const plain = (value) => JSON.parse(JSON.stringify(value ?? null));
const tell = (name, detail) => document.dispatchEvent(new CustomEvent("seedbed:" + name, { detail }));

// Makes an element: properties are set, "aria-" and "data-" names become attributes.
function make(tag, properties = {}, ...children) {
  const node = document.createElement(tag);
  for (const [name, value] of Object.entries(properties)) {
    if (/^(aria|data)-|^(role|for)$/.test(name)) node.setAttribute(name, value);
    else node[name] = value;
  }
  node.append(...children);
  return node;
}

// Words in the reader's language; English where there is none. {name} is filled in from `values`,
// numbers as they are written there. In the html, data-say names the words of an element and
// data-name those by which a screen reader calls it.
const LANGUAGE = (navigator.language || "en").toLowerCase().split("-")[0];
const LOCALE = navigator.language || "en";
const spoken = (texts) => texts[LANGUAGE] ?? texts.en;
const number = (n) => n.toLocaleString(LOCALE);
function word(key, values = {}) {
  return spoken(WORDS[key]).replace(/\{(\w+)\}/g, (all, name) => (typeof values[name] === "number" ? number(values[name]) : values[name] ?? all));
}
// The words of key_one or key_many, with {n} filled in.
const counted = (key, n) => word(key + (n === 1 || (n === 0 && /fr|pt/.test(LANGUAGE)) ? "_one" : "_many"), { n });
element.querySelectorAll("[data-say]").forEach((node) => { node.textContent = word(node.dataset.say); });
element.querySelectorAll("[data-name]").forEach((node) => { node.setAttribute("aria-label", word(node.dataset.name)); });

// What the server says of a failure, { error, exactly }: in the reader's language, and the exact words in
// English, if there are such, behind a fold.
const explained = ({ error, exactly }) => (exactly
  ? [error, make("details", {}, make("summary", { textContent: word("exactly") }), make("p", { lang: "en", textContent: exactly }))]
  : [error]);

const quoted = (text) => word("quoted", { text: text.length > 60 ? text.slice(0, 59) + "…" : text });
const sameKey = (text) => text.toLowerCase().split(/\s+/).filter(Boolean).join(" ");

// Gives a part of the seed its new value.
function hand(value) {
  props.value = value;
  tell("typed", { field: element.closest("[id^=field-]").id.slice("field-".length), value: plain(value) });
}

// An ordered list. `draw(focus)` shows the items; `changed()` tells the server. What was done is
// undone by the part "undo", which looks at the fields of the seed.
function orderedList({ limit, draw, changed, say }) {
  let items = [];

  function change(next, focus, message) {
    items = next;
    draw(focus);
    changed();
    if (message) say(message);
  }
  return {
    get items() { return items; },
    reset(next) { items = next; draw(null); },
    type(index, item) {
      items = items.map((old, i) => (i === index ? item : old));
      changed();
    },
    add(added, at, focus, message) {
      if (items.length + added.length > limit) {
        say(word("too_many", { n: added.length, limit }), true);
        return false;
      }
      change([...items.slice(0, at), ...added, ...items.slice(at)], focus, message);
      return true;
    },
    replace(index, added, focus, message) {
      change([...items.slice(0, index), ...added, ...items.slice(index + 1)], focus, message);
    },
    replaceAll(next, focus, message) { change(next, focus, message); },
    remove(index, focus, message) {
      change(items.filter((_, i) => i !== index), focus, message);
    },
    move(from, to, focus, message) {
      if (to < 0 || to >= items.length || from === to) return;
      const next = items.slice();
      next.splice(to, 0, ...next.splice(from, 1));
      change(next, focus, message);
    },
  };
}

// The button beside a list that undoes the newest change of the page while that is one of this list,
// and what puts a list back: `put(value)` shows it.
function undoable(field, put, say) {
  const button = piece("undo");
  const draw = () => { button.disabled = !seedbed.undoable?.includes(field); };
  button.addEventListener("click", () => tell("undo"));
  document.addEventListener("seedbed:undoable", draw);
  document.addEventListener("seedbed:put", (event) => {
    if (!(field in event.detail)) return;
    put(plain(event.detail[field]));
    say(word("undone"));
  });
  draw();
}

// Lets rows be dragged by their grip; moving by buttons does the same for keyboards.
function draggable(list, move) {
  let from = null;
  const rowOf = (event) => event.target.closest("[data-index]");
  const clear = () => list.querySelectorAll(".over").forEach((row) => row.classList.remove("over"));
  list.addEventListener("dragstart", (event) => {
    if (!event.target.closest?.(".grip")) return;
    from = Number(rowOf(event).dataset.index);
    event.dataTransfer.effectAllowed = "move";
    event.dataTransfer.setData("text/plain", "");
    event.dataTransfer.setDragImage(rowOf(event), 16, 16);
  });
  list.addEventListener("dragover", (event) => {
    const row = rowOf(event);
    if (from === null || !row) return;
    event.preventDefault();
    clear();
    row.classList.add("over");
  });
  list.addEventListener("drop", (event) => {
    const row = rowOf(event);
    if (from === null || !row) return;
    event.preventDefault();
    move(from, Number(row.dataset.index));
  });
  list.addEventListener("dragend", () => { from = null; clear(); });
}

// The buttons that every item of an ordered list has. `names(what)` is what the button to move the
// item "up" or "down", to "remove" it, or to show these buttons ("more", on a phone) is called;
// `shift(by, button)` moves the item. `opened` tells whether they are shown on a phone, `open(yes)`
// hears of it.
function itemButtons({ names, index, count, opened, open, shift, remove }) {
  const button = (text, does, disabled, action) => {
    const label = names(does);
    const node = make("button", { type: "button", className: "icon", textContent: text, "aria-label": label, title: label, disabled, "data-do": does });
    node.addEventListener("click", action);
    return node;
  };
  const tools = make("span", { className: "tools" },
    button("↑", "up", index === 0, () => shift(-1, "up")),
    button("↓", "down", index === count - 1, () => shift(1, "down")),
    button("✕", "remove", false, remove));
  const more = button("⋯", "more", false, () => show(more.getAttribute("aria-expanded") !== "true"));
  function show(yes) {
    more.setAttribute("aria-expanded", String(yes));
    tools.classList.toggle("opened", yes);
    open(yes);
  }
  show(opened);
  return [more, tools];
}
const grip = () => make("span", { className: "grip", textContent: "⠿", draggable: true, "aria-hidden": "true" });
