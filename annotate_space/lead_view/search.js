// Samples found by words, by meaning, and by what was said of them; a selection is marked at once.

const FIND_PAUSE = 350; // milliseconds after the last key
const FIND_AGAIN = 2000;
const MOST_MARKED = 200;
const MOST_NEAR = 200;
const FIND_CHOICES = ["topic", "perspective", "model", "rating", "round"];

const find = {
  asked: 0, // counts searches: a reply to an earlier one changes nothing
  timer: null,
  page: 1,
  reply: null,
  whole: new Map(), // by sample: what is shown in full; null while it is fetched
  chosen: new Map(), // answers that are selected, by completion
  own: new Map(), // what I marked here; the list learns of it some seconds later
  mark: null, // what can be taken back
  trying: null, // a marking whose reply is awaited
  told: "", // what became of the last one
};
const findFields = () => part("find").elements;
const findOpen = () => open && !document.hidden && !element.querySelector("#lead-search").hidden;

opened["lead-tab-search"] = () => { if (!find.reply) searchNow(); };

// ---- asking -----------------------------------------------------------------------------------

function findWanted() {
  const fields = findFields();
  const numbers = Object.fromEntries(["rating", "round"].map((name) => [name, fields[name].value === "" ? null : Number(fields[name].value)]));
  const texts = Object.fromEntries(["state", "topic", "perspective", "model", "sort"].map((name) => [name, fields[name].value]));
  return { ...texts, ...numbers, text: fields.text.value, meaning: fields.by.value === "meaning", page: find.page };
}

async function searchNow() {
  clearTimeout(find.timer);
  const asked = ++find.asked;
  if (!find.reply) part("find-count").textContent = say("find_searching");
  part("found").setAttribute("aria-busy", "true");
  try {
    const reply = await ask("search", findWanted());
    if (asked !== find.asked) return;
    find.reply = reply;
    find.page = reply.page;
    for (const { completion_id, mine } of reply.results.flatMap((one) => one.answers)) {
      if (find.own.get(completion_id) === mine) find.own.delete(completion_id);
    }
    drawFound();
    if (reply.working) searchLater();
  } catch (error) {
    if (asked !== find.asked) return;
    part("find-count").textContent = error.kind === "away" ? say("find_waiting") : error.message;
    if (error.kind === "away") searchLater();
  } finally {
    if (asked === find.asked) part("found").removeAttribute("aria-busy");
  }
}

function searchLater() {
  clearTimeout(find.timer);
  find.timer = setTimeout(() => (findOpen() ? searchNow() : searchLater()), FIND_AGAIN);
}

// Something else is searched for: what was selected is not on the screen any more.
function searchAnew() {
  find.page = 1;
  find.chosen.clear();
  find.whole.clear();
  if (!find.mark) find.told = "";
  drawMarks();
  drawFilters();
  return searchNow();
}

part("find").addEventListener("submit", (event) => {
  event.preventDefault();
  searchAnew();
});
part("find").addEventListener("input", (event) => {
  if (event.target.name !== "text") return;
  clearTimeout(find.timer);
  find.timer = setTimeout(searchAnew, FIND_PAUSE);
});
part("find").addEventListener("change", (event) => {
  if (event.target.name !== "text") searchAnew();
});
part("find-reset").addEventListener("click", () => {
  for (const field of part("find").querySelectorAll("select")) field.selectedIndex = 0;
  searchAnew();
});
for (const [name, step] of [["find-previous", -1], ["find-next", 1]]) {
  part(name).addEventListener("click", async () => {
    find.page += step;
    find.whole.clear();
    await searchNow();
    part("find-count").scrollIntoView({ block: "nearest" });
    if (part(name).disabled) part("find-page").focus();
  });
}
part("find-filters").open = matchMedia("(min-width: 720px)").matches;

// ---- what is found ----------------------------------------------------------------------------

function drawFound() {
  const reply = find.reply;
  part("find-count").textContent = !reply.count ? "" : reply.count === 1 ? say("find_count_one") : say("find_count_many", { n: number(reply.count) });
  const preparing = reply.working && reply.indexed < reply.of;
  const note = reply.trouble || (preparing ? say("find_indexing", { done: number(reply.indexed), of: number(reply.of) })
    : reply.count ? "" : reply.working ? say("find_waiting") : say(reply.indexed ? "find_none" : "find_empty"));
  part("find-note").textContent = note;
  show("find-note", Boolean(note));
  drawChoices(reply.choices);
  drawMeaning(reply.meaning);
  drawFilters();
  draw("found", [reply.results, [...find.whole], [...find.own]], () => reply.results.map(foundSample));
  for (const box of part("found").querySelectorAll("[data-completion]")) box.checked = find.chosen.has(box.dataset.completion);
  show("find-pager", reply.pages > 1);
  part("find-page").textContent = say("find_page", { n: number(reply.page), of: number(reply.pages) });
  part("find-page").tabIndex = -1;
  part("find-previous").disabled = reply.page <= 1;
  part("find-next").disabled = reply.page >= reply.pages;
  drawMarks();
}

function drawChoices(choices) {
  const named = { rating: (group) => say(`find_rating_${group}`), round: number };
  for (const name of FIND_CHOICES) {
    const field = findFields()[name];
    const values = choices[name].map(String);
    const kept = field.value;
    if (kept && !values.includes(kept)) values.push(kept); // chosen, so it stays to be seen
    field.parentElement.hidden = values.length < 2 && !kept;
    const now = JSON.stringify(values);
    if (field.dataset.values === now) continue;
    field.dataset.values = now;
    const label = (value) => (named[name] ? named[name](Number(value)) : value);
    field.replaceChildren(make("option", { value: "", textContent: say("find_any") }), ...values.map((value) => make("option", { value, textContent: label(value) })));
    field.value = kept;
  }
}

function drawMeaning(meaning) {
  const [words, sense] = findFields().by;
  sense.disabled = meaning.state === "unset" || meaning.state === "missing";
  if (sense.disabled && sense.checked) words.checked = true;
  const lack = { unset: "find_meaning_unset", missing: "find_meaning_missing", failed: "find_meaning_failed" }[meaning.state];
  part("find-lack").textContent = lack ? say(lack, { name: meaning.name }) : "";
  show("find-lack", Boolean(lack));
}

function drawFilters() {
  const fields = findFields();
  part("find-hint").textContent = fields.by.value === "meaning" ? say("find_meaning_hint", { n: MOST_NEAR }) : say("find_hint");
  const on = ["state", ...FIND_CHOICES].filter((name) => fields[name].value).length;
  part("find-filters-title").textContent = on ? say("find_filters_on", { n: on }) : say("find_filters");
  show("find-reset", on > 0);
}

const pieces = (segments) => segments.map(([text, hit]) => (hit ? make("mark", { textContent: text }) : text));

function foundSample(one) {
  const whole = find.whole.get(one.sample_id);
  const heading = make("div", { className: "question" }, ...(whole ? [prose(whole.question, whole.found)] : [make("p", {}, ...pieces(one.question))]));
  const item = make("li", { "data-sample": one.sample_id }, heading, foundAbout(one), whole ? foundInFull(one, whole) : foundInShort(one));
  const button = make("button", { type: "button", className: "quiet", textContent: say(whole ? "find_close" : "find_open"), "aria-expanded": String(Boolean(whole)) });
  button.setAttribute("aria-label", `${button.textContent}: ${one.question.map(([text]) => text).join("").slice(0, 80)}`);
  button.addEventListener("click", () => toggleWhole(one.sample_id));
  if (whole) item.append(foundVotes(whole));
  item.append(button);
  return item;
}

function foundAbout(one) {
  const rounds = find.reply.choices.round.length > 1 ? say("find_round_n", { n: one.round }) : "";
  const told = [one.topic, one.perspective, rounds, day(one.made_at)].filter(Boolean).join(" · ");
  const chips = [];
  const chip = (text, kind = "") => chips.push(make("span", { className: `chip ${kind}`, textContent: text }));
  const byMe = one.answers.some((answer) => typeof find.own.get(answer.completion_id) === "boolean");
  if (!one.judged && !one.exam && !byMe) chip(say("find_chip_unjudged"));
  if (one.exam) chip(say(`find_exam_${one.exam}`), one.exam === "disputed" ? "amber" : "");
  else if (one.disputed) chip(say("find_chip_disputed"), "amber");
  if (one.flags) chip(say("find_chip_flags", { n: number(one.flags) }), "amber");
  return make("p", { className: "about" }, told, ...chips.flatMap((each) => [" ", each]));
}

function foundInShort(one) {
  if (one.options.length) return make("ul", { className: "options" }, ...one.options.map((text, index) => make("li", {}, ...pieces(text), ...rightMark(index))));
  return make("ul", { className: "answers" }, ...one.answers.map((answer, index) => make("li", {}, foundAnswer(one, answer, index, make("span", { className: "text" }, ...pieces(answer.text))))));
}

const rightMark = (index) => (index ? [] : [" ", make("span", { className: "chip", textContent: say("find_option_right") })]);

// What is shown in full can hold links, so only the line above it selects the answer.
function foundInFull(one, whole) {
  if (one.options.length) return make("ul", { className: "options" }, ...whole.answers.map((text, index) => make("li", {}, prose(text, whole.found), ...rightMark(index))));
  return make("ul", { className: "answers" }, ...one.answers.map((answer, index) => {
    const name = make("span", { className: "text" }, make("b", { textContent: say("find_answer", { n: index + 1 }) }), ` · ${whole.models[index]}`);
    const reason = whole.reasons[index] ? [make("p", { className: "hint", textContent: say("find_judge_says", { text: whole.reasons[index] }) })] : [];
    return make("li", {}, foundAnswer(one, answer, index, name), prose(whole.answers[index], whole.found), ...reason);
  }));
}

function foundAnswer(one, answer, index, text) {
  const box = make("input", { type: "checkbox", checked: find.chosen.has(answer.completion_id), "data-completion": answer.completion_id, "data-sample": one.sample_id });
  box.addEventListener("change", () => selectAnswers([box], box.checked));
  const mine = find.own.has(answer.completion_id) ? find.own.get(answer.completion_id) : answer.mine;
  const told = [
    answer.up || answer.down ? say("find_said", { up: number(answer.up), down: number(answer.down) }) : "",
    answer.rating === null ? "" : say("find_judge", { n: answer.rating.toLocaleString(LANGUAGE, { maximumFractionDigits: 1 }) }),
    mine === null || mine === undefined ? "" : say(mine ? "find_mine_good" : "find_mine_bad"),
  ].filter(Boolean).join(" · ");
  return make("label", { className: "pick" }, box, make("span", {}, make("span", { className: "unseen", textContent: say("find_select", { n: index + 1 }) }), text, ...(told ? [make("small", { textContent: told })] : [])));
}

// Text that the server made safe, with what was searched for marked in it.
function prose(html, words) {
  const node = make("div", { className: "sb-prose", innerHTML: html });
  if (!words.length) return node;
  const escaped = [...words].sort((a, b) => b.length - a.length).map((word) => word.replace(/[.*+?^${}()|[\]\\]/g, "\\$&"));
  const wanted = new RegExp(`(?<![\\p{L}\\p{N}])(?:${escaped.join("|")})(?![\\p{L}\\p{N}])`, "gu");
  const walker = document.createTreeWalker(node, NodeFilter.SHOW_TEXT);
  const texts = [];
  while (walker.nextNode()) texts.push(walker.currentNode);
  for (const text of texts) {
    const parts = [];
    let at = 0;
    for (const hit of text.data.matchAll(wanted)) {
      parts.push(text.data.slice(at, hit.index), make("mark", { textContent: hit[0] }));
      at = hit.index + hit[0].length;
    }
    if (at) text.replaceWith(...parts, text.data.slice(at));
  }
  return node;
}

async function toggleWhole(sample) {
  if (find.whole.has(sample)) {
    find.whole.delete(sample);
  } else {
    const asked = find.asked;
    try {
      const reply = await ask("sample", { sample_id: sample, text: findFields().by.value === "meaning" ? "" : findFields().text.value });
      if (asked !== find.asked && !find.reply.results.some((one) => one.sample_id === sample)) return;
      find.whole.set(sample, reply);
    } catch (error) {
      return notice(error.message);
    }
  }
  drawFound();
  part("found").querySelector(`li[data-sample="${CSS.escape(sample)}"] > button`)?.focus({ preventScroll: true });
}

// ---- who said what ----------------------------------------------------------------------------

function foundVotes(whole) {
  const votes = whole.votes.map((vote) => make("li", {},
    make("p", {}, make("b", { textContent: voteSaid(vote) })),
    ...(vote.comment || vote.reason ? [make("p", { className: "comment", textContent: [vote.reason, vote.comment].filter(Boolean).join(": ") })] : []),
    ...(vote.text && vote.status === "submitted" ? [make("p", { className: "written", textContent: voteText(vote) })] : []),
    make("p", { className: "hint" }, ...who(vote.annotator), ` · ${moment(vote.at)}`, ...["repeat", "verdict"].filter((name) => vote[name]).map((name) => ` · ${say(`find_vote_${name}`)}`))));
  const more = whole.more_votes ? [make("p", { className: "hint", textContent: say("find_more_votes", { n: number(whole.more_votes) }) })] : [];
  return make("div", { className: "votes" }, make("h3", { textContent: say("find_votes") }),
    votes.length ? make("ul", {}, ...votes) : make("p", { className: "hint", textContent: say("find_no_votes") }), ...more);
}

function voteSaid(vote) {
  const [a, b] = vote.about;
  const of = (value) => (a ? say("find_vote_of", { what: say("find_answer", { n: a }), value }) : value);
  if (vote.status !== "submitted") return vote.about.length === 1 ? of(say(`find_vote_${vote.status}`)) : say(`find_vote_${vote.status}`);
  if (vote.task === "pairwise") {
    if (vote.value === "tie" || vote.value === "both_bad") return say(`find_vote_${vote.value}`, { a, b });
    return vote.value === "first" ? say("find_vote_better", { a, b }) : say("find_vote_better", { a: b, b: a });
  }
  if (vote.task === "thumbs") return of(say(vote.value ? "find_vote_good" : "find_vote_bad"));
  if (vote.task === "rate") return of(say("find_vote_rate", { n: vote.value }));
  if (vote.task === "edit") return of(say("find_vote_edit"));
  return say("find_vote_exam");
}

// A corrected exam item is a JSON object.
function voteText(vote) {
  if (vote.task !== "exam") return vote.text;
  try {
    const item = JSON.parse(vote.text);
    if (item && typeof item === "object") return [item.question, item.answer, ...(item.distractors ?? [])].join("\n");
  } catch { /* an option as it is */ }
  return vote.text;
}

// ---- marking a selection ----------------------------------------------------------------------

const shownBoxes = () => [...part("found").querySelectorAll("[data-completion]")];

function selectAnswers(boxes, on) {
  let full = false;
  for (const box of boxes) {
    const { completion, sample } = box.dataset;
    if (!on) find.chosen.delete(completion);
    else if (find.chosen.size < MOST_MARKED || find.chosen.has(completion)) find.chosen.set(completion, sample);
    else full = true;
    box.checked = find.chosen.has(completion);
  }
  drawMarks(full ? say("find_most", { n: number(MOST_MARKED) }) : "");
}
part("find-all").addEventListener("change", () => selectAnswers(shownBoxes(), part("find-all").checked));
part("mark-clear").addEventListener("click", () => {
  selectAnswers(shownBoxes(), false);
  find.chosen.clear();
  drawMarks();
  part("find-all").focus();
});

// "told" is what became of a marking, or why no more can be selected.
function drawMarks(told = "") {
  const boxes = shownBoxes();
  const on = boxes.filter((box) => box.checked).length;
  show("find-all-box", boxes.length > 0);
  part("find-all").checked = boxes.length > 0 && on === boxes.length;
  part("find-all").indeterminate = on > 0 && on < boxes.length;
  const count = find.chosen.size;
  if (count || told) find.told = told;
  const selected = count === 1 ? say("find_selected_one") : say("find_selected_many", { n: number(count) });
  part("marks-said").textContent = count ? [selected, told].filter(Boolean).join(" · ") : find.told;
  for (const name of ["mark-good", "mark-bad", "mark-clear"]) show(name, count > 0);
  show("mark-undo", !count && Boolean(find.mark));
  show("marks", count > 0 || Boolean(find.told));
  if (told) tell(told);
}

const newMark = () => Array.from(crypto.getRandomValues(new Uint8Array(16)), (byte) => byte.toString(16).padStart(2, "0")).join("");

for (const [name, label] of [["mark-good", true], ["mark-bad", false]]) {
  part(name).addEventListener("click", async () => {
    const answers = [...find.chosen].map(([completion_id, sample_id]) => ({ sample_id, completion_id }));
    // The same answers once more, after a reply was lost, are the same marking.
    const key = JSON.stringify([label, answers]);
    if (find.trying?.key !== key) find.trying = { key, mark: newMark() };
    marksBusy(true);
    try {
      const reply = await ask("mark", { answers, label, mark: find.trying.mark });
      find.mark = reply.marked ? { answers, mark: find.trying.mark } : null;
      find.trying = null;
      for (const { completion_id } of answers) if (!reply.left.includes(completion_id)) find.own.set(completion_id, label);
      find.chosen.clear();
      find.whole.clear();
      drawFound();
      drawMarks([
        say(label ? "find_marked_good" : "find_marked_bad", { n: number(reply.marked) }),
        ...[["same", "find_same"], ["flagged", "find_flagged_kept"], ["gone", "find_gone"]].filter(([kind]) => reply[kind]).map(([kind, word]) => say(word, { n: number(reply[kind]) })),
      ].join(" "));
    } catch (error) {
      drawMarks(error.message);
    } finally {
      marksBusy(false);
    }
    if (find.mark && !find.chosen.size) part("mark-undo").focus();
  });
}

part("mark-undo").addEventListener("click", async () => {
  marksBusy(true);
  try {
    const reply = await ask("unmark", find.mark);
    for (const [completion, before] of Object.entries(reply.before)) find.own.set(completion, before);
    find.mark = null;
    drawFound();
    drawMarks([say("find_undone", { n: number(Object.keys(reply.before).length) }), reply.later ? say("find_later", { n: number(reply.later) }) : ""].filter(Boolean).join(" "));
    part("find-all").focus();
  } catch (error) {
    drawMarks(error.message);
  } finally {
    marksBusy(false);
  }
});

function marksBusy(on) {
  for (const name of ["mark-good", "mark-bad", "mark-clear", "mark-undo"]) part(name).disabled = on;
}
