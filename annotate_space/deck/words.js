// The words in the reader's language: Gradio puts them, as JSON, into the component's value.

const WORDS = JSON.parse(props.value);
const LANGUAGE = WORDS.language;

function say(key, values = {}) {
  return WORDS[key].replace(/\{(\w+)\}/g, (_, name) => values[name] ?? "");
}

// Two forms are enough for the five languages there are.
function sayCount(key, n, values = {}) {
  return say(`${key}_${n === 1 ? "one" : "many"}`, { n: n.toLocaleString(), ...values });
}

const sayTime = (iso) => new Date(iso).toLocaleTimeString([], { hour: "2-digit", minute: "2-digit" });

for (const place of element.querySelectorAll("[data-say]")) place.textContent = say(place.dataset.say);
for (const place of element.querySelectorAll("[data-say-label]")) place.setAttribute("aria-label", say(place.dataset.sayLabel));
