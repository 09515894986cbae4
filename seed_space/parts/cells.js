// Which topic from which perspective is previewed. props.value is a list of { topic, perspective }.
// Until a person chooses, it is a spread over both lists.

const list = piece("list");
let picked = [];
let chosenByHand = false;
let turn = 0;

const say = (text) => { piece("said").textContent = text; };

function spread() {
  const { topics, perspectives } = seedbed.lists;
  const count = Math.min(props.spread, topics.length * perspectives.length);
  const cells = [];
  const taken = new Set();
  const take = (t, p) => {
    if (cells.length >= count || taken.has(t + " " + p)) return;
    taken.add(t + " " + p);
    cells.push({ topic: topics[t], perspective: perspectives[p] });
  };
  // Down the topics at even distances, each with the next perspective; then whatever is left.
  for (let i = 0; i < count; i++) take((Math.floor((i * topics.length) / count) + turn) % topics.length, (i + turn) % perspectives.length);
  for (let t = 0; t < topics.length && cells.length < count; t++) for (let p = 0; p < perspectives.length; p++) take(t, p);
  return cells;
}

function draw(focus) {
  list.replaceChildren(...picked.map((cell, index) => {
    const remove = make("button", { type: "button", className: "icon", textContent: "✕", "aria-label": word("out_n", { n: index + 1 }), title: word("out") });
    remove.addEventListener("click", () => { set(picked.filter((_, i) => i !== index)); (list.querySelectorAll(".icon")[index] ?? piece("add")).focus(); });
    return make("li", {}, select(cell, index, "topic", "topics"), select(cell, index, "perspective", "perspectives"), remove);
  }));
  const { topics, perspectives } = seedbed.lists;
  const ready = topics.length > 0 && perspectives.length > 0;
  piece("add").disabled = !ready || picked.length >= props.limit;
  piece("shuffle").disabled = !ready;
  say(ready ? "" : word("nothing"));
  if (focus !== undefined) list.children[focus]?.querySelector("select").focus();
}

function select(cell, index, field, kind) {
  const node = make("select", { "aria-label": word(field + "_n", { n: index + 1 }) },
    ...seedbed.lists[kind].map((text) => make("option", { value: text, textContent: text })));
  node.value = cell[field];
  node.addEventListener("change", () => {
    chosenByHand = true;
    picked = picked.map((old, i) => (i === index ? { ...old, [field]: node.value } : old));
    props.value = picked;
  });
  return node;
}

function set(cells, focus) {
  chosenByHand = true;
  picked = cells;
  props.value = picked;
  draw(focus);
}

function follow() {
  const { topics, perspectives } = seedbed.lists;
  const still = picked.filter((cell) => topics.includes(cell.topic) && perspectives.includes(cell.perspective));
  picked = chosenByHand && still.length ? still : spread();
  props.value = picked;
  draw();
}

piece("add").addEventListener("click", () => {
  const { topics, perspectives } = seedbed.lists;
  const free = topics.flatMap((topic) => perspectives.map((perspective) => ({ topic, perspective })))
    .find((cell) => !picked.some((old) => old.topic === cell.topic && old.perspective === cell.perspective));
  set([...picked, free ?? { topic: topics[0], perspective: perspectives[0] }], picked.length);
});
piece("shuffle").addEventListener("click", () => { turn += 1; chosenByHand = false; follow(); });
document.addEventListener("seedbed:lists", follow);
follow();
