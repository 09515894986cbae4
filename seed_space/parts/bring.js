// Brings in what a person has already. props.value is nothing, or what the server found: { name,
// tables: [{ name, headed, rows, columns: [{ name, role, samples }] }], fields: [{ field, kind, new,
// known, count, now, over, samples, mode }], left_out }, or { error, exactly }, or { done: { kind, name } }.
// Nothing here is written anywhere; putting it onto the page is a change like any other.

const ROLES = ["topic", "perspective", "question", "answer", "rule", "domain", "description", "expert", "language"];
const preview = piece("preview");
let modes = {};
let heldBy = null; // name of what `modes` belongs to

const act = (what) => trigger("submit", what);
const say = (text, bad, ...more) => {
  piece("said").replaceChildren(text, ...more);
  piece("said").classList.toggle("bad", Boolean(bad));
};
const button = (text, className, action) => {
  const node = make("button", { type: "button", className, textContent: text });
  node.addEventListener("click", action);
  return node;
};

function send(file) {
  if (!file) return;
  if (file.size > props.limit) { say(word("tooLarge", { mb: (props.limit / 1e6).toFixed(0) }), true); return; }
  heldBy = null;
  say(word("reading", { name: file.name }));
  preview.replaceChildren();
  const reader = new FileReader();
  reader.onerror = () => say(word("unreadable"), true);
  reader.onload = () => act({ do: "file", name: file.name, data: reader.result.slice(reader.result.indexOf(",") + 1) });
  reader.readAsDataURL(file);
}

piece("file").addEventListener("change", () => { send(piece("file").files[0]); piece("file").value = ""; });
const drop = piece("drop");
drop.addEventListener("dragover", (event) => { event.preventDefault(); drop.classList.add("over"); });
drop.addEventListener("dragleave", () => drop.classList.remove("over"));
drop.addEventListener("drop", (event) => { event.preventDefault(); drop.classList.remove("over"); send(event.dataTransfer.files[0]); });
piece("form").addEventListener("submit", (event) => {
  event.preventDefault();
  const name = piece("name").value.trim();
  if (!name) { piece("name").focus(); return; }
  heldBy = null;
  say(word("reading", { name }));
  preview.replaceChildren();
  act({ do: "project", name });
});

function draw() {
  const value = plain(props.value);
  if (!value) return;
  if (value.error) { const [text, ...more] = explained(value); say(text, true, ...more); if (!value.again) preview.replaceChildren(); return; }
  if (!value.fields) {
    preview.replaceChildren();
    const { kind, name } = value.done ?? {};
    if (kind === "put") {
      const undo = button(word("undo"), "text", () => act({ do: "undo" }));
      say(word("put", { name }) + " ", false, undo);
      undo.focus();
    } else say(kind === "undone" ? word("undone") : kind === "same" ? word("same") : "");
    return;
  }
  piece("fold").open = true;
  say("");
  if (heldBy !== value.name) modes = {};
  heldBy = value.name;
  const active = preview.contains(document.activeElement) ? document.activeElement.id : null;
  const tables = value.tables.map((table, index) => drawTable(table, index, value.tables));
  const parts = [make("h4", { textContent: value.name }), ...tables];
  if (value.fields.length) parts.push(drawAll(value.fields), drawFields(value.fields));
  else parts.push(make("p", { className: "quiet", textContent: word("sayColumns") }));
  if (value.left_out.length) parts.push(make("p", { className: "quiet", textContent: word("leftOut", { names: value.left_out.join(", ") }) }));
  const put = button(word("onto"), "onto", () => act({ do: "put", modes: chosen(value.fields), tables: told(value.tables) }));
  put.disabled = !value.fields.length;
  parts.push(make("div", { className: "ends" }, put, button(word("close"), "text", () => act({ do: "close" }))));
  preview.replaceChildren(make("div", { className: "preview" }, ...parts));
  if (active) document.getElementById(active)?.focus();
}

const told = (tables) => tables.map((table) => ({ headed: table.headed, roles: table.columns.map((column) => column.role) }));
const chosen = (fields) => Object.fromEntries(fields.map((row) => [row.field, modes[row.field] ?? row.mode]));

function drawTable(table, index, tables) {
  const change = (update) => {
    const next = tables.map((one, i) => (i === index ? update(one) : one));
    act({ do: "roles", tables: told(next) });
  };
  const columns = table.columns.map((column, at) => {
    const name = column.name || word("column", { n: at + 1 });
    const select = make("select", { id: "bring-role-" + index + "-" + at, "aria-label": word("columnIs", { name }) },
      make("option", { value: "", textContent: word("role_none") }),
      ...ROLES.map((role) => make("option", { value: role, textContent: word("role_" + role) })));
    select.value = column.role;
    select.addEventListener("change", () => change((one) => ({ ...one, columns: one.columns.map((old, i) => (i === at ? { ...old, role: select.value } : old)) })));
    return make("div", { className: "column" }, make("strong", { textContent: name }),
      ...column.samples.map((text) => make("span", { className: "sample", textContent: text, title: text })), select);
  });
  const box = make("input", { type: "checkbox", checked: table.headed, id: "bring-headed-" + index });
  box.addEventListener("change", () => change((one) => ({ ...one, headed: box.checked })));
  return make("section", {}, make("p", { className: "quiet", textContent: (table.name ? table.name + " · " : "") + word("whatColumns") }),
    make("label", { className: "headed" }, box, make("span", { textContent: word("headed") })),
    make("div", { className: "columns" }, ...columns));
}

function drawAll(fields) {
  const all = (mode) => {
    for (const row of fields) if (row.kind === "list" || mode === "replace") modes[row.field] = mode;
    for (const row of fields) if (row.kind === "text" && mode === "add") modes[row.field] = row.now ? "leave" : "replace";
    draw();
  };
  return make("div", { className: "all" }, button(word("addAll"), "text", () => all("add")), button(word("replaceAll"), "text", () => all("replace")));
}

function drawFields(fields) {
  return make("ol", { className: "fields" }, ...fields.map((row) => {
    const nothing = row.kind === "text" ? !row.new : false;
    const picked = modes[row.field] ?? row.mode;
    const choices = nothing ? [] : row.kind === "text" ? ["replace", "leave"] : ["add", "replace", "leave"];
    const inputs = choices.map((mode) => {
      const input = make("input", { type: "radio", name: "bring-" + row.field, value: mode, checked: picked === mode });
      input.addEventListener("change", () => { modes[row.field] = mode; });
      return make("label", {}, input, make("span", { textContent: word(row.kind === "text" && mode === "replace" && !row.now ? "take" : mode) }));
    });
    const counts = nothing ? word("sameText")
      : row.kind === "text" ? ""
      : word("counts", { count: row.count, fresh: row.new, known: row.known, now: row.now });
    const parts = [make("legend", { textContent: word("field_" + row.field) })];
    if (counts) parts.push(make("p", { className: "quiet", textContent: counts }));
    parts.push(make("p", { className: "sample", textContent: row.samples.join(" · ") }));
    if (row.over) parts.push(make("p", { className: "amber", textContent: word("over", { n: row.over }) }));
    if (inputs.length) parts.push(make("div", { className: "modes" }, ...inputs));
    return make("li", {}, make("fieldset", {}, ...parts));
  }));
}

watch("value", draw);
draw();
