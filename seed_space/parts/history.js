// Who saved what when. props.value is { entries: [{ name, at, by, fields, restored, restored_at,
// outside, readable }], more, outside, error, exactly, note, comparison: { name, other, html } }, with `html`
// made safe by the server. It asks for the newest lines whenever its step is opened.

const list = piece("list");
const FRESH = 20_000; // milliseconds for which what was read is good enough
let asked = 0;
let comparing = null; // name of the version whose comparison is open
let focusOn = null;

const when = (at) => {
  const date = new Date(at);
  return isNaN(date) ? at : date.toLocaleString([], { dateStyle: "medium", timeStyle: "short" });
};
const fieldNames = (fields) => fields.map((field) => (WORDS["field_" + field] ? word("field_" + field) : field)).join(", ");
const act = (what) => { say(""); trigger("submit", what); };
const say = (text, bad, ...more) => {
  piece("said").replaceChildren(text, ...more);
  piece("said").classList.toggle("bad", Boolean(bad));
};

function draw() {
  const value = plain(props.value);
  if (!value) return;
  const { entries, more, outside, error, note, comparison } = value;
  comparing = comparison?.name ?? null;
  list.replaceChildren(...entries.map((entry) => drawEntry(entry, entries, comparison)));
  if (!entries.length && !outside.length) list.append(make("li", { className: "none", textContent: word("none") }));
  piece("more").hidden = !more;
  piece("outside").hidden = !outside.length;
  piece("outside").textContent = outside.length ? word("outsideNow", { fields: fieldNames(outside) }) : "";
  const newest = entries[0];
  piece("last").textContent = outside.length || newest?.outside ? word("lastOutside")
    : newest ? word("last", { who: newest.by || word("owner"), when: when(newest.at) }) : "";
  if (error) { const [text, ...fold] = explained(value); say(text, true, ...fold); piece("fold").open = true; }
  if (note) drawNote(note);
  if (focusOn) { (list.querySelector('[data-focus="' + focusOn + '"]') ?? piece("fold").querySelector("summary")).focus(); focusOn = null; }
}

function drawNote(note) {
  const undo = make("button", { type: "button", className: "text", textContent: word("undo") });
  undo.addEventListener("click", () => act({ do: "undo" }));
  say(note.kind === "restored" ? word("restored", { when: when(note.at) }) : word("undone"));
  if (note.kind === "restored") { piece("said").append(" ", undo); undo.focus({ preventScroll: true }); piece("said").scrollIntoView({ block: "nearest" }); }
}

function drawEntry(entry, entries, comparison) {
  const date = when(entry.at);
  const title = make("p", { className: "title" }, make("strong", { textContent: date }), " · ", entry.outside ? word("outside") : entry.by || word("owner"));
  const told = [entry.readable ? fieldNames(entry.fields) : word("unreadable")];
  if (entry.restored) told.push(word("restoredFrom", { when: entry.restored_at ? when(entry.restored_at) : word("anEarlier") }));
  const what = make("p", { className: "quiet", textContent: told.filter(Boolean).join(" · ") });
  const item = make("li", {}, make("div", { className: "line" }, make("div", { className: "about" }, title, what)));
  if (!entry.readable) return item;
  const open = comparison?.name === entry.name;
  const compare = make("button", { type: "button", className: "text", textContent: word(open ? "close" : "compare"), "aria-label": open ? word("close") : word("compareName", { when: date }), "aria-expanded": String(open), "data-focus": "compare " + entry.name });
  compare.addEventListener("click", () => {
    focusOn = "compare " + entry.name;
    if (!open) act({ do: "compare", name: entry.name, other: "screen" });
    else { props.value = { ...plain(props.value), comparison: null, note: null, error: null }; draw(); }
  });
  const restore = make("button", { type: "button", className: "text", textContent: word("restore"), "aria-label": word("restoreName", { when: date }) });
  restore.addEventListener("click", () => act({ do: "restore", name: entry.name }));
  item.querySelector(".line").append(make("div", { className: "acts" }, compare, restore));
  if (open) item.append(drawComparison(entry, entries, comparison));
  return item;
}

function drawComparison(entry, entries, comparison) {
  const others = entries.filter((other) => other.name !== entry.name && other.readable);
  const choice = make("select", { "aria-label": word("with"), "data-focus": "other " + entry.name },
    make("option", { value: "screen", textContent: word("screen") }),
    ...others.map((other) => make("option", { value: other.name, textContent: when(other.at) + " · " + (other.outside ? word("outside") : other.by || word("owner")) })));
  choice.value = comparison.other;
  choice.addEventListener("change", () => { focusOn = "other " + entry.name; act({ do: "compare", name: entry.name, other: choice.value }); });
  const result = make("div", { className: "result" });
  result.innerHTML = comparison.html;
  return make("div", { className: "comparison" }, make("label", { className: "with" }, make("span", { textContent: word("with") }), choice), result);
}

piece("more").addEventListener("click", () => act({ do: "older" }));

new IntersectionObserver((seen) => {
  if (!seen.some((one) => one.isIntersecting) || Date.now() - asked < FRESH) return;
  asked = Date.now();
  if (!props.value) piece("last").textContent = word("loading");
  trigger("expand");
}, { rootMargin: "100000px" }).observe(element); // anywhere on the step that is shown
watch("value", draw);
draw();
