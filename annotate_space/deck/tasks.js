// What can be asked, and how it is answered. An action has keys (the first is shown), a word, and
// either `give` (the fields of the answer, or null where something is missing) or `act`.

const SKIP = { id: "skip", word: "skip", keys: [" "], give: () => ({ status: "skipped" }) };
const SAVE = { id: "save", word: "save", chord: true, strong: true, give: (item) => textGiven(item) };
const WRITE = { id: "write", word: "write", keys: ["e"], shownElsewhere: true, act: () => part("answers").querySelector("textarea").focus() };
const pick = (n) => ({ id: `option${n}`, keys: [String(n)], shownElsewhere: true, act: () => pickOption(n - 1) });

const TASKS = {
  thumbs: {
    votes: [
      { id: "down", word: "not_good", keys: ["ArrowDown", "x"], wide: true, give: () => ({ label: false }) },
      SKIP,
      { id: "up", word: "good", keys: ["ArrowUp", "a"], wide: true, give: () => ({ label: true }) },
    ],
    body: (item) => [answerBox(item, 0, say("answer"))],
    swipes: true,
  },
  pairwise: {
    votes: [
      { id: "left", word: "a_better", keys: ["ArrowLeft", "1"], wide: true, give: () => ({ preference: "left" }) },
      { id: "right", word: "b_better", keys: ["ArrowRight", "2"], wide: true, give: () => ({ preference: "right" }) },
      { id: "tie", word: "tie", keys: ["t"], give: () => ({ preference: "tie" }) },
      { id: "both_bad", word: "both_bad", keys: ["b"], give: () => ({ preference: "both_bad" }) },
      SKIP,
      { id: "differences", word: "differences", keys: ["d"], shownElsewhere: true, act: () => toggleDifferences() },
    ],
    body: (item) => [answerBox(item, 0, say("answer_a")), answerBox(item, 1, say("answer_b"))],
  },
  rate: {
    votes: [...[1, 2, 3, 4, 5].map((n) => ({ id: `rate${n}`, word: `rate_${n}`, keys: [String(n)], give: () => ({ rating: n }) })), SKIP],
    body: (item) => [answerBox(item, 0, say("answer"))],
  },
  edit: {
    votes: [
      SAVE,
      { id: "as_is", word: "as_is", keys: ["a", "ArrowUp"], give: (item) => ({ text: item.answers[0].text }) },
      { id: "empty", word: "start_empty", keys: ["n"], act: () => startEmpty() },
      SKIP,
      WRITE,
    ],
    body: (item) => [writingBox(item, "answer", item.answers[0].text)],
  },
  instruction: {
    votes: [SAVE, SKIP, WRITE],
    body: (item) => [writingBox(item, "your_question", "")],
    inviting: true,
  },
  exam: {
    votes: [
      { id: "approve", word: "approve", keys: ["a", "ArrowUp"], strong: true, give: (item) => chosen(item) },
      { id: "correct", word: "correct", keys: ["e"], act: () => chosen(hand[0]) && correctExam() },
      { id: "discard", word: "discard", keys: ["x", "ArrowDown"], give: () => ({ status: "flagged", reason: "discard" }) },
      SKIP,
      ...[1, 2, 3, 4, 5, 6].map(pick),
    ],
    body: (item) => examBoxes(item),
  },
};

const COMMON = [
  { id: "undo", word: "undo", keys: ["u", "Backspace"], act: () => undo() },
  { id: "comment", word: "comment", keys: ["c"], act: () => openComment() },
  { id: "flag", word: "flag", keys: ["f"], act: () => openFlag() },
  { id: "guidelines", word: "guidelines", keys: ["g"], act: () => openGuidelines(), present: () => Boolean(session?.guidelines) },
  { id: "keys", word: "keys", keys: ["?"], act: () => openKeys() },
];

const REASONS = ["wrong_question", "unsafe", "private_data", "off_topic", "other"];

// ---- what the tasks show ----------------------------------------------------------------------

function make(tag, className = "", ...children) {
  const made = document.createElement(tag);
  made.className = className;
  made.append(...children);
  return made;
}

const RIGHT_TO_LEFT = /^(ar|arc|ckb|dv|fa|he|ks|ps|sd|ug|ur|yi)\b/;

function inLanguage(node) {
  if (session.language) node.lang = session.language;
  node.dir = RIGHT_TO_LEFT.test(session.language ?? "") ? "rtl" : "auto";
  return node;
}

function prose(html, className = "") {
  const text = inLanguage(make("div", `sb-prose ${className}`));
  text.innerHTML = html; // sanitized by the server
  return text;
}

function answerBox(item, index, name) {
  const box = make("section", "answer", make("h3", "label", name), prose(item.answers[index].html));
  box.setAttribute("aria-label", name);
  return box;
}

function field(name, value, { rows = 3, limit = 20000 } = {}) {
  const area = inLanguage(make("textarea"));
  Object.assign(area, { name, value, rows, maxLength: limit, id: `sb-${name}` });
  return area;
}

function labelFor(area, text, action = null) {
  const label = make("label", "label", text);
  label.htmlFor = area.id;
  if (action) label.prepend(keyHint(action));
  return label;
}

function writingBox(item, word, start) {
  const area = field("text", drafts[item.ticket]?.text ?? start, { rows: word === "answer" ? 12 : 5 });
  area.addEventListener("input", () => draft(item, { text: area.value }));
  return make("div", "writing", labelFor(area, say(word), WRITE), area);
}

const sameText = (one, other) => one.replace(/\r\n?/g, "\n").trim() === other.replace(/\r\n?/g, "\n").trim();

function textGiven(item) {
  const area = part("answers").querySelector("textarea");
  const start = item.answers[0]?.text ?? "";
  if (area.value.trim()) return { text: sameText(area.value, start) ? start : area.value };
  notice(say("nothing_written"));
  area.focus();
  return null;
}

function startEmpty() {
  const area = part("answers").querySelector("textarea");
  area.value = "";
  area.dispatchEvent(new Event("input"));
  area.focus();
}

let picked = 0; // the option taken for right, by its place on the screen; null while none is

function chosen(item) {
  if (picked !== null) return { option: item.options[picked].text };
  notice(say("choose_first")); // where none is marked, the reviewer chooses
  part("answers").querySelector(".option input")?.focus();
  return null;
}

function examBoxes(item) {
  picked = drafts[item.ticket]?.picked ?? item.marked;
  const options = item.options.map((option, index) => {
    const radio = make("input");
    Object.assign(radio, { type: "radio", name: "sb-option", checked: index === picked });
    radio.addEventListener("change", () => pickOption(index));
    const body = make("span", "option-text", prose(option.html));
    if (index === item.marked) body.append(make("span", "marked", say("marked_right")));
    return make("label", "option", radio, make("kbd", "", keyName(keysOf("exam", pick(index + 1))[0])), body);
  });
  const group = make("fieldset", "options", make("legend", "label", say("options")), ...options);
  return drafts[item.ticket]?.exam ? [group, correctionForm(item)] : [group];
}

const correcting = () => Boolean(part("answers").querySelector(".correction"));

function pickOption(index) {
  const radio = part("answers").querySelectorAll(".option input")[index];
  if (!radio) return;
  radio.checked = true;
  picked = index;
  draft(hand[0], { picked });
  paintApprove();
}

function paintApprove() {
  const button = part("votes").querySelector('[data-vote="approve"] .word');
  if (button) button.textContent = picked === hand[0].marked || picked === null ? say("approve") : say("approve_other", { n: picked + 1 });
}

function correctExam() {
  const item = hand[0];
  const form = correctionForm(item);
  part("answers").append(form);
  paintVotes();
  form.querySelector("textarea").focus({ preventScroll: true });
  form.scrollIntoView({ block: "start" });
}

function correctionForm(item) {
  const question = prose(item.instruction).textContent.trim();
  const texts = item.options.map((option) => option.text);
  const original = [texts[picked], ...texts.filter((_, index) => index !== picked)];
  const start = drafts[item.ticket]?.exam ?? { question, answer: original[0], distractors: original.slice(1) };
  const fields = [
    [field("question", start.question, { limit: 4000 }), say("question")],
    [field("right", start.answer, { rows: 2, limit: 4000 }), say("right_answer")],
    ...start.distractors.map((text, index) => [field(`wrong-${index}`, text, { rows: 2, limit: 4000 }), say("wrong_answer", { n: index + 1 })]),
  ];
  const written = () => {
    const [question, answer, ...distractors] = fields.map(([area]) => area.value.trim());
    return { question, answer, distractors };
  };
  const save = make("button", "act strong", say("correct_save"), " ", make("kbd", "", chordName()));
  const cancel = make("button", "act", say("cancel"));
  cancel.type = "button";
  const form = make("form", "correction", ...fields.flatMap(([area, name]) => [labelFor(area, name), area]), make("div", "line", save, cancel));
  form.noValidate = true;
  form.addEventListener("input", () => draft(item, { exam: written() }));
  cancel.addEventListener("click", () => {
    draft(item, { exam: undefined });
    form.remove();
    paintVotes();
  });
  form.addEventListener("submit", (event) => {
    event.preventDefault();
    const correction = written();
    const options = fields.slice(1).map(([area]) => folded(area.value));
    const empty = fields.findIndex(([area]) => !area.value.trim());
    const equal = options.findIndex((text, index) => options.indexOf(text) < index) + 1;
    if (empty >= 0 || equal) {
      notice(say(empty >= 0 ? "nothing_written" : "equal_options"));
      return fields[empty >= 0 ? empty : equal][0].focus();
    }
    const { answer, distractors } = correction;
    const unchanged = sameText(correction.question, question) && [answer, ...distractors].every((text, index) => sameText(text, original[index]));
    give(unchanged ? { option: texts[picked] } : { text: JSON.stringify(correction), option: answer });
  });
  return form;
}

// What was given, as it was before it was given.
function asDraft(item, { comment, text, option }) {
  if (item.task !== "exam") return { comment, text };
  const index = item.options.findIndex((one) => one.text === option);
  return { comment, ...(index >= 0 ? { picked: index } : {}), ...(text ? { exam: JSON.parse(text) } : {}) };
}

function draft(item, news) {
  drafts[item.ticket] = { ...drafts[item.ticket], ...news };
  keepHandSoon();
}
