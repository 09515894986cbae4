// The answers one below the other. Each opens to show its card, and can be changed or taken back.

const RIGHT_TO_LEFT = /^(ar|arc|ckb|dv|fa|he|ks|ps|sd|ug|ur|yi)\b/;
let language = ""; // of the project's texts

function inLanguage(node) {
  if (language) node.lang = language;
  node.dir = RIGHT_TO_LEFT.test(language) ? "rtl" : "auto";
  return node;
}

function prose(html) {
  const text = inLanguage(make("div", { className: "sb-prose" }));
  text.innerHTML = html; // sanitized by the server
  return text;
}

const plain = (html) => new DOMParser().parseFromString(html, "text/html").body.textContent.trim();

function button(word, className, act) {
  const made = make("button", { type: "button", className, textContent: say(word) });
  made.addEventListener("click", act);
  return made;
}

function whereabouts(row) {
  const state = row.here ? "state_here" : row.gone ? "state_gone" : row.saved ? "state_saved" : "state_received";
  return `${say(`task_${row.task}`)} · ${say(state)}`;
}

function answerRow(row) {
  const { item, event, task } = row;
  const asked = item ? plain(item.instruction) || [item.topic, item.perspective].filter(Boolean).join(" · ") : say("sample_gone");
  const written = task !== "exam" && event.status === "submitted" ? event.text : null;
  const said = make("strong", { textContent: row.gone ? say("taken_back") : describe(event, item) });
  const summary = make("summary", {},
    said, make("span", { className: "when", textContent: moment(row.at) }),
    inLanguage(make("span", { className: item?.instruction ? "asked below" : "asked", textContent: asked })),
    ...(written ? [inLanguage(make("span", { className: "wrote below", textContent: written }))] : []),
    ...(event.comment ? [inLanguage(make("span", { className: "wrote", textContent: say("comment_said", { text: event.comment }) }))] : []),
    make("span", { className: "state", textContent: whereabouts(row) }));
  const fold = make("details", { className: row.gone ? "gone" : "" }, summary);
  const body = make("div", { className: "body" });
  fold.append(body);
  fold.addEventListener("toggle", () => { if (fold.open && !body.childNodes.length) body.append(...unfolded(row)); });
  const line = make("li", {}, fold);
  row.node = line;
  return line;
}

function unfolded(row) {
  const { item } = row;
  if (!item) return [make("p", { className: "hint", textContent: say("sample_gone_text") })];
  const shown = [...(item.instruction ? [labelled("question", prose(item.instruction))] : []), ...answersOf(row)];
  const acts = row.gone ? [button("put_back", "act", () => putBack(row))]
    : [button("change", "act strong", () => changeAnswer(row)), button("take_back", "act", () => takeBack(row))];
  return [...shown, make("div", { className: "line" }, ...acts)];
}

function labelled(name, node, className = "") {
  return make("section", { className: `text ${className}` }, make("h3", { textContent: say(name) }), node);
}

// What the card showed, with what was chosen marked.
function answersOf({ item, event, task }) {
  const mine = (node, yes) => { if (yes) node.append(make("p", { className: "mine", textContent: say("your_choice") })); return node; };
  if (task === "pairwise") {
    return [make("div", { className: "pair" }, ...["left", "right"].map((side, index) => mine(labelled(`answer_${"ab"[index]}`, prose(item.answers[index].html)), event.preference === side)))];
  }
  if (task === "exam") {
    const options = item.options.map((option) => mine(make("li", {}, prose(option.html)), event.option === option.text));
    return [labelled("options", make("ol", { className: "options" }, ...options)), ...(event.text ? corrected(JSON.parse(event.text)) : [])];
  }
  return item.answers.map((answer) => labelled("answer", prose(answer.html))).concat(
    event.text ? [labelled(task === "edit" ? "your_text" : "your_question", inLanguage(make("p", { className: "own-text", textContent: event.text })))] : []);
}

function corrected({ question, answer, distractors }) {
  const texts = [question, answer, ...distractors].map((text) => inLanguage(make("li", { textContent: text })));
  return [labelled("your_correction", make("ul", {}, ...texts))];
}
