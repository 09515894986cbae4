// What may be changed while people annotate. Nothing is overwritten that somebody else has saved
// since this form was filled: then both are shown, and the lead chooses.

const ALL_TASKS = ["thumbs", "pairwise", "rate", "edit", "instruction", "exam"];
const CHECKS = ["show_topic", "show_source", "show_models", "blind_exam", "pseudonyms"];
const LISTS = ["people", "leads"];
const SHARES = ["repeats", "controls"];
const COUNTS = ["overlap", "instructions"];
const FIELDS = ["tasks", "mix", ...COUNTS, ...SHARES, "show_topic", "show_source", "show_models", "blind_exam", "guidelines", "annotate", ...LISTS, "pseudonyms"];

const form = part("settings");
let saved = null; // the settings as they are in the project
let etag = null; // guards them
let loading = false;

part("set-tasks").append(...ALL_TASKS.map((task) => make("div", { className: "task", "data-task": task },
  make("label", { className: "check" }, make("input", { type: "checkbox", name: `task_${task}` }), " ", taskName(task)),
  make("label", { className: "weight" }, make("span", { textContent: say("weight") }), make("input", { type: "number", name: `weight_${task}`, min: "0.1", max: "100", step: "any", inputMode: "decimal" })))));

async function openSettings() {
  if (saved || loading) return;
  loading = true;
  show("settings-state", true);
  part("settings-state").textContent = say("loading");
  try {
    takeSettings(await ask("configure", {}));
  } catch (error) {
    part("settings-state").replaceChildren(error.message, " ", again(openSettings));
  } finally {
    loading = false;
  }
}
function again(act) {
  const button = make("button", { type: "button", className: "act", textContent: say("try_again") });
  button.addEventListener("click", act);
  return button;
}

function takeSettings(reply) {
  saved = reply.settings;
  etag = reply.etag;
  fill(saved);
  show("settings-state", false);
  show("settings", true);
}

function fill(values) {
  for (const task of ALL_TASKS) {
    form.elements[`task_${task}`].checked = values.tasks.includes(task);
    form.elements[`weight_${task}`].value = values.mix[task] ?? 1;
  }
  for (const name of COUNTS) form.elements[name].value = values[name];
  for (const name of SHARES) form.elements[name].value = Math.round(values[name] * 1000) / 10;
  for (const name of CHECKS) form.elements[name].checked = values[name];
  for (const name of LISTS) form.elements[name].value = values[name].join("\n");
  form.elements.guidelines.value = values.guidelines;
  form.elements.annotate.value = values.annotate;
  wrongFields({});
  noteChanges();
}

function filled() {
  const numeric = (name) => (form.elements[name].value.trim() === "" ? null : Number(form.elements[name].value));
  // Tasks keep the order they have in the project; new ones come last.
  const chosen = ALL_TASKS.filter((task) => form.elements[`task_${task}`].checked);
  const tasks = [...saved.tasks.filter((task) => chosen.includes(task)), ...chosen.filter((task) => !saved.tasks.includes(task))];
  const mix = {};
  for (const task of tasks) if (numeric(`weight_${task}`) !== 1) mix[task] = numeric(`weight_${task}`);
  const values = { tasks, mix, guidelines: form.elements.guidelines.value, annotate: form.elements.annotate.value };
  for (const name of COUNTS) values[name] = numeric(name);
  for (const name of SHARES) values[name] = numeric(name) === null ? null : Math.round(numeric(name) * 10) / 1000;
  for (const name of CHECKS) values[name] = form.elements[name].checked;
  for (const name of LISTS) values[name] = form.elements[name].value.split(/[\s,;]+/).filter(Boolean);
  return values;
}

// Weights of 1 need not be written down, and no order of keys makes a difference.
function same(name, one, other) {
  const plain = (value) => (name === "mix" ? Object.entries(value).filter(([, weight]) => weight !== 1).sort() : value);
  return JSON.stringify(plain(one)) === JSON.stringify(plain(other));
}
function changes() {
  const values = filled();
  return Object.fromEntries(FIELDS.filter((name) => !same(name, values[name], saved[name])).map((name) => [name, values[name]]));
}

function noteChanges() {
  const some = Object.keys(changes()).length > 0;
  part("reset").disabled = !some;
  part("save").disabled = !some;
  part("save-said").textContent = some ? say("unsaved") : "";
  for (const task of ALL_TASKS) form.elements[`weight_${task}`].disabled = !form.elements[`task_${task}`].checked;
  form.querySelector('[data-field="instructions"]').hidden = !form.elements.task_instruction.checked;
  form.querySelector('[data-field="people"]').hidden = form.elements.annotate.value !== "named";
}
form.addEventListener("input", noteChanges);
form.addEventListener("change", noteChanges);
part("reset").addEventListener("click", () => fill(saved));

form.addEventListener("submit", (event) => {
  event.preventDefault();
  save(changes());
});

async function save(fields) {
  if (!Object.keys(fields).length) return;
  part("save").disabled = true;
  wrongFields({});
  part("save-said").textContent = say("saving_now");
  let reply;
  try {
    reply = await ask("configure", { etag, fields });
  } catch (error) {
    noteChanges();
    part("save-said").textContent = error.message;
    return;
  }
  if (reply.invalid) {
    noteChanges();
    part("save-said").textContent = say("not_saved");
    wrongFields(reply.invalid);
  } else if (reply.conflict) {
    noteChanges();
    part("save-said").textContent = "";
    showConflict(reply.conflict, fields);
  } else {
    takeSettings(reply);
    part("save-said").textContent = say("saved_now", { time: time(new Date().toISOString()) });
  }
}

function wrongFields(invalid) {
  for (const old of form.querySelectorAll(".wrong")) old.remove();
  for (const field of form.querySelectorAll("[aria-invalid]")) { field.removeAttribute("aria-invalid"); field.removeAttribute("aria-describedby"); }
  let first = null;
  for (const [name, why] of Object.entries(invalid)) {
    const box = form.querySelector(`[data-field="${name}"]`);
    if (!box) { part("save-said").textContent = `${name}: ${why}`; continue; }
    box.hidden = false;
    const id = `lead-wrong-${name}`;
    box.append(make("p", { className: "wrong", id, textContent: why }));
    const input = box.querySelector("input, select, textarea") ?? form.querySelector(`[data-field="tasks"] input`);
    input.setAttribute("aria-invalid", "true");
    input.setAttribute("aria-describedby", id);
    first ??= input;
  }
  first?.focus();
}

// ---- somebody else saved meanwhile ------------------------------------------------------------

function inWords(name, value) {
  if (typeof value === "boolean") return say(value ? "yes" : "no");
  if (SHARES.includes(name)) return percentOf(value);
  if (name === "annotate") return say(`mode_${value}`);
  if (name === "tasks") return value.map(taskName).join(", ");
  if (name === "mix") return Object.entries(value).map(([task, weight]) => `${taskName(task)} ${weight}`).join(", ") || say("all_alike");
  if (Array.isArray(value)) return value.join(", ") || say("nobody");
  return String(value) || say("nothing");
}
const percentOf = (value) => (value ?? 0).toLocaleString(LANGUAGE, { style: "percent", maximumFractionDigits: 1 });
const LABELS = { tasks: "set_tasks", mix: "set_mix", guidelines: "set_guidelines", annotate: "set_annotate" };

function showConflict(theirs, mine) {
  const differing = FIELDS.filter((name) => name in mine && !same(name, mine[name], theirs.settings[name]));
  if (!differing.length) return takeSettings(theirs); // both want the same
  part("conflict-fields").replaceChildren(...differing.map((name) => {
    const choice = (side, value) => make("label", { className: "choice" },
      make("input", { type: "radio", name: `conflict_${name}`, value: side, checked: side === "mine" }),
      make("span", {}, make("small", { textContent: say(side) }), make("span", { className: "value", textContent: inWords(name, value) })));
    return make("fieldset", { "data-conflict": name }, make("legend", { textContent: say(LABELS[name] ?? `set_${name}`) }), choice("mine", mine[name]), choice("theirs", theirs.settings[name]));
  }));
  show("conflict", true);
  show("settings", false);
  part("conflict-title").focus();
  part("conflict-save").onclick = () => {
    const kept = differing.filter((name) => element.querySelector(`[name="conflict_${name}"]:checked`).value === "mine");
    closeConflict(theirs);
    const fields = Object.fromEntries(kept.map((name) => [name, mine[name]]));
    fill({ ...saved, ...fields });
    if (kept.length) save(changes());
    else part("save-said").textContent = say("theirs_kept");
  };
  part("conflict-drop").onclick = () => { closeConflict(theirs); part("save-said").textContent = say("theirs_kept"); };
}
function closeConflict(theirs) {
  show("conflict", false);
  takeSettings(theirs);
  part("save").focus();
}

// ---- guidelines as they will look -------------------------------------------------------------

part("preview-button").addEventListener("click", async () => {
  const open = part("preview").hidden;
  if (open) {
    try {
      const { html } = await ask("configure", { preview: form.elements.guidelines.value });
      part("preview").innerHTML = html || `<p>${say("nothing")}</p>`; // sanitized by the server
    } catch (error) {
      return notice(error.message);
    }
  }
  show("preview", open);
  part("preview-button").setAttribute("aria-expanded", String(open));
  part("preview-button").textContent = say(open ? "preview_close" : "preview");
});
opened["lead-tab-settings"] = openSettings;
