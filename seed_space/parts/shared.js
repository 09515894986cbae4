// What all parts share. Gradio runs this, followed by the part's own script, as one function with
// `element` (the part's root), `props`, `trigger` and `watch`.
//
// Events on document:
//   seedbed:lists   the topics or perspectives changed; they are in seedbed.lists
//   seedbed:screen  a field of the seed changed; detail holds all of them
//   seedbed:add     detail is { kind, text }: a text for the list of that kind
//   seedbed:go      somebody asked for a step; detail is its name

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

// Words in the reader's language; English where there is none. {name} is filled in from `values`.
const LANGUAGE = (navigator.language || "en").toLowerCase().split("-")[0];
function word(key, values = {}) {
  const said = WORDS[key];
  return (said[LANGUAGE] ?? said.en).replace(/\{(\w+)\}/g, (all, name) => values[name] ?? all);
}
element.querySelectorAll("[data-say]").forEach((node) => { node.textContent = word(node.dataset.say); });

const quoted = (text) => "“" + (text.length > 60 ? text.slice(0, 59) + "…" : text) + "”";
const sameKey = (text) => text.toLowerCase().split(/\s+/).filter(Boolean).join(" ");

// An ordered list with undo. `draw(focus)` shows the items; `changed()` tells the server.
function orderedList({ limit, draw, changed, say }) {
  let items = [];
  let past = [];
  let typingIn = null; // typing in one place is one step to undo

  const remember = () => { past.push(items.slice()); past = past.slice(-50); };
  function change(next, focus, message) {
    remember();
    typingIn = null;
    items = next;
    draw(focus);
    changed();
    if (message) say(message);
  }
  return {
    get items() { return items; },
    get canUndo() { return past.length > 0; },
    reset(next) { items = next; past = []; typingIn = null; draw(null); },
    type(index, place, item) {
      if (typingIn !== place) { remember(); typingIn = place; }
      items = items.map((old, i) => (i === index ? item : old));
      changed();
    },
    add(added, at, focus, message) {
      if (items.length + added.length > limit) {
        say(added.length + " more do not fit: there can be at most " + limit + ". Nothing was added.", true);
        return false;
      }
      change([...items.slice(0, at), ...added, ...items.slice(at)], focus, message);
      return true;
    },
    replace(index, added, focus, message) {
      change([...items.slice(0, index), ...added, ...items.slice(index + 1)], focus, message);
    },
    remove(index, focus, message) {
      change(items.filter((_, i) => i !== index), focus, message);
    },
    move(from, to, focus, message) {
      if (to < 0 || to >= items.length || from === to) return;
      const next = items.slice();
      next.splice(to, 0, ...next.splice(from, 1));
      change(next, focus, message);
    },
    undo() {
      if (!past.length) return;
      items = past.pop();
      typingIn = null;
      draw(null);
      changed();
      say("Undone.");
    },
  };
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

// The buttons that every item of an ordered list has. `shift(by, button)` moves the item.
function itemButtons(name, index, count, shift, remove) {
  const button = (text, does, label, disabled, action) => {
    const node = make("button", { type: "button", className: "icon", textContent: text, "aria-label": label, title: label, disabled, "data-do": does });
    node.addEventListener("click", action);
    return node;
  };
  return [
    button("↑", "up", "Move " + name + " up", index === 0, () => shift(-1, "up")),
    button("↓", "down", "Move " + name + " down", index === count - 1, () => shift(1, "down")),
    button("✕", "remove", "Remove " + name, false, remove),
  ];
}
const grip = () => make("span", { className: "grip", textContent: "⠿", draggable: true, "aria-hidden": "true" });
