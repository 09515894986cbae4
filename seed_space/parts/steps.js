// The steps. props.steps is a list of { key, name }, the name by language; props.value has a mark for each key:
// { mark: "done" | "warn" | "open", count }. The page's style shows the panel of the step that
// body[data-step] names.

const SIGNS = { done: "✓", warn: "!" };
const list = piece("list");
const known = (key) => props.steps.some((step) => step.key === key);

const buttons = new Map(props.steps.map((step, index) => {
  const mark = make("span", { className: "mark", "aria-hidden": "true", textContent: String(index + 1) });
  const unseen = make("span", { className: "unseen" });
  const count = make("span", { className: "count", "aria-hidden": "true" });
  const button = make("button", { type: "button", "data-mark": "open" }, mark, make("span", { textContent: spoken(step.name) }), unseen, count);
  button.addEventListener("click", () => go(step.key));
  list.append(make("li", {}, button));
  return [step.key, { button, mark, unseen, count, number: index + 1 }];
}));

function drawMarks() {
  const marks = plain(props.value) ?? {};
  for (const [key, parts] of buttons) {
    const { mark = "open", count = null } = marks[key] ?? {};
    parts.button.dataset.mark = mark;
    parts.mark.textContent = SIGNS[mark] ?? String(parts.number);
    parts.unseen.textContent = ", " + word(mark);
    parts.count.textContent = count === null ? "" : String(count);
  }
}

function go(key, { focus = true } = {}) {
  if (!known(key)) return;
  document.body.dataset.step = key;
  for (const [name, { button }] of buttons) {
    if (name === key) button.setAttribute("aria-current", "step"); else button.removeAttribute("aria-current");
  }
  history.replaceState(history.state, "", location.pathname + location.search + "#" + key);
  const strip = element.querySelector(".steps");
  const button = buttons.get(key).button;
  strip.scrollLeft = button.offsetLeft - strip.offsetLeft - 16;
  if (!focus) return;
  window.scrollTo(0, 0);
  // The heading, so that a screen reader says where one is.
  document.querySelector("#step-" + key + " h2")?.focus({ preventScroll: true });
}

document.addEventListener("seedbed:go", (event) => go(event.detail));
document.addEventListener("click", (event) => {
  const asked = event.target.closest?.("[data-go]");
  if (asked) go(asked.dataset.go);
});
window.addEventListener("hashchange", () => go(location.hash.slice(1)));
watch("value", drawMarks);
drawMarks();
const wanted = location.hash.slice(1);
go(known(wanted) ? wanted : props.steps[0].key, { focus: false });
