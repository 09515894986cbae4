// Documents: choose or drop files, see what became of each, look into them, take them out of use.
// The server answers with plain values; every text is put in with textContent.

const PAGE_STEP = "documents";
const arriving = piece("arriving");
const list = piece("list");
const input = piece("input");
let documents = [];
let may = "write";
let busy = Promise.resolve(); // uploads wait for each other, so that each commit is one of ours
const open = new Map(); // what is looked into, by name

const say = (text, bad) => {
  piece("said").textContent = text;
  piece("said").classList.toggle("bad", Boolean(bad));
};
const size = (bytes) => word("megabytes", { n: Math.round(bytes / 1e6) });
const when = (text) => new Date(text).toLocaleDateString(LOCALE, { day: "numeric", month: "short", year: "numeric" });
const reason = (key, name, most) => word("refused_" + key, { name, most: typeof most === "string" && /^[\d,]+$/.test(most) ? Number(most.replaceAll(",", "")) : most });
const trouble = (reply) => (reply.error === "other" ? word("error_other", { text: reply.text }) : reply.error === "refused" ? reason(reply.reason, "", reply.most) : word("error_" + reply.error));

async function ask(name, asked = {}) {
  try {
    return await server[name](asked);
  } catch {
    return { error: "away" };
  }
}

// ---- arriving ---------------------------------------------------------------------------------

function row(file) {
  const text = make("span", { className: "what" });
  const node = make("li", {}, make("strong", { textContent: file.name }), text);
  arriving.append(node);
  return {
    file,
    show(kind, words) {
      node.className = kind;
      text.textContent = words;
    },
  };
}

function take(files) {
  if (may !== "write") return say(word("error_" + (may === "read" ? "not_allowed" : may)), true);
  arriving.replaceChildren();
  say("");
  const rows = [...files].map(row);
  rows.forEach((each) => each.show("waits", word("waits")));
  busy = busy.then(() => bring(rows));
}

async function bring(rows) {
  let ready = [];
  for (const each of rows) {
    if (each.file.size > props.limits.bytes) {
      each.show("bad", reason("too_large", each.file.name, size(props.limits.bytes)));
      continue;
    }
    if (!each.file.size) {
      each.show("bad", reason("empty", each.file.name));
      continue;
    }
    each.show("comes", word("comes"));
    try {
      each.path = (await upload(each.file)).path;
    } catch {
      each.show("bad", word("not_sent"));
      continue;
    }
    each.show("comes", word("reading"));
    ready.push(each);
    if (ready.length === props.limits.at_once) { await keep(ready); ready = []; }
  }
  if (ready.length) await keep(ready);
  trigger("input");
}

async function keep(rows) {
  const reply = await ask("add", { files: rows.map((each) => ({ path: each.path, name: each.file.name })) });
  if (reply.error) return rows.forEach((each) => each.show("bad", trouble(reply)));
  reply.results.forEach((result, index) => {
    const each = rows[index];
    const name = each.file.name;
    if (result.outcome === "refused") return each.show("bad", reason(result.reason, name, result.most));
    const beside = result.beside ? " " + word("beside", { name: result.beside }) : "";
    each.show("good", word("outcome_" + result.outcome) + beside);
  });
  documents = reply.documents;
  draw();
}

// ---- the list ---------------------------------------------------------------------------------

function draw() {
  const used = documents.filter((one) => !one.removed);
  const gone = documents.filter((one) => one.removed);
  piece("empty").hidden = documents.length > 0;
  list.replaceChildren(...used.map(drawUsed), ...gone.map(drawGone));
  const state = piece("state");
  state.hidden = may === "write";
  state.textContent = may === "write" ? "" : word("may_" + may);
  piece("drop").classList.toggle("off", may !== "write");
  input.disabled = may !== "write";
}

function facts(one) {
  const parts = [one.kind.toUpperCase()];
  if (one.pages !== null) parts.push(counted("pages", one.pages));
  parts.push(counted("characters", one.characters), counted("passages", one.passages));
  parts.push(one.added_by ? word("added_by", { when: when(one.added_at), who: one.added_by }) : when(one.added_at));
  return parts.join(" · ");
}

function button(kind, key, name, act) {
  const node = make("button", { type: "button", className: kind, textContent: word(key), "aria-label": word(key) + ": " + name });
  node.addEventListener("click", act);
  return node;
}

function drawUsed(one) {
  const about = make("div", { className: "about" }, make("strong", { textContent: one.title }), make("p", { className: "facts", textContent: facts(one) }));
  if (one.title !== one.name) about.append(make("p", { className: "facts file", textContent: one.name }));
  const look = button("text", open.has(one.name) ? "close" : "look", one.title, () => toggle(one));
  look.setAttribute("aria-expanded", String(open.has(one.name)));
  look.dataset.do = "look";
  const buttons = make("div", { className: "buttons" }, look);
  if (may === "write") buttons.append(button("text", "remove", one.title, () => change("removed", one)));
  const node = make("li", { "data-document": one.name }, make("div", { className: "line" }, about, buttons));
  if (open.has(one.name)) node.append(drawText(one));
  return node;
}

function drawGone(one) {
  const about = make("div", { className: "about" }, make("strong", { textContent: one.title }), make("p", { className: "facts", textContent: word("gone") }));
  const buttons = make("div", { className: "buttons" });
  if (may === "write") buttons.append(button("text", "restore", one.title, () => change("restored", one)));
  return make("li", { className: "gone", "data-document": one.name }, make("div", { className: "line" }, about, buttons));
}

async function change(act, one) {
  const reply = await ask(act, { name: one.name });
  if (reply.error) return say(trouble(reply), true);
  documents = reply.documents;
  open.delete(one.name);
  draw();
  say(word(act, { name: quoted(one.title) }));
  // Where the person was, the button that takes it back is next.
  list.querySelector('[data-document="' + CSS.escape(one.name) + '"] button:last-child')?.focus();
  trigger("input");
}

// ---- looking into one -------------------------------------------------------------------------

async function toggle(one) {
  if (open.delete(one.name)) draw();
  else await look(one, 0);
  list.querySelector('[data-document="' + CSS.escape(one.name) + '"] [data-do=look]')?.focus();
}

async function look(one, at) {
  const reply = await ask("opened", { name: one.name, at });
  if (reply.error) return say(trouble(reply), true);
  open.set(one.name, reply);
  draw();
}

function drawText(one) {
  const { at, of, passages } = open.get(one.name);
  const shown = passages.map((text) => make("li", { textContent: text }));
  const node = make("div", { className: "inside" }, make("ol", { start: at + 1, tabIndex: 0, "aria-label": one.title }, ...shown));
  if (of > passages.length) {
    const step = passages.length;
    const turn = (key, to, off) => {
      const turned = button("plain", key, one.title, async () => {
        await look(one, to);
        list.querySelector('[data-document="' + CSS.escape(one.name) + '"] .inside ol')?.focus();
      });
      turned.disabled = off;
      return turned;
    };
    const where = make("span", { textContent: word("which", { from: at + 1, to: at + step, of }) });
    node.append(make("div", { className: "turn" }, turn("before", Math.max(0, at - 20), at === 0), where, turn("after", at + step, at + step >= of)));
  }
  return node;
}

// ---- choosing and dropping --------------------------------------------------------------------

input.addEventListener("change", () => {
  if (input.files.length) take(input.files);
  input.value = "";
});
const drop = piece("drop");
const carries = (event) => [...(event.dataTransfer?.types ?? [])].includes("Files");
for (const name of ["dragenter", "dragover"]) {
  drop.addEventListener(name, (event) => {
    if (!carries(event)) return;
    event.preventDefault();
    drop.classList.add("over");
  });
}
for (const name of ["dragleave", "drop"]) drop.addEventListener(name, () => drop.classList.remove("over"));
drop.addEventListener("drop", (event) => {
  if (!carries(event)) return;
  event.preventDefault();
  take(event.dataTransfer.files);
});

piece("hint").textContent = word("hint", { size: size(props.limits.bytes), n: props.limits.documents });

async function load() {
  const reply = await ask("listed");
  if (reply.error) return say(trouble(reply), true);
  ({ documents, may } = reply);
  draw();
}
// Read when somebody comes to the step, since others may have added some meanwhile.
let last = "";
new MutationObserver(() => {
  const step = document.body.dataset.step;
  if (step === PAGE_STEP && last !== PAGE_STEP) load();
  last = step;
}).observe(document.body, { attributes: true, attributeFilter: ["data-step"] });
last = document.body.dataset.step;
if (last === PAGE_STEP) load();
