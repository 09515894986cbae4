// Short texts in order: topics, perspectives or rules, as props.kind says. props.value is the list.
//
// The last field is always empty and waits for the next text. What stands in it counts as a row.

const list = piece("list");
let waiting = ""; // what stands in the last field
let renaming = null; // the row that is being typed into: see seedbed:renamed in shared.js
let openRow = null; // the row whose buttons are shown on a phone

const say = (text, bad) => {
  piece("marks").hidden = true;
  piece("said").textContent = text;
  piece("said").classList.toggle("bad", Boolean(bad));
};
const texts = () => (waiting.trim() ? [...rows.items, waiting] : rows.items);
const inputs = () => [...list.querySelectorAll("input")];
const lines = (text) => text.split(/\r\n|\r|\n/).filter((line) => line.trim());
// What stands before the lines of a list copied from elsewhere: "- ", "• ", "3. ", "(b) ", "[x] ".
const MARK = /^\s*(?:[-–—*•‣◦▪●○·]|\(?(?:\d{1,3}|[a-zA-Z])[.)]|\[[ xX]?\])\s+/;

function changed() {
  hand(texts());
  announce();
}
function announce() {
  const all = texts();
  seedbed.lists[props.kind] = all.filter((text) => text.trim());
  tell("lists");
  piece("count").textContent = counted("count_" + props.kind, all.length);
  markTwins();
}

function markTwins() {
  const first = new Map();
  inputs().forEach((input, index) => {
    const row = input.closest(".row");
    const key = sameKey(input.value);
    const twin = key ? first.get(key) : undefined;
    if (key && twin === undefined) first.set(key, index);
    row.classList.toggle("twin", twin !== undefined);
    input.setAttribute("aria-invalid", String(twin !== undefined));
    row.querySelector(".same")?.remove();
    if (twin !== undefined) row.append(make("p", { className: "same", textContent: word("same", { n: twin + 1 }) }));
  });
}

function draw(focus) {
  list.replaceChildren(...rows.items.map(drawRow), drawNew());
  focusOn(focus);
}
function focusOn(focus) {
  if (!focus) return;
  const row = list.children[Math.min(focus.index, list.children.length - 1)];
  const target = (focus.button && row.querySelector('[data-do="' + focus.button + '"]:not(:disabled)')) || row.querySelector("input");
  target.focus();
  if (focus.caret !== undefined && target.setSelectionRange) target.setSelectionRange(focus.caret, focus.caret);
}

function drawRow(text, index) {
  const input = make("input", { value: text, spellcheck: true, autocomplete: "off", "aria-label": word("one_" + props.kind, { n: index + 1 }) });
  input.addEventListener("focus", () => { renaming = { kind: props.kind, from: input.value, token: {} }; });
  input.addEventListener("input", () => {
    rows.type(index, input.value);
    const alone = rows.items.every((other, i) => i === index || other !== renaming.from);
    if (alone && renaming.from.trim() && input.value.trim()) tell("renamed", { ...renaming, to: input.value });
  });
  input.addEventListener("keydown", (event) => {
    if (event.isComposing) return;
    if (event.key === "Enter") { event.preventDefault(); focusOn({ index: index + 1 }); }
    if (event.key === "Backspace" && !input.value) { event.preventDefault(); rows.remove(index, { index: Math.max(0, index - 1) }, word("empty_removed")); }
    if (event.altKey && (event.key === "ArrowUp" || event.key === "ArrowDown")) {
      event.preventDefault();
      shift(index, event.key === "ArrowUp" ? -1 : 1);
    }
  });
  input.addEventListener("paste", (event) => pasted(event, input, index));
  const remove = () => rows.remove(index, { index, button: "remove" }, word("removed", { text: quoted(input.value) }));
  const buttons = itemButtons({
    names: (what) => word(what + "_" + props.kind, { n: index + 1 }), index, count: rows.items.length, remove,
    opened: openRow === index, open: (yes) => { if (yes) openRow = index; else if (openRow === index) openRow = null; },
    shift: (by, button) => shift(index, by, button),
  });
  return make("li", { className: "row", "data-index": index }, grip(), input, ...buttons);
}
function shift(index, by, button) {
  const to = index + by;
  if (openRow === index) openRow = to;
  rows.move(index, to, { index: to, button }, word("moved", { n: to + 1, all: rows.items.length }));
}

function drawNew() {
  const input = make("input", { value: waiting, spellcheck: true, autocomplete: "off", placeholder: word("add_" + props.kind), "aria-label": word("add_" + props.kind) });
  const settle = (focus) => {
    if (!waiting.trim()) return;
    const text = waiting;
    waiting = "";
    if (!rows.add([text], rows.items.length, focus ? { index: rows.items.length + 1 } : null)) waiting = text;
  };
  input.addEventListener("input", () => { waiting = input.value; changed(); });
  input.addEventListener("keydown", (event) => {
    if (event.isComposing) return;
    if (event.key === "Enter") { event.preventDefault(); settle(true); }
    if (event.key === "Backspace" && !input.value && rows.items.length) { event.preventDefault(); focusOn({ index: rows.items.length - 1 }); }
  });
  // After the focus has moved on, so that a click that took it there still hits its button.
  input.addEventListener("blur", () => setTimeout(() => { if (document.activeElement !== input && document.hasFocus()) keepFocus(() => settle(false)); }, 200));
  input.addEventListener("paste", (event) => pasted(event, input, null));
  return make("li", { className: "row new" }, grip(), input, make("span", { className: "space" }));
}
// Drawing replaces the rows; a person who is already elsewhere in the list stays there.
function keepFocus(action) {
  const at = inputs().indexOf(document.activeElement);
  const caret = at >= 0 ? document.activeElement.selectionStart : undefined;
  action();
  if (at >= 0) focusOn({ index: at, caret });
}

function pasted(event, input, index) {
  const text = event.clipboardData.getData("text/plain");
  if (!/[\r\n]/.test(text)) return;
  event.preventDefault();
  let found = lines(text);
  if (!found.length) return;
  const marked = found.filter((line) => MARK.test(line));
  const asPasted = found;
  if (2 * marked.length > found.length) found = found.map((line) => line.replace(MARK, ""));
  const before = input.value.slice(0, input.selectionStart);
  const after = input.value.slice(input.selectionEnd);
  const between = (rows) => rows.map((line, i) => (i === 0 ? before : "") + line + (i === rows.length - 1 ? after : ""));
  const more = index === null ? found.length : found.length - 1;
  if (rows.items.length + more > props.limit) {
    say(word("too_many_" + props.kind, { n: found.length, limit: props.limit }), true);
    return;
  }
  if (index === null) waiting = "";
  const at = index ?? rows.items.length;
  rows.replace(at, between(found), { index: at + found.length }, word("pasted", { n: found.length }));
  if (found === asPasted) return;
  say(word("unmarked", { n: found.length }));
  const here = rows.items;
  piece("marks").hidden = false;
  piece("marks").onclick = () => {
    if (rows.items !== here) { say(""); return; }
    const back = between(asPasted);
    rows.replaceAll(here.map((text, i) => (i >= at && i < at + back.length ? back[i - at] : text)));
    say("");
    focusOn({ index: at });
  };
}

const rows = orderedList({ limit: props.limit, draw, changed, say });
draggable(list, (from, to) => rows.move(from, to, { index: to }, word("moved", { n: to + 1, all: rows.items.length })));
// From the preview: see shared.js.
if (props.kind === "rules") document.addEventListener("seedbed:rule", ({ detail }) => {
  if (!rows.add([detail.text], rows.items.length)) return;
  detail.undo = () => {
    const index = rows.items.lastIndexOf(detail.text);
    if (index >= 0) rows.remove(index);
  };
});
function fromServer() {
  waiting = "";
  rows.reset(plain(props.value) ?? []);
  announce();
}
watch("value", fromServer);
fromServer();

document.addEventListener("seedbed:add", ({ detail }) => {
  if (detail.kind === props.kind) rows.add([detail.text], rows.items.length);
});
undoable(props.kind, (value) => keepFocus(() => {
  waiting = "";
  rows.reset(value);
  changed();
}), say);
