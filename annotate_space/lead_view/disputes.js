// Questions on which people differ: the lead settles them one at a time, everybody's votes in view.
// Names are for this script alone.

(() => {
  const DECISIONS = {
    thumbs: [
      { id: "bad", keys: ["ArrowDown", "x"], give: () => ({ label: false }) },
      { id: "good", keys: ["ArrowUp", "a"], give: () => ({ label: true }) },
    ],
    pairwise: [
      { id: "left", keys: ["ArrowLeft", "1"], give: () => ({ preference: "left" }) },
      { id: "right", keys: ["ArrowRight", "2"], give: () => ({ preference: "right" }) },
      { id: "tie", keys: ["t"], give: () => ({ preference: "tie" }) },
      { id: "both_bad", keys: ["b"], give: () => ({ preference: "both_bad" }) },
    ],
    rate: [1, 2, 3, 4, 5].map((n) => ({ id: `rate_${n}`, keys: [String(n)], give: () => ({ rating: n }) })),
    exam: [
      { id: "approve", keys: ["a", "ArrowUp"], give: () => examDecision() },
      { id: "discard", keys: ["x", "ArrowDown"], give: () => ({ status: "flagged", reason: "discard" }) },
    ],
  };
  const KEY_NAMES = { ArrowUp: "↑", ArrowDown: "↓", ArrowLeft: "←", ArrowRight: "→" };
  const DISPUTES_AHEAD = 3; // questions in hand from which on more are asked for
  const DISPUTES_AGAIN = 15000;
  const DISPUTES_SOON = 3000;

  let settledShown = false; // what was settled, in place of what is open
  let queue = []; // open questions in hand, the most disputed first
  let place = 0; // which of them is on the screen; behind the last, none is
  let total = 0; // how many are open in all
  let settledTotal = 0;
  let asked = 0; // what comes for an earlier choice of task or topic changes nothing
  let disputesLoading = false;
  let disputesTimer = null;
  let decisionsFor = null;
  const decided = []; // what can be undone, with what it was sent in
  const gone = new Set(); // tickets of what was decided here

  const disputesPanel = element.querySelector("#lead-disputes");
  const disputesSeen = () => open && !document.hidden && !disputesPanel.hidden && element.isConnected;
  const newId = () => Array.from(crypto.getRandomValues(new Uint8Array(16)), (n) => n.toString(16).padStart(2, "0")).join("");

  function chosenDisputes() {
    return { task: part("disputes-task").value || null, topic: part("disputes-topic").value || null, every: part("disputes-every").checked };
  }

  // ---- asking -----------------------------------------------------------------------------------

  function startDisputes() {
    queue = [];
    place = 0;
    part("dispute").replaceChildren();
    return askDisputes();
  }

  async function askDisputes() {
    clearTimeout(disputesTimer);
    const mine = ++asked;
    disputesLoading = true;
    if (!queue.length) disputesState(say("disputes_loading"));
    try {
      const reply = await ask("disputes", { ...chosenDisputes(), skip: queue.length });
      if (mine !== asked) return;
      disputesLoading = false;
      takeDisputes(reply);
    } catch (error) {
      if (mine !== asked) return;
      disputesLoading = false;
      const away = error.kind === "away";
      if (!queue.length) disputesState(away ? say("disputes_wait") : say("disputes_failed", { why: error.message }), away ? null : again(startDisputes));
      if (away) disputesTimer = setTimeout(askDisputesIfSeen, DISPUTES_SOON);
    }
  }
  function askDisputesIfSeen() {
    if (!element.isConnected) return;
    if (disputesSeen() && !settledShown) askDisputes();
    else disputesTimer = setTimeout(askDisputesIfSeen, DISPUTES_SOON);
  }

  function takeDisputes(reply) {
    const had = queue.length;
    const known = new Set(queue.map((item) => item.ticket));
    const fresh = reply.items.filter((item) => !known.has(item.ticket) && !gone.has(item.ticket));
    queue.push(...fresh.map((item) => ({ ...item, language: reply.language })));
    total = fresh.length || queue.length ? Math.max(reply.total, queue.length) : 0;
    settledTotal = reply.settled;
    fillChoice("disputes-task", say("disputes_any_task"), Object.entries(reply.tasks).map(([task, n]) => [task, taskName(task), n]));
    fillChoice("disputes-topic", say("disputes_any_topic"), Object.entries(reply.topics).sort(([, a], [, b]) => b - a).map(([topic, n]) => [topic, topic, n]));
    if (place >= had) paintDispute();
    else paintSteps();
  }

  // Keeps what is chosen, also when there is nothing of it any more.
  function fillChoice(name, every, options) {
    const select = part(name);
    const chosen = select.value;
    const value = JSON.stringify([every, options]);
    if (select.dataset.filled === value) return;
    select.dataset.filled = value;
    if (chosen && !options.some(([id]) => id === chosen)) options = [[chosen, name === "disputes-task" ? taskName(chosen) : chosen, 0], ...options];
    select.replaceChildren(make("option", { value: "", textContent: every }), ...options.map(([id, text, n]) => make("option", { value: id, textContent: `${text} (${number(n)})` })));
    select.value = chosen;
  }
  fillChoice("disputes-task", say("disputes_any_task"), []);
  fillChoice("disputes-topic", say("disputes_any_topic"), []);

  function disputesState(text, ...more) {
    part("disputes-state").replaceChildren(text, ...(more[0] ? [" ", ...more] : []));
    show("disputes-state", true);
    show("dispute", false);
    show("decide", decided.length > 0 && !settledShown);
    if (decided.length) paintSteps();
  }

  // ---- the question on the screen ---------------------------------------------------------------

  function paintDispute() {
    if (settledShown) return;
    paintViews();
    const item = queue[place];
    if (!item) return paintNoDispute();
    item.since ??= Date.now();
    const waited = document.activeElement === part("disputes-state");
    show("disputes-state", false);
    part("dispute").replaceChildren(...disputeCard(item));
    show("dispute", true);
    if (waited) part("dispute").focus({ preventScroll: true });
    paintDecisions(item);
    show("decide", true);
    paintSteps();
    if (queue.length < total && queue.length - place <= DISPUTES_AHEAD && !disputesLoading) askDisputes();
  }

  function paintNoDispute() {
    if (disputesLoading) return disputesState(say("disputes_loading"));
    if (queue.length < total) return askDisputes();
    if (queue.length) {
      const button = make("button", { type: "button", className: "act", textContent: say("disputes_from_start") });
      button.addEventListener("click", () => { place = 0; paintDispute(); part("dispute").focus(); });
      return disputesState(say("disputes_end", { n: number(queue.length) }), button);
    }
    const narrowed = part("disputes-task").value || part("disputes-topic").value;
    disputesState(say(decided.length ? "disputes_all_settled" : narrowed ? "disputes_none_here" : "disputes_none"));
    clearTimeout(disputesTimer);
    disputesTimer = setTimeout(askDisputesIfSeen, DISPUTES_AGAIN); // people go on voting
  }

  function disputeCard(item) {
    const where = [taskName(item.task), item.topic, item.perspective].filter(Boolean).join(" · ");
    const told = [make("p", { className: "where" }, make("span", { textContent: where }), ...(item.votes_settle ? [make("span", { className: "badge", textContent: say("disputes_votes_settle") })] : []), ...(item === queue[place] ? [make("span", { className: "place" })] : []))];
    if (item.unreadable) return [...told, make("p", { className: "note", textContent: say("disputes_unreadable") }), ...besides(item)];
    told.push(make("h2", { className: "unseen", textContent: say("disputes_question") }), disputeText(item, item.instruction, "instruction"));
    if (item.task === "exam") told.push(examChoices(item));
    else if (item.task === "pairwise") {
      told.push(make("div", { className: "pair" }, ...["left", "right"].map((side, index) => make("section", { "aria-label": answerName(side, item) },
        make("h3", { textContent: say(index ? "disputes_answer_b" : "disputes_answer_a") }), disputeText(item, item.answers[index].html), voteGroup(item, side)))));
    } else {
      told.push(make("section", {}, disputeText(item, item.answers[0].html)));
    }
    return [...told, ...besides(item)];
  }

  function disputeText(item, html, kind = "") {
    const text = make("div", { className: `sb-prose ${kind}`, lang: item.language ?? "", dir: "auto" });
    text.innerHTML = html; // sanitized by the server
    return text;
  }

  // ---- votes ------------------------------------------------------------------------------------

  const answerName = (answer, { task }) => say(task === "rate" ? `disputes_rate_${answer}` : `disputes_${answer}`);

  // The groups of votes that do not stand at what they are for.
  function besides(item) {
    const answers = { thumbs: ["good", "bad"], pairwise: item.unreadable ? ["left", "right", "tie", "both_bad"] : ["tie", "both_bad"], rate: [5, 4, 3, 2, 1], exam: ["discard"] }[item.task];
    const groups = answers.filter((answer) => item.votes.some((vote) => vote.answer === answer)).map((answer) => voteGroup(item, answer));
    const silent = item.votes.filter((vote) => vote.answer === null);
    if (silent.length) groups.push(box(say("disputes_no_answer"), voteList(silent)));
    const lost = item.votes.filter((vote) => item.choices && vote.answer === "option" && !item.choices.some((answer) => answer.votes.includes(vote)));
    if (lost.length) groups.push(box(say("disputes_other_option"), voteList(lost)));
    const lines = item.remarks.map((vote) => make("li", {}, make("small", { textContent: `${taskName(vote.task)} · ` }), ...voteLine(vote)));
    if (lines.length) groups.push(box(say("disputes_remarks"), make("ul", {}, ...lines)));
    const more = item.more_votes ? [make("p", { className: "hint", textContent: say("disputes_more_votes", { n: number(item.more_votes) }) })] : [];
    return [...(groups.length ? [make("div", { className: "groups" }, ...groups)] : []), ...more];
  }
  const box = (title, ...content) => make("div", { className: "group" }, make("h4", {}, title), ...content);
  function voteGroup(item, answer) {
    const votes = item.votes.filter((vote) => vote.answer === answer);
    const group = box(`${answerName(answer, item)} `, voteList(votes));
    group.querySelector("h4").append(make("b", { textContent: number(votes.length) }));
    return group;
  }
  function voteList(votes) {
    return make("ul", {}, ...votes.map((vote) => make("li", {}, ...voteLine(vote))));
  }
  function voteLine(vote) {
    const took = vote.seconds ? ` · ${vote.seconds.toLocaleString(LANGUAGE, { style: "unit", unit: "second", unitDisplay: "short", maximumFractionDigits: vote.seconds < 10 ? 1 : 0 })}` : "";
    const line = [make("span", { className: "by" }, ...who(vote.annotator), make("small", { textContent: ` · ${ago(vote.at)}${took}` }), ...(vote.verdict ? [" ", make("span", { className: "badge", textContent: say("disputes_by_lead") })] : []))];
    const flag = vote.status === "flagged" && vote.reason !== "discard" ? say("disputes_flagged", { why: vote.reason || say("no_reason") }) : "";
    if (flag) line.push(make("p", { className: "flag", textContent: flag }));
    if (vote.comment) line.push(make("p", { className: "comment", dir: "auto", textContent: vote.comment }));
    return line;
  }

  // ---- exam questions ---------------------------------------------------------------------------

  // What can be right: the options, and items as reviewers corrected them, each with its votes.
  function examAnswers(item) {
    const options = item.options.map((option, index) => ({ option: option.text, html: option.html, marked: index === item.marked, votes: item.votes.filter((vote) => vote.answer === "option" && vote.option === option.text) }));
    const corrected = new Map();
    for (const vote of item.votes.filter((one) => one.answer === "correction" && one.correction)) {
      const key = JSON.stringify(vote.correction);
      corrected.set(key, [...(corrected.get(key) ?? []), vote]);
    }
    return [...options, ...[...corrected].map(([text, votes]) => ({ option: votes[0].option, text, correction: votes[0].correction, votes }))];
  }

  function examChoices(item) {
    const answers = item.choices = examAnswers(item);
    const decision = item.verdict;
    item.picked ??= decision ? answers.findIndex((answer) => answer.option === decision.option && Boolean(answer.text) === (decision.answer === "correction")) : item.marked ?? 0;
    const list = make("fieldset", { className: "options" }, make("legend", { className: "unseen", textContent: say("disputes_options") }), ...answers.map((answer, index) => {
      const radio = make("input", { type: "radio", name: `lead-dispute-${item.ticket.slice(0, 16)}`, checked: index === item.picked });
      radio.addEventListener("change", () => { item.picked = index; });
      const body = make("span", { className: "body" }, ...(answer.correction ? correctionText(answer.correction) : [disputeText(item, answer.html)]));
      if (answer.marked) body.append(make("span", { className: "badge", textContent: say("disputes_marked") }));
      return make("div", { className: "option" }, make("label", {}, radio, make("kbd", { textContent: String(index + 1), "aria-hidden": "true" }), body), ...(answer.votes.length ? [voteList(answer.votes)] : []));
    }));
    return list;
  }
  function correctionText({ question, answer, distractors }) {
    const wrong = Array.isArray(distractors) ? distractors : [];
    return [make("span", { className: "badge", textContent: say("disputes_correction") }), make("p", { dir: "auto", textContent: String(question ?? "") }),
      make("ul", {}, make("li", { dir: "auto" }, make("b", { textContent: String(answer ?? "") })), ...wrong.map((text) => make("li", { dir: "auto", textContent: String(text) })))];
  }
  function pickExam(index) {
    const radio = part("dispute").querySelectorAll(".option input")[index];
    if (radio) { radio.checked = true; queue[place].picked = index; radio.focus(); }
  }
  function examDecision() {
    const answer = queue[place].choices[queue[place].picked];
    return answer.text ? { option: answer.option, text: answer.text } : { option: answer.option };
  }

  // ---- deciding ---------------------------------------------------------------------------------

  const withKey = (button, key, text) => button.replaceChildren(make("kbd", { textContent: KEY_NAMES[key] ?? (key === " " ? say("disputes_space") : key.toUpperCase()), "aria-hidden": "true" }), make("span", { textContent: text }));

  function paintDecisions(item) {
    part("decide-answers").hidden = item.unreadable;
    if (decisionsFor === item.task) return; // whoever stands on a button stays on it
    decisionsFor = item.task;
    part("decide-answers").dataset.task = item.task;
    part("decide-answers").replaceChildren(...DECISIONS[item.task].map((action) => {
      const button = make("button", { type: "button", className: "act" });
      withKey(button, action.keys[0], say(`disputes_${action.id}`));
      button.addEventListener("click", () => decide(action));
      return button;
    }));
  }

  function paintSteps() {
    const item = queue[place];
    withKey(part("decide-undo"), "u", say("disputes_undo"));
    withKey(part("decide-comment-button"), "c", say("disputes_comment"));
    withKey(part("decide-back"), "p", say("disputes_previous"));
    withKey(part("decide-next"), " ", say("disputes_leave_open"));
    part("decide-undo").disabled = !decided.length;
    part("decide-back").disabled = place === 0;
    part("decide-next").disabled = !item;
    part("decide-answers").hidden = !item || item.unreadable;
    part("decide-comment-button").disabled = !item || item.unreadable;
    if (item) part("dispute").querySelector(".place").textContent = say("disputes_place", { n: number(place + 1), total: number(total) });
    const writing = Boolean(item && item.comment !== undefined);
    part("decide-comment-text").value = item?.comment ?? "";
    show("decide-comment", writing);
    part("decide-comment-button").setAttribute("aria-expanded", String(writing));
    paintViews();
  }

  function paintViews() {
    part("disputes-open").textContent = say("disputes_view_open", { n: number(total) });
    part("disputes-settled").textContent = say("disputes_view_settled", { n: number(settledTotal) });
    part("disputes-open").setAttribute("aria-pressed", String(!settledShown));
    part("disputes-settled").setAttribute("aria-pressed", String(settledShown));
  }

  function toTop() {
    const narrow = matchMedia("(max-width: 720px)").matches; // what is above takes half of the screen
    if (narrow || part("dispute").getBoundingClientRect().top < 0) part("dispute").scrollIntoView({ block: "start" });
  }

  async function decide(action) {
    const item = queue[place];
    if (!item || item.unreadable) return;
    const spent = Math.min(Date.now() - item.since, 86400000);
    const comment = item.comment?.trim() ? { comment: item.comment.trim() } : {};
    const event = { event_id: newId(), ticket: item.ticket, ...action.give(), ...comment, answered_at: new Date().toISOString(), duration_ms: spent };
    queue.splice(place, 1);
    total -= 1;
    settledTotal += 1;
    gone.add(item.ticket);
    const sending = ask("settle", { event });
    const done = { item, sending };
    decided.push(done);
    paintDispute();
    tell(say(total ? "disputes_told" : "disputes_told_last", { n: number(total) }));
    toTop();
    try {
      settledTotal = (await sending).settled;
      paintViews();
    } catch (error) {
      decided.splice(decided.indexOf(done), 1);
      putBackDispute(item);
      notice(say("disputes_not_kept", { why: error.message }));
    }
  }

  function putBackDispute(item) {
    gone.delete(item.ticket);
    item.since = Date.now();
    queue.splice(place, 0, item);
    total += 1;
    settledTotal -= 1;
    paintDispute();
  }

  async function undoDecision() {
    const last = decided.pop();
    if (!last) return;
    paintSteps();
    if (!(await last.sending.then(() => true, () => false))) return; // it was not kept, and is back
    try {
      await ask("reopen", { ticket: last.item.ticket, event_id: newId() });
      putBackDispute(last.item);
      tell(say("disputes_told_back"));
    } catch (error) {
      decided.push(last);
      paintSteps();
      notice(say("disputes_not_kept", { why: error.message }));
    }
  }

  function stepDisputes(by) {
    place = Math.max(0, Math.min(queue.length, place + by));
    paintDispute();
    toTop();
  }

  function commentDecision() {
    const item = queue[place];
    if (!item || item.unreadable) return;
    item.comment = item.comment === undefined || item.comment ? item.comment ?? "" : undefined;
    paintSteps();
    if (item.comment !== undefined) part("decide-comment-text").focus();
  }
  part("decide-comment-text").addEventListener("input", () => { if (queue[place]) queue[place].comment = part("decide-comment-text").value; });
  part("decide-undo").addEventListener("click", undoDecision);
  part("decide-comment-button").addEventListener("click", commentDecision);
  part("decide-back").addEventListener("click", () => stepDisputes(-1));
  part("decide-next").addEventListener("click", () => stepDisputes(1));

  const DISPUTE_KEYS = { u: undoDecision, Backspace: undoDecision, c: commentDecision, p: () => stepDisputes(-1), n: () => stepDisputes(1), " ": () => stepDisputes(1) };

  function onDisputeKey(event) {
    if (!element.isConnected) return document.removeEventListener("keydown", onDisputeKey);
    if (!disputesSeen() || settledShown || part("decide").hidden || event.isComposing) return;
    if (event.key === "Escape" && event.target === part("decide-comment-text")) return part("decide-comment-button").focus();
    if (event.ctrlKey || event.metaKey || event.altKey || event.target.closest?.("input:not([type=radio]), textarea, select, [role=tab]")) return;
    if (event.key === " " && event.target.closest?.("button, a, summary, input")) return;
    if (event.key.startsWith("Arrow") && event.target.closest?.("input")) return;
    const key = event.key.length === 1 ? event.key.toLowerCase() : event.key;
    const item = queue[place];
    const action = item && DECISIONS[item.task].find((one) => one.keys.includes(key));
    const pick = item?.task === "exam" && /^[1-9]$/.test(key);
    if (!action && !pick && !DISPUTE_KEYS[key]) return;
    event.preventDefault();
    if (event.repeat) return;
    if (action) decide(action);
    else if (pick) pickExam(Number(key) - 1);
    else DISPUTE_KEYS[key]();
  }
  document.addEventListener("keydown", onDisputeKey);

  // ---- what was settled -------------------------------------------------------------------------

  let verdicts = [];

  async function startVerdicts() {
    verdicts = [];
    part("verdicts").replaceChildren();
    await askVerdicts();
  }

  async function askVerdicts() {
    clearTimeout(disputesTimer);
    const mine = ++asked;
    disputesLoading = false;
    if (!verdicts.length) disputesState(say("disputes_loading"));
    try {
      const reply = await ask("settled", { task: part("disputes-task").value || null, skip: verdicts.length });
      if (mine !== asked) return;
      verdicts.push(...reply.items.map((item) => ({ ...item, language: reply.language })));
      paintVerdicts(reply.total);
    } catch (error) {
      if (mine !== asked) return;
      disputesState(error.kind === "away" ? say("disputes_wait") : say("disputes_failed", { why: error.message }), again(startVerdicts));
    }
  }

  function paintVerdicts(count) {
    show("disputes-state", false);
    if (!count) disputesState(say("disputes_none_settled"));
    const list = make("ul", {}, ...verdicts.map((item) => verdictRow(item)));
    part("verdicts").replaceChildren(...(count ? [list] : []));
    if (verdicts.length < count) {
      const more = make("button", { type: "button", className: "act", textContent: say("disputes_more") });
      more.addEventListener("click", () => { more.disabled = true; askVerdicts(); });
      part("verdicts").append(more);
    }
    show("verdicts", count > 0);
    paintViews();
  }

  function verdictRow(item) {
    const { verdict } = item;
    const text = item.unreadable ? say("disputes_unreadable") : disputeText(item, item.instruction).textContent.trim();
    const decision = verdict.option && verdict.answer !== "discard" ? `${answerName(verdict.answer, item)}: ${verdict.option}` : answerName(verdict.answer, item);
    const row = make("li");
    const details = make("details", {}, make("summary", {}, make("span", {}, make("strong", { textContent: decision }), make("span", { className: "about", dir: "auto", textContent: text }),
      make("small", {}, `${taskName(item.task)} · `, ...who(verdict.annotator), ` · ${ago(verdict.at)}`))));
    details.addEventListener("toggle", () => {
      if (!details.open || details.children.length > 1) return;
      const card = make("div", { className: "dispute" }, ...(verdict.comment ? [make("p", { className: "comment", dir: "auto", textContent: verdict.comment })] : []), ...disputeCard(item));
      for (const radio of card.querySelectorAll("input")) radio.disabled = true;
      details.append(card);
    });
    const button = make("button", { type: "button", className: "act", textContent: say("disputes_reopen"), "aria-label": say("disputes_reopen_of", { what: text.slice(0, 80) }) });
    button.addEventListener("click", async () => {
      button.disabled = true;
      try {
        settledTotal = (await ask("reopen", { ticket: item.ticket, annotator: verdict.annotator, event_id: newId() })).settled;
        total += 1;
        gone.delete(item.ticket);
        verdicts = verdicts.filter((other) => other !== item);
        row.remove();
        tell(say("disputes_told_back"));
        paintViews();
        if (!verdicts.length) startVerdicts();
        else part("verdicts").querySelector("button").focus();
      } catch (error) {
        button.disabled = false;
        notice(say("disputes_not_kept", { why: error.message }));
      }
    });
    row.append(details, ...(item.unreadable ? [] : [button]));
    return row;
  }

  // ---- which of the two -------------------------------------------------------------------------

  function showSettled(on) {
    settledShown = on;
    for (const name of ["disputes-topic-field", "disputes-every-field"]) show(name, !on);
    show("verdicts", on);
    show("dispute", false);
    show("decide", false);
    paintViews();
    return on ? startVerdicts() : startDisputes();
  }
  part("disputes-open").addEventListener("click", () => showSettled(false));
  part("disputes-settled").addEventListener("click", () => showSettled(true));
  for (const name of ["disputes-task", "disputes-topic", "disputes-every"]) part(name).addEventListener("change", () => showSettled(settledShown));

  opened["lead-tab-disputes"] = () => {
    // Where somebody was is kept; from the first question on the order is made anew.
    if (!settledShown && place === 0 && queue[0]?.comment === undefined) startDisputes();
    // Who came by mouse or touch may use the keys at once; who came by key goes on through the tabs.
    if (!element.querySelector("#lead-tab-disputes").matches(":focus-visible")) part(part("dispute").hidden ? "disputes-state" : "dispute").focus();
  };
})();
