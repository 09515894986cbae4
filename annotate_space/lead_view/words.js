// The words in the reader's language (Gradio puts them, as JSON, into the component's value), and
// numbers, times and elements.

const WORDS = JSON.parse(props.value);
const LANGUAGE = WORDS.language;

function say(key, values = {}) {
  return WORDS[key].replace(/\{(\w+)\}/g, (_, name) => values[name] ?? "");
}
for (const place of element.querySelectorAll("[data-say]")) place.textContent = say(place.dataset.say);
for (const place of element.querySelectorAll("[data-say-label]")) place.setAttribute("aria-label", say(place.dataset.sayLabel));

const part = (name) => element.querySelector(`[data-piece="${name}"]`);
const show = (name, on) => { part(name).hidden = !on; };

// What a tab does when it is chosen, by its id.
const opened = {};

const number = (value) => value.toLocaleString(LANGUAGE);
const share = (given, wanted) => (wanted ? Math.min(1, given / wanted) : 0);
// Never 100 % before everything is there.
const percent = (value) => (Math.floor(value * 100) / 100).toLocaleString(LANGUAGE, { style: "percent" });
const day = (iso) => new Date(iso).toLocaleDateString(LANGUAGE, { dateStyle: "medium" });
const time = (iso) => new Date(iso).toLocaleTimeString(LANGUAGE, { hour: "numeric", minute: "2-digit" });
const isToday = (iso) => new Date(iso).toDateString() === new Date().toDateString();
const moment = (iso) => (isToday(iso) ? time(iso) : `${day(iso)} ${time(iso)}`);

function ago(iso) {
  if (!iso) return say("never");
  const seconds = Math.max(0, (Date.now() - new Date(iso)) / 1000);
  const relative = new Intl.RelativeTimeFormat(LANGUAGE, { numeric: "auto" });
  if (seconds < 60) return say("just_now");
  if (seconds < 3600) return relative.format(-Math.floor(seconds / 60), "minute");
  if (seconds < 86400) return relative.format(-Math.floor(seconds / 3600), "hour");
  return relative.format(-Math.floor(seconds / 86400), "day");
}

function span(seconds) {
  const [amount, unit] = seconds < 5400 ? [seconds / 60, "minute"] : seconds < 172800 ? [seconds / 3600, "hour"] : [seconds / 86400, "day"];
  return Math.max(1, Math.round(amount)).toLocaleString(LANGUAGE, { style: "unit", unit, unitDisplay: "long" });
}

// Makes an element: properties are set, "aria-", "data-" names, role, scope become attributes.
function make(tag, properties = {}, ...children) {
  const node = document.createElement(tag);
  for (const [name, value] of Object.entries(properties)) {
    if (/^(aria|data)-|^(role|for|scope)$/.test(name)) node.setAttribute(name, value);
    else node[name] = value;
  }
  node.append(...children);
  return node;
}

// Draws into a part only when what it shows has changed, so that a reader keeps their place.
const drawn = new Map();
function draw(name, value, ...children) {
  const text = JSON.stringify(value);
  if (drawn.get(name) === text) return;
  drawn.set(name, text);
  part(name).replaceChildren(...children.flatMap((child) => (typeof child === "function" ? child() : child)));
}

function table(caption, headings, rows, kind = "") {
  const head = make("tr", {}, ...headings.map((text) => make("th", { scope: "col", textContent: text })));
  return make("table", { className: kind },
    make("caption", { className: "unseen", textContent: caption }),
    make("thead", {}, head), make("tbody", {}, ...rows));
}
const bar = (value, label) => make("progress", { max: 1, value, "aria-label": label });
