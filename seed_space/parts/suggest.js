// Suggestions for one list. props.kind names it; props.value is { state, items, error, exactly, turn } of the
// last answer, `turn` another each time. Nothing gets into the list unless a person adds it.

const chips = piece("chips");
let items = [];
let asking = false;
let asked = false; // at least once

const say = (text) => { piece("said").textContent = text; };
const list = () => seedbed.lists[props.kind] ?? [];

function draw(focus) {
  chips.replaceChildren(...items.map((text, index) => {
    const add = make("button", { type: "button", className: "text", textContent: word("add"), "aria-label": word("addOne", { text }) });
    add.addEventListener("click", () => { if (give([text])) leave(text, index); });
    const drop = make("button", { type: "button", className: "icon", textContent: "✕", title: word("dismiss"), "aria-label": word("dismissOne", { text }) });
    drop.addEventListener("click", () => leave(text, index));
    return make("li", {}, make("span", { textContent: text }), add, drop);
  }));
  chips.hidden = !items.length;
  piece("all").hidden = items.length < 2;
  piece("ask").textContent = word(asked ? "more" : props.kind === "topics" ? "topics" : "perspectives");
  piece("ask").disabled = asking;
  piece("stop").hidden = !asking;
  if (focus !== undefined) (chips.children[Math.min(focus, items.length - 1)]?.querySelector("button") ?? piece("ask")).focus();
}
function leave(text, index) {
  items = items.filter((other) => other !== text); // it may be gone already: the list has it now
  draw(index);
}
// The list may be full; then it does not take them all.
function give(texts) {
  texts.forEach((text) => tell("add", { kind: props.kind, text }));
  const there = new Set(list().map(sameKey));
  const taken = texts.filter((text) => there.has(sameKey(text)));
  say(taken.length === texts.length ? word("added", { n: taken.length }) : word("full"));
  return taken.length === texts.length;
}

piece("take").addEventListener("click", () => { give(items); draw(0); });
piece("drop").addEventListener("click", () => { items = []; say(""); draw(0); });
piece("ask").addEventListener("click", () => {
  asking = true;
  piece("error").hidden = piece("how").hidden = true;
  say(word("asking"));
  draw();
  piece("stop").focus();
  trigger("submit");
});
piece("stop").addEventListener("click", () => {
  asking = false;
  say(word("stopped"));
  draw();
  piece("ask").focus();
  trigger("stop");
});
// What somebody typed meanwhile needs no suggestion any more.
document.addEventListener("seedbed:lists", () => {
  const there = new Set(list().map(sameKey));
  const left = items.filter((text) => !there.has(sameKey(text)));
  if (left.length !== items.length) { items = left; draw(); }
});

function fromServer() {
  const value = plain(props.value);
  if (!value || !asking || value.state === "asking") return; // or it was stopped before it came
  const held = element.contains(document.activeElement);
  asking = false;
  asked = asked || value.state === "shown";
  const there = new Set([...list(), ...items].map(sameKey));
  items = [...items, ...(value.items ?? []).filter((text) => !there.has(sameKey(text)))];
  piece("error").hidden = value.state !== "error";
  piece("error").replaceChildren(...explained({ error: value.error ?? "", exactly: value.exactly }));
  piece("how").hidden = value.state !== "no_model";
  say(value.state === "shown" ? word("came", { n: value.items.length }) : value.state === "no_more" ? word("noMore") : "");
  draw(held && value.state === "shown" ? items.length - value.items.length : undefined);
  if (held && value.state !== "shown") piece("ask").focus();
}
watch("value", fromServer);
draw();
