// Short texts in order: topics, or perspectives. props.value is the list of texts; props.kind names
// the list, props.one and props.many name what is in it.
//
// The last field is always empty and waits for the next text. What stands in it counts as a row.

const list = piece("list");
let waiting = ""; // what stands in the last field

const say = (text, bad) => {
  piece("said").textContent = text;
  piece("said").classList.toggle("bad", Boolean(bad));
};
const texts = () => (waiting.trim() ? [...rows.items, waiting] : rows.items);
const inputs = () => [...list.querySelectorAll("input")];
const capital = (text) => text[0].toUpperCase() + text.slice(1);
const lines = (text) => text.split(/\r\n|\r|\n/).filter((line) => line.trim());

function changed() {
  props.value = texts();
  announce();
}
function announce() {
  const all = texts();
  seedbed.lists[props.kind] = all.filter((text) => text.trim());
  tell("lists");
  piece("undo").disabled = !rows.canUndo;
  piece("count").textContent = all.length === 1 ? "1 " + props.one : all.length + " " + props.many;
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
    if (twin !== undefined) row.append(make("p", { className: "same", textContent: "The same as row " + (twin + 1) + "." }));
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
  const input = make("input", { value: text, spellcheck: true, autocomplete: "off", "aria-label": capital(props.one) + " " + (index + 1) });
  input.addEventListener("input", () => rows.type(index, "row " + index, input.value));
  input.addEventListener("keydown", (event) => {
    if (event.isComposing) return;
    if (event.key === "Enter") { event.preventDefault(); focusOn({ index: index + 1 }); }
    if (event.key === "Backspace" && !input.value) { event.preventDefault(); rows.remove(index, { index: Math.max(0, index - 1) }, "Empty row removed."); }
    if (event.altKey && (event.key === "ArrowUp" || event.key === "ArrowDown")) {
      event.preventDefault();
      shift(index, event.key === "ArrowUp" ? -1 : 1);
    }
  });
  input.addEventListener("paste", (event) => pasted(event, input, index));
  const remove = () => rows.remove(index, { index, button: "remove" }, "Removed " + quoted(input.value) + ". Undo brings it back.");
  const buttons = itemButtons(props.one + " " + (index + 1), index, rows.items.length, (by, button) => shift(index, by, button), remove);
  return make("li", { className: "row", "data-index": index }, grip(), input, ...buttons);
}
function shift(index, by, button) {
  const to = index + by;
  rows.move(index, to, { index: to, button }, "Now row " + (to + 1) + " of " + rows.items.length + ".");
}

function drawNew() {
  const input = make("input", { value: waiting, spellcheck: true, autocomplete: "off", placeholder: "Add a " + props.one, "aria-label": "Add a " + props.one });
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
  const found = lines(text);
  if (!found.length) return;
  const before = input.value.slice(0, input.selectionStart);
  const after = input.value.slice(input.selectionEnd);
  found[0] = before + found[0];
  found[found.length - 1] += after;
  const more = index === null ? found.length : found.length - 1;
  if (rows.items.length + more > props.limit) {
    say(found.length.toLocaleString() + " lines do not fit: there can be at most " + props.limit + " " + props.many + ". Nothing was added.", true);
    return;
  }
  if (index === null) waiting = "";
  const at = index ?? rows.items.length;
  rows.replace(at, found, { index: at + found.length }, found.length + " rows added.");
}

const rows = orderedList({ limit: props.limit, draw, changed, say });
piece("undo").addEventListener("click", () => rows.undo());
document.addEventListener("seedbed:add", ({ detail }) => { if (detail.kind === props.kind) rows.add([detail.text], rows.items.length); });
draggable(list, (from, to) => rows.move(from, to, { index: to }, "Now row " + (to + 1) + "."));
function fromServer() {
  waiting = "";
  rows.reset(plain(props.value) ?? []);
  announce();
}
watch("value", fromServer);
fromServer();
