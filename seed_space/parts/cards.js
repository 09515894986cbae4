// Samples as they come. props.value is { run, sides, cards }: `run` changes with each preview, `sides`
// names the columns if there are two, and seed_space/cards.py tells what a card is; its html was
// sanitized by the server. What is there stays as it is while more comes: folds, forms, decisions.
//
// Good and Fix it tell "example", Bad tells "rule"; whoever keeps those puts `undo` into the detail.

const list = piece("list");
let shown = null;
let drawn = []; // for each card, its element and which columns are filled

function draw() {
  const { run = null, sides = [], cards = [] } = plain(props.value) ?? {};
  if (run !== shown) { list.replaceChildren(); drawn = []; shown = run; }
  cards.forEach((card, at) => {
    const entry = (drawn[at] ??= open(card, sides));
    card.columns.forEach((column, side) => {
      if (!column || entry.filled.has(side)) return;
      entry.filled.add(side);
      fill(entry, card, column, side, sides[side]);
    });
  });
}

function open(card, sides) {
  const article = make("article", { className: "card enter" });
  const question = make("div", { className: "sb-prose instruction" });
  question.innerHTML = card.question_html;
  const columns = make("div", { className: "columns", "data-sides": card.columns.length });
  const places = card.columns.map((_, side) => {
    const place = make("section", { className: "column" });
    if (sides.length) {
      place.setAttribute("aria-label", sides[side]);
      place.append(make("h3", { className: "side", textContent: sides[side] }));
    }
    place.append(make("p", { className: "waiting", textContent: word("waiting") }));
    return place;
  });
  columns.append(...places);
  const sent = make("details", {}, make("summary", { textContent: word("sent") }));
  sent.append(make("h4", { textContent: word("sent_ask") }), withHtml("div", card.asked_html));
  const source = card.source_html ? [withHtml("div", card.source_html)] : [];
  article.append(
    make("p", { className: "where", textContent: card.topic + " · " + card.perspective }),
    make("h3", { className: "label", textContent: word("instruction") }), question, columns, ...source, sent);
  list.append(article);
  return { places, sent, filled: new Set() };
}
function withHtml(tag, html, className = "") {
  const node = make(tag, { className });
  node.innerHTML = html;
  return node;
}

function fill(entry, card, column, side, label) {
  const place = entry.places[side];
  place.querySelector(".waiting")?.remove();
  if (column.failed_html) place.append(withHtml("div", column.failed_html));
  column.answers.forEach((answer, index) => {
    const name = column.answers.length > 1 ? word("answer_n", { n: index + 1 }) : word("answer");
    const prose = withHtml("div", answer.html, "sb-prose");
    const judged = answer.note ? [make("p", { className: "note", textContent: answer.note })] : [];
    const block = make("div", { className: "answer", role: "group", "aria-label": label ? label + ", " + name : name });
    block.append(make("h3", { className: "label", textContent: name }), prose, ...judged, decide(card, answer.text, prose));
    place.append(block);
  });
  if (column.prompt_html) {
    const title = label ? word("sent_answer") + " · " + label : word("sent_answer");
    entry.sent.append(make("h4", { textContent: title }), withHtml("div", column.prompt_html));
  }
}

// The three buttons of an answer, and what comes of them.
function decide(card, text, prose) {
  const box = make("div", { className: "decide" });
  const button = (name, className, action, title) => {
    const node = make("button", { type: "button", className, textContent: word(name), "data-do": name });
    if (title) node.title = word(title);
    node.addEventListener("click", action);
    return node;
  };
  const ask = (focus) => {
    prose.hidden = false;
    box.replaceChildren(make("div", { className: "buttons", role: "group", "aria-label": word("actions") },
      button("good", "plain", () => keep(text), "good_why"),
      button("bad", "plain", blame, "bad_why"),
      button("fix", "plain", fix, "fix_why")));
    if (focus) box.querySelector('[data-do="' + focus + '"]').focus();
  };
  const done = (detail, message, back) => {
    prose.hidden = false;
    if (!detail.undo) {
      box.querySelector(".problem")?.remove();
      box.append(make("p", { className: "problem", role: "alert", textContent: word("full") }));
      return;
    }
    const undo = button("undo", "text", () => { detail.undo(); ask(back); });
    box.replaceChildren(make("div", { className: "done", role: "status" },
      make("p", {}, make("span", { className: "tick", "aria-hidden": "true", textContent: "✓" }), " " + message + " ", make("span", { className: "then", textContent: word("look_again") })), undo));
    undo.focus();
  };
  const keep = (answer, back = "good") => {
    const detail = { question: card.question, answer, topic: card.topic, perspective: card.perspective };
    tell("example", detail);
    done(detail, word("kept"), back);
  };
  const form = (back, submit, action, ...fields) => {
    const node = make("form", { className: "form" }, ...fields, make("div", { className: "buttons" },
      make("button", { type: "submit", className: "plain", textContent: word(submit) }),
      button("cancel", "text", () => ask(back))));
    node.addEventListener("submit", (event) => { event.preventDefault(); action(); });
    node.addEventListener("keydown", (event) => { if (event.key === "Escape") { event.preventDefault(); ask(back); } });
    box.replaceChildren(node);
  };
  const field = (name, node) => make("label", {}, make("span", { textContent: word(name) }), node);
  const blame = () => {
    const wrong = make("input", { type: "text", maxLength: 300, placeholder: word("wrong_example"), autocomplete: "off" });
    const rule = make("textarea", { rows: 2, maxLength: 1000 });
    let edited = false;
    rule.addEventListener("input", () => { edited = Boolean(rule.value.trim()); });
    wrong.addEventListener("input", () => {
      const said = wrong.value.trim().replace(/[.!]+$/, "");
      if (!edited) rule.value = said ? word("suggestion", { wrong: said }) : "";
    });
    form("bad", "add_rule", () => {
      const said = rule.value.trim().split(/\s+/).join(" ");
      if (!said) { wrong.focus(); return; }
      const detail = { text: said };
      tell("rule", detail);
      done(detail, word("ruled", { rule: quoted(said) }), "bad");
    }, field("wrong", wrong), field("rule", rule));
    wrong.focus();
  };
  const fix = () => {
    const area = make("textarea", { value: text, className: "edit", maxLength: 20000, spellcheck: true });
    prose.hidden = true;
    form("fix", "keep", () => { if (area.value.trim()) keep(area.value, "fix"); else area.focus(); }, field("edited", area));
    area.focus();
  };
  ask();
  return box;
}
watch("value", draw);
draw();
