// Topics by perspectives: how many samples each cell shall have, has, and how many people accepted.
// props.value is the list of { topic, perspective, rows } of cells that differ from an even share; 0 is
// off. "figures" brings { rows, topics, perspectives, cells } as counted by the server.
//
// There may be 500 x 200 cells, so only those in sight are in the page. trigger("select") asks for the
// counts, trigger("submit") for what the missing samples would take.

const NARROWEST = 128, HIGH = 76, NAME = 168, HEAD = 64, AROUND = 2;
let WIDE = NARROWEST; // of a column; few columns share the room there is
const MOST = 1000000;
const grid = piece("grid"), stack = piece("stack");
const narrow = window.matchMedia("(max-width: 720px)");
const count = (number) => number.toLocaleString(LANGUAGE);

let quotas = []; // as in props.value; those of cells that are not in the lists are kept
let topics = [], views = []; // unique, as the lists have them
let topicAt = new Map(), viewAt = new Map();
let fixed = new Int32Array(0), even = new Int32Array(0), written = new Int32Array(0), accepted = new Int32Array(0);
let figures = null;
let active = { row: 0, column: 0 };
let asked = false; // the counts were asked for
let timer = null;

const say = (text, bad) => { piece("said").textContent = text; piece("said").classList.toggle("bad", Boolean(bad)); };
const at = (row, column) => row * views.length + column;
const placed = (topic, view) => {
  const row = topicAt.get(sameKey(topic)), column = viewAt.get(sameKey(view));
  return row === undefined || column === undefined ? -1 : at(row, column);
};
const isEmpty = () => !topics.length || !views.length;
const isOpen = () => document.body.dataset.step === "coverage";
const nameOf = (row, column) => topics[row] + " · " + views[column];

function unique(texts) {
  const found = new Map();
  for (const text of texts) { const key = sameKey(text); if (key && !found.has(key)) found.set(key, text.trim()); }
  return [...found.values()];
}

// What each cell shall have, as pipeline/core/quotas.py tells it.
function compute() {
  const size = topics.length * views.length;
  fixed = new Int32Array(size).fill(-1);
  for (const quota of quotas) { const place = placed(quota.topic, quota.perspective); if (place >= 0) fixed[place] = quota.rows; }
  even = new Int32Array(size);
  const rows = figures?.rows ?? null;
  let free = 0, sum = 0;
  for (const rows of fixed) if (rows < 0) free += 1; else sum += rows;
  if (rows === null || !free) return;
  const left = Math.max(0, rows - sum);
  const share = Math.floor(left / free), more = left % free;
  let seen = 0;
  for (let place = 0; place < size; place++) if (fixed[place] < 0) even[place] = share + (seen++ < more ? 1 : 0);
}
function computeFigures() {
  const size = topics.length * views.length;
  written = new Int32Array(size);
  accepted = new Int32Array(size);
  for (const [row, column, made, good] of figures?.cells ?? []) {
    const place = placed(figures.topics[row], figures.perspectives[column]);
    if (place >= 0) { written[place] += made; accepted[place] += good; }
  }
}
const wanted = (place) => (fixed[place] >= 0 ? fixed[place] : even[place]);

function lists() {
  topics = unique(seedbed.lists.topics);
  views = unique(seedbed.lists.perspectives);
  topicAt = new Map(topics.map((text, index) => [sameKey(text), index]));
  viewAt = new Map(views.map((text, index) => [sameKey(text), index]));
  active = { row: Math.min(active.row, Math.max(0, topics.length - 1)), column: Math.min(active.column, Math.max(0, views.length - 1)) };
  if (!isOpen()) { stale = true; return; }
  compute();
  computeFigures();
  rebuild();
  expectSoon();
}
let stale = true;

// Changes. `next` maps places to rows, null being the even share.
function change(next) {
  const kept = quotas.filter((quota) => !next.has(placed(quota.topic, quota.perspective)));
  const added = [...next].filter(([, rows]) => rows !== null).map(([place, rows]) => ({
    topic: topics[Math.floor(place / views.length)], perspective: views[place % views.length], rows,
  }));
  if (kept.length + added.length > props.limit) { say(word("too_many", { limit: count(props.limit) }), true); return false; }
  put([...kept, ...added]);
  say("");
  return true;
}
function put(next) {
  quotas = next;
  hand(plain(quotas));
  compute();
  refresh();
  expectSoon();
}
const toggle = (places) => {
  const off = !places.every((place) => fixed[place] === 0);
  change(new Map(places.map((place) => [place, off ? 0 : null])));
};
const rowPlaces = (row) => views.map((_, column) => at(row, column));
const columnPlaces = (column) => topics.map((_, row) => at(row, column));

function typed(input, place) {
  const text = input.value.trim().replace(/[\s.,’']/g, "");
  const right = text === "" || (/^\d{1,7}$/.test(text) && Number(text) <= MOST);
  input.setAttribute("aria-invalid", String(!right));
  if (!right) { say(word("number"), true); return; }
  const rows = text === "" ? null : Number(text);
  if (rows === (fixed[place] < 0 ? null : fixed[place])) { say(""); return; }
  if (!change(new Map([[place, rows]]))) show(input, place);
}

// One cell's field, used by the grid and by the list on phones.
function field(place, row, column) {
  const input = make("input", { type: "text", inputMode: "numeric", autocomplete: "off" });
  input.addEventListener("input", () => typed(input, place));
  input.addEventListener("blur", () => show(input, place));
  const button = make("button", { type: "button", className: "icon" });
  button.addEventListener("click", () => toggle([place]));
  describe(input, button, place, row, column);
  return [input, button];
}
function show(input, place) {
  input.value = fixed[place] < 0 ? "" : String(fixed[place]);
  input.setAttribute("aria-invalid", "false");
}
function describe(input, button, place, row, column) {
  if (document.activeElement !== input) show(input, place);
  input.placeholder = figures ? count(even[place]) : "…";
  input.setAttribute("aria-label", word("cell", { topic: topics[row], perspective: views[column], written: count(written[place]), accepted: count(accepted[place]) }));
  mark(button, fixed[place] === 0, nameOf(row, column));
}
function mark(button, off, name) {
  button.textContent = off ? "↺" : "✕";
  button.title = word(off ? "on" : "off", { name });
  button.setAttribute("aria-label", button.title);
}
const have = (place) => (figures ? count(written[place]) + " " + word("written") + (accepted[place] ? " · ✓ " + count(accepted[place]) : "") : "");
function tint(node, place) {
  node.classList.toggle("own", fixed[place] > 0);
  node.classList.toggle("none", fixed[place] === 0);
}

// The grid: lines and cells are made when they come into sight and go when they leave it.
const lines = new Map();
const headed = new Map();
let space = null, heads = null;

function rebuild() {
  stale = false;
  const empty = isEmpty();
  element.querySelector(".coverage").classList.toggle("empty", empty);
  say(empty ? word("nothing") : figures ? "" : word("reading"));
  grid.hidden = empty || narrow.matches;
  stack.hidden = empty || !narrow.matches;
  lines.clear();
  headed.clear();
  grid.replaceChildren();
  stack.replaceChildren();
  totals();
  if (empty) return;
  if (narrow.matches) { drawStack(); return; }
  grid.setAttribute("aria-label", word("grid"));
  grid.setAttribute("aria-rowcount", String(topics.length + 1));
  grid.setAttribute("aria-colcount", String(views.length + 1));
  WIDE = Math.max(NARROWEST, Math.floor((grid.clientWidth - NAME - 1) / views.length));
  heads = make("div", { className: "heads", role: "row", "aria-rowindex": "1" }, make("div", { className: "corner", role: "columnheader", style: "width:" + NAME + "px;height:" + HEAD + "px" }));
  heads.style.height = HEAD + "px";
  space = make("div", { className: "space" }, heads);
  space.style.width = NAME + views.length * WIDE + "px";
  space.style.height = HEAD + topics.length * HIGH + "px";
  grid.append(space);
  look();
}

function look() {
  if (!space || grid.hidden) return;
  const top = Math.max(0, Math.floor((grid.scrollTop - HEAD) / HIGH) - AROUND);
  const bottom = Math.min(topics.length - 1, Math.ceil((grid.scrollTop + grid.clientHeight) / HIGH) + AROUND);
  const first = Math.max(0, Math.floor((grid.scrollLeft - NAME) / WIDE) - AROUND);
  const last = Math.min(views.length - 1, Math.ceil((grid.scrollLeft + grid.clientWidth) / WIDE) + AROUND);
  const seen = (index, low, high, own) => (index >= low && index <= high) || index === own;
  for (const [row, line] of lines) if (!seen(row, top, bottom, active.row)) { line.node.remove(); lines.delete(row); }
  for (const [column, node] of headed) if (!seen(column, first, last, -1)) { node.remove(); headed.delete(column); }
  for (let column = first; column <= last; column++) if (!headed.has(column)) headed.set(column, head(column));
  const rows = new Set([active.row]);
  for (let row = top; row <= bottom; row++) rows.add(row);
  for (const row of rows) {
    const line = lines.get(row) ?? newLine(row);
    for (const [column, cell] of line.cells) if (!seen(column, first, last, row === active.row ? active.column : -1)) { cell.node.remove(); line.cells.delete(column); }
    for (let column = first; column <= last; column++) if (!line.cells.has(column)) newCell(line, row, column);
    if (row === active.row && !line.cells.has(active.column)) newCell(line, row, active.column);
  }
}
function head(column) {
  const button = make("button", { type: "button", className: "icon", tabIndex: -1 });
  button.addEventListener("click", () => toggle(columnPlaces(column)));
  mark(button, columnPlaces(column).every((place) => fixed[place] === 0), views[column]);
  const node = make("div", { className: "view", role: "columnheader", "aria-colindex": String(column + 2), title: views[column] }, make("span", { textContent: views[column] }), button);
  Object.assign(node.style, { left: NAME + column * WIDE + "px", width: WIDE + "px", height: HEAD + "px" });
  heads.append(node);
  return node;
}
function newLine(row) {
  const button = make("button", { type: "button", className: "icon", tabIndex: -1 });
  button.addEventListener("click", () => toggle(rowPlaces(row)));
  const name = make("div", { className: "name", role: "rowheader", title: topics[row] }, make("span", { textContent: topics[row] }), button);
  Object.assign(name.style, { width: NAME + "px", height: HIGH - 1 + "px" });
  const node = make("div", { className: "line", role: "row", "aria-rowindex": String(row + 2) }, name);
  Object.assign(node.style, { top: HEAD + row * HIGH + "px", height: HIGH + "px", width: NAME + views.length * WIDE + "px" });
  const line = { node, button, cells: new Map() };
  mark(button, rowPlaces(row).every((place) => fixed[place] === 0), topics[row]);
  lines.set(row, line);
  space.append(node);
  return line;
}
function newCell(line, row, column) {
  const place = at(row, column);
  const [input, button] = field(place, row, column);
  const sum = make("span", { className: "have", textContent: have(place), "aria-hidden": "true" });
  const node = make("div", { className: "cell", role: "gridcell", "aria-colindex": String(column + 2) }, input, button, sum);
  Object.assign(node.style, { left: NAME + column * WIDE + "px", width: WIDE + "px", height: HIGH - 1 + "px" });
  tint(node, place);
  button.tabIndex = -1;
  input.tabIndex = row === active.row && column === active.column ? 0 : -1;
  input.addEventListener("focus", () => activate(row, column));
  input.addEventListener("keydown", (event) => move(event, input, row, column));
  line.cells.set(column, { node, input, button, sum });
  line.node.append(node);
}
function activate(row, column) {
  const before = lines.get(active.row)?.cells.get(active.column);
  if (before) before.input.tabIndex = -1;
  active = { row, column };
  const now = lines.get(row)?.cells.get(column);
  if (now) now.input.tabIndex = 0;
}
function move(event, input, row, column) {
  if (event.isComposing || event.altKey || event.metaKey) return;
  const whole = input.selectionStart === 0 && input.selectionEnd === input.value.length;
  const start = whole || (input.selectionStart === 0 && input.selectionEnd === 0);
  const end = whole || input.selectionStart === input.value.length;
  const steps = { ArrowUp: [-1, 0], ArrowDown: [1, 0], Enter: [1, 0], ...(start ? { ArrowLeft: [0, -1] } : {}), ...(end ? { ArrowRight: [0, 1] } : {}) };
  if (event.key === " ") { event.preventDefault(); toggle([at(row, column)]); show(input, at(row, column)); return; }
  if (event.ctrlKey && event.key === "Home") { event.preventDefault(); goTo(0, 0); return; }
  if (event.ctrlKey && event.key === "End") { event.preventDefault(); goTo(topics.length - 1, views.length - 1); return; }
  const step = steps[event.key];
  if (!step) return;
  event.preventDefault();
  goTo(row + step[0], column + step[1]);
}
function goTo(row, column) {
  if (row < 0 || column < 0 || row >= topics.length || column >= views.length) return;
  const top = row * HIGH, left = column * WIDE;
  if (grid.scrollTop > top) grid.scrollTop = top;
  if (grid.scrollTop + grid.clientHeight < HEAD + top + HIGH) grid.scrollTop = HEAD + top + HIGH - grid.clientHeight;
  if (grid.scrollLeft > left) grid.scrollLeft = left;
  if (grid.scrollLeft + grid.clientWidth < NAME + left + WIDE) grid.scrollLeft = NAME + left + WIDE - grid.clientWidth;
  activate(row, column);
  look();
  const input = lines.get(row).cells.get(column).input;
  input.focus({ preventScroll: true });
  input.select();
}

// Values of what is in the page, after a change.
function refresh() {
  for (const [row, line] of lines) {
    mark(line.button, rowPlaces(row).every((place) => fixed[place] === 0), topics[row]);
    for (const [column, cell] of line.cells) {
      const place = at(row, column);
      describe(cell.input, cell.button, place, row, column);
      cell.sum.textContent = have(place);
      tint(cell.node, place);
    }
  }
  for (const [column, node] of headed) mark(node.querySelector("button"), columnPlaces(column).every((place) => fixed[place] === 0), views[column]);
  if (narrow.matches) refreshStack();
  totals();
}

// On a phone: a fold for each topic; what is in it is made when it is opened.
let folds = [];
function drawStack() {
  folds = topics.map((topic, row) => {
    const sum = make("span", { className: "sum" });
    const node = make("details", {}, make("summary", {}, make("span", { textContent: topic }), sum));
    const fold = { node, sum, row, picks: null, all: null };
    node.addEventListener("toggle", () => { if (node.open && !fold.picks) fillFold(fold); });
    stack.append(node);
    return fold;
  });
  refreshStack();
  if (folds.length === 1) folds[0].node.open = true;
}
function fillFold(fold) {
  fold.all = make("button", { type: "button", className: "text" });
  fold.all.addEventListener("click", () => toggle(rowPlaces(fold.row)));
  fold.node.append(fold.all);
  fold.picks = views.map((view, column) => {
    const place = at(fold.row, column);
    const [input, button] = field(place, fold.row, column);
    const sum = make("small", { textContent: "" });
    fold.node.append(make("div", { className: "pick" }, make("span", {}, view, sum), input, button));
    return { input, button, sum, place, column };
  });
  refreshStack();
}
function refreshStack() {
  for (const fold of folds) {
    const places = rowPlaces(fold.row);
    const off = places.every((place) => fixed[place] === 0);
    const rows = places.reduce((sum, place) => sum + wanted(place), 0);
    fold.sum.textContent = off ? word("is_off") : figures ? count(rows) : "…";
    if (!fold.picks) continue;
    fold.all.textContent = word(off ? "on" : "off", { name: topics[fold.row] });
    for (const { input, button, sum, place, column } of fold.picks) {
      describe(input, button, place, fold.row, column);
      sum.textContent = have(place);
    }
  }
}

function totals() {
  const add = (numbers) => numbers.reduce((sum, number) => sum + number, 0);
  let rows = 0, off = 0, own = 0;
  for (let place = 0; place < fixed.length; place++) { rows += wanted(place); off += fixed[place] === 0; own += fixed[place] >= 0; }
  const shown = [["wanted", figures ? rows : null], ["written", figures ? add(written) : null], ["accepted", figures ? add(accepted) : null], ["off_cells", off]];
  piece("totals").replaceChildren(...shown.map(([name, number]) =>
    make("div", {}, make("dt", { textContent: word(name) }), make("dd", { textContent: number === null ? "…" : count(number), "data-total": name }))));
  piece("even").disabled = !quotas.length;
  const differs = figures && own && rows !== figures.rows;
  piece("advice").textContent = differs ? word(rows > figures.rows ? "more" : "fewer", { sum: count(rows), rows: count(figures.rows) }) : "";
}

function expectSoon() {
  clearTimeout(timer);
  if (figures && isOpen()) timer = setTimeout(() => trigger("submit"), 400);
}
function opened() {
  if (!isOpen()) return;
  if (stale) lists(); else expectSoon();
  if (!asked && document.body.dataset.seedbed === "ready") { asked = true; if (!isEmpty()) say(word("reading")); trigger("select"); }
}

undoable("quotas", put, say);
piece("even").addEventListener("click", () => { put([]); say(word("evened")); });

// Numbers follow the topic or perspective they are for when that is renamed.
let following = { token: null, at: new Set() };
document.addEventListener("seedbed:renamed", ({ detail: { kind, from, to, token } }) => {
  const name = { topics: "topic", perspectives: "perspective" }[kind];
  if (!name) return;
  if (following.token !== token) {
    following = { token, at: new Set(quotas.flatMap((quota, i) => (sameKey(quota[name]) === sameKey(from) ? [i] : []))) };
  }
  if (following.at.size) put(quotas.map((quota, i) => (following.at.has(i) ? { ...quota, [name]: to } : quota)));
});
piece("refresh").addEventListener("click", () => { asked = true; say(word("reading")); trigger("select"); });
grid.addEventListener("scroll", () => requestAnimationFrame(look), { passive: true });
new ResizeObserver(() => look()).observe(grid);
narrow.addEventListener("change", () => { if (isOpen()) rebuild(); else stale = true; });
new MutationObserver(opened).observe(document.body, { attributes: true, attributeFilter: ["data-step", "data-seedbed"] });
document.addEventListener("seedbed:lists", lists);
document.addEventListener("seedbed:figures", ({ detail }) => {
  say(isEmpty() ? word("nothing") : "");
  if (detail.failed) return;
  figures = detail;
  compute();
  computeFigures();
  refresh();
});
function fromServer() {
  quotas = plain(props.value) ?? [];
  stale = true;
  if (isOpen()) lists();
}
watch("value", fromServer);
fromServer();
opened();
