// Which key does what. Everybody may choose their own; they stay in this browser.

const KEYS = "seedbed:keys";
const keysOf = (task, action) => {
  const own = browserStore.recall(KEYS, {})[`${task}.${action.id}`];
  const keys = action.keys ?? [];
  return own ? [own, ...keys.filter((key) => key !== own && key.startsWith("Arrow"))] : keys;
};
const normal = (key) => (key.length === 1 ? key.toLowerCase() : key);
const NAMES = { ArrowUp: "↑", ArrowDown: "↓", ArrowLeft: "←", ArrowRight: "→" };
const keyName = (key) => NAMES[key] ?? (key === " " ? say("key_space") : key.length === 1 ? key.toUpperCase() : key);
const chordName = () => (/Mac|iPhone|iPad/.test(navigator.platform) ? "⌘ Enter" : "Ctrl Enter");

const commonActions = () => COMMON.filter((action) => action.present?.() ?? true);

function actionFor(key) {
  const own = hand[0] && shown && !correcting() ? TASKS[hand[0].task].votes.find((action) => keysOf(hand[0].task, action).includes(key)) : null;
  return own ?? commonActions().find((action) => keysOf("common", action).includes(key));
}

function keyHint(action, task = hand[0]?.task) {
  const hint = make("kbd", "", action.chord ? chordName() : keyName(keysOf(COMMON.includes(action) ? "common" : task, action)[0]));
  hint.setAttribute("aria-hidden", "true");
  return hint;
}

function onKey(event) {
  if (!element.isConnected) return document.removeEventListener("keydown", onKey);
  if (part("deck").hidden || event.isComposing) return;
  if (listening) return takeKey(event);
  if ((event.ctrlKey || event.metaKey) && event.key === "Enter") return pressChord(event);
  const writing = event.target.closest?.("input:not([type=radio]), textarea, select, [contenteditable=true]");
  if (event.key === "Escape") closeMenu();
  if (event.key === "Escape" && writing) writing.blur();
  if (writing || event.ctrlKey || event.metaKey || event.altKey || element.querySelector("dialog[open]")) return;
  // A focused button answers to Space and Enter itself; a radio button to Space and arrows.
  if (event.key === " " && event.target.closest?.("button, a, summary, input")) return;
  if (event.key.startsWith("Arrow") && event.target.closest?.("input")) return;
  const action = actionFor(normal(event.key));
  if (!action) return;
  event.preventDefault();
  if (!event.repeat) perform(action);
}

function pressChord(event) {
  const form = event.target.closest?.("form");
  const dialog = element.querySelector("dialog[open]");
  const save = hand[0] && shown && !dialog && TASKS[hand[0].task].votes.find((action) => action.chord);
  if (form) form.requestSubmit(form.querySelector("button.strong"));
  else if (save) perform(save);
  else return;
  event.preventDefault();
}

function perform(action) {
  if (action.act) return action.act();
  const fields = shown && hand[0] ? action.give(hand[0]) : null;
  if (fields) give(fields);
}

// ---- the list, where keys are changed ---------------------------------------------------------

let listening = null; // { scope, action, button } while the next key press is to be taken

function openKeys() {
  paintKeys();
  tellKeys("");
  part("keys").showModal();
}

const tellKeys = (text) => { part("keys-told").textContent = text; };

function keyScopes() {
  return [["common", commonActions(), say("always")], ...session.tasks.map((task) => [task, TASKS[task].votes, say(`task_${task}`)])];
}

function paintKeys() {
  listening = null;
  part("keys-list").replaceChildren(...keyScopes().map(([scope, actions, name]) => {
    const rows = actions.map((action) => {
      const what = actionName(action);
      const keys = keysOf(scope, action);
      const button = make("button", "key", ...(action.chord ? [chordName()] : keys.map((key) => make("kbd", "", keyName(key)))));
      Object.assign(button, { type: "button", disabled: Boolean(action.chord) });
      button.setAttribute("aria-label", say("change_key", { what, key: keys.map(keyName).join(", ") }));
      button.addEventListener("click", () => listenForKey(scope, action, button));
      return make("tr", "", make("td", "", what), make("td", "", button));
    });
    return make("table", "", make("caption", "", name), make("tbody", "", ...rows));
  }));
}

function actionName(action) {
  const option = /^option(\d)$/.exec(action.id);
  return option ? say("take_option", { n: option[1] }) : say(action.word);
}

function listenForKey(scope, action, button) {
  stopListening();
  listening = { scope, action, button };
  button.classList.add("listening");
  tellKeys(say("press_key", { what: actionName(action) }));
}

function stopListening() {
  listening?.button.classList.remove("listening");
  listening = null;
}

function takeKey(event) {
  if (["Shift", "Control", "Alt", "Meta"].includes(event.key)) return;
  event.preventDefault();
  if (event.key === "Escape") { stopListening(); return tellKeys(""); }
  const { scope, action } = listening;
  const key = normal(event.key);
  if (["Tab", "Enter"].includes(key) || event.ctrlKey || event.metaKey || event.altKey) return tellKeys(say("key_reserved"));
  const rival = keyScopes()
    .filter(([other]) => scope === "common" || other === "common" || other === scope)
    .flatMap(([other, actions]) => actions.filter((one) => one !== action && keysOf(other, one).includes(key)))[0];
  if (rival) return tellKeys(say("key_taken", { key: keyName(key), what: actionName(rival) }));
  browserStore.keep(KEYS, { ...browserStore.recall(KEYS, {}), [`${scope}.${action.id}`]: key });
  paintKeys();
  paintButtons();
  tellKeys(say("key_set", { key: keyName(key), what: actionName(action) }));
}

part("keys").addEventListener("close", () => stopListening());
part("keys-reset").addEventListener("click", () => {
  browserStore.forget(KEYS);
  paintKeys();
  paintButtons();
  tellKeys(say("keys_were_reset"));
});
