// How far the votes can be trusted and what they come to: asked for while the tab is on the screen.

const INSIGHTS_EVERY = 10000;
const MOST_DOTS = 10;
// Two columns on a wide screen, one below the other on a narrow one.
const INSIGHTS = [["outcomes", "agreement", "annotators", "steady", "enough"], ["topics", "judge", "sways", "pace"]];

let insights = null; // what the server said last
let insightsTimer = null;
let insightsAsking = false;

part("in-cards").append(...INSIGHTS.map((column) => make("div", {}, ...column.map((name) =>
  make("section", { className: "insight", "data-piece": `in-${name}`, "aria-labelledby": `in-${name}-title` },
    make("h2", { id: `in-${name}-title`, textContent: say(`in_${name}`) }),
    make("div", { className: "said", "data-piece": `in-${name}-said` }),
    make("p", { className: "hint", "data-piece": `in-${name}-hint`, textContent: say(`in_${name}_hint`) }),
    make("div", { "data-piece": `in-${name}-plot` }),
    make("details", { "data-piece": `in-${name}-more` },
      make("summary", { textContent: say("in_more") }),
      make("div", { className: "scroll", tabIndex: 0, role: "region", "aria-label": say(`in_${name}`), "data-piece": `in-${name}-table` })))))));

opened["lead-tab-insights"] = lookInto;
const insightsShown = () => open && !document.hidden && element.isConnected
  && element.querySelector("#lead-tab-insights").getAttribute("aria-selected") === "true";

async function lookInto() {
  clearTimeout(insightsTimer);
  if (!insightsShown() || insightsAsking) return;
  insightsAsking = true;
  const found = await ask("figures", { has: insights?.mark }).catch((error) => error);
  insightsAsking = false;
  let wait = INSIGHTS_EVERY;
  if (found instanceof Error) {
    wait = Math.max(insights ? INSIGHTS_EVERY : 3000, 1000 * (found.after ?? 0));
    if (insights) notice(say("old", { why: found.message }));
    else insightsState(found.kind === "away" ? say("in_wait") : found.message);
  } else if (!found.same) drawInsights(insights = found);
  if (insightsShown()) insightsTimer = setTimeout(lookInto, wait);
}
document.addEventListener("visibilitychange", lookInto);
document.addEventListener("seedbed:view", () => setTimeout(lookInto));

function insightsState(text) {
  part("in-state").textContent = text;
  show("in-state", Boolean(text));
}

function drawInsights(found) {
  insightsState(found.votes ? "" : say("in_none"));
  show("in-sums", found.votes > 0);
  show("in-cards", found.votes > 0);
  if (!found.votes) return;
  drawInsightSums(found);
  drawOutcomes(found);
  drawAgreement(found);
  drawAnnotators(found);
  drawTopics(found);
  drawJudge(found);
  drawSteady(found);
  drawSways(found);
  drawPace(found);
  drawEnough(found);
}

// ---- numbers ----------------------------------------------------------------------------------

const inDecimals = (value) => (Math.round(value * 100) / 100 + 0).toLocaleString(LANGUAGE, { minimumFractionDigits: 2, maximumFractionDigits: 2 });
const inHundredths = (value) => value.toLocaleString(LANGUAGE, { style: "percent", maximumFractionDigits: 0 });
const inSeconds = (value) => value.toLocaleString(LANGUAGE, { style: "unit", unit: "second", unitDisplay: "short", maximumFractionDigits: value < 10 ? 1 : 0 });
const withInterval = (value, low, high, format, how = "in_interval") => (low === null || low === undefined ? format(value)
  : say(how, { value: format(value), low: format(low), high: format(high) }));
const figureText = (figure, format) => (figure.value === null ? "–" : withInterval(figure.value, figure.low, figure.high, format));

// What a reading of the server says, in the reader's language; several tasks may share one.
function readingText({ code, values }, tasks) {
  const { alpha, seconds, count, low, high } = values;
  const share = ["changed", "share", "left", "longer", "too_fast"].map((name) => values[name]).find((value) => value !== undefined);
  const text = say(`in_r_${code.replace("_unsure", "").replace(".", "_")}`, {
    task: new Intl.ListFormat(LANGUAGE).format(tasks.map((task) => say("in_quoted", { task: taskName(task) }))),
    value: alpha !== undefined ? withInterval(alpha, low, high, inDecimals, "in_between") : share !== undefined ? withInterval(share, low, high, inHundredths) : "",
    count: count !== undefined ? number(count) : "",
    seconds: seconds !== undefined ? inSeconds(seconds) : "",
    settings: say("tab_settings"), overlap: say("set_overlap"), invitations: say("tab_invitations"), disputes: say("tab_disputes"),
  });
  if (!code.endsWith("_unsure")) return text;
  return `${text} ${say(alpha !== undefined ? "in_r_unsure" : "in_r_unsure_cases")}`;
}
function readingTexts({ readings }, ...kinds) {
  const alike = new Map();
  // Of a single case nothing is said.
  for (const one of readings.filter(({ code, values }) => kinds.includes(code.split(".")[0]) && values.count !== 1)) {
    const { task, ...values } = one.values;
    const key = JSON.stringify([one.code, values]);
    if (!alike.has(key)) alike.set(key, { one, tasks: [] });
    if (task) alike.get(key).tasks.push(task);
  }
  return [...alike.values()].map(({ one, tasks }) => readingText(one, tasks));
}

// ---- plots ------------------------------------------------------------------------------------

function svgNode(tag, attributes, ...children) {
  const node = document.createElementNS("http://www.w3.org/2000/svg", tag);
  for (const [name, value] of Object.entries(attributes)) node.setAttribute(name, value);
  node.append(...children);
  return node;
}

// A table of dots with their intervals on one scale: rows of `{name, figure}`.
function dotPlot(label, rows, { format, scale, from = 0, bands = [], line = null }) {
  const at = (value) => `${(100 * (Math.max(from, Math.min(1, value)) - from)) / (1 - from)}%`;
  const wide = (low, high) => `${(100 * (Math.min(1, high) - Math.max(from, low))) / (1 - from)}%`;
  const track = (figure) => svgNode("svg", { class: "track", "aria-hidden": "true" },
    ...bands.map(([low, high, kind]) => svgNode("rect", { class: kind, x: at(low), y: "0", width: wide(low, high), height: "100%" })),
    ...(line === null ? [] : [svgNode("line", { class: "even", x1: at(line), x2: at(line), y1: "0", y2: "100%" })]),
    ...(figure.low === null ? [] : [svgNode("line", { class: "whisker", x1: at(figure.low), x2: at(figure.high), y1: "50%", y2: "50%" })]),
    ...(figure.value === null ? [] : [svgNode("circle", { cx: at(figure.value), cy: "50%", r: "6" })]));
  return make("div", { className: "dots", role: "table", "aria-label": label },
    ...rows.map(({ name, figure }) => make("div", { className: "dot", role: "row" },
      make("span", { className: "of", role: "rowheader" }, ...[name].flat()),
      track(figure),
      make("span", { className: "at", role: "cell" }, ...(figure.value === null ? [make("small", { textContent: say(`in_why_${figure.why}`) })]
        : [make("b", { textContent: format(figure.value) }), ...(figure.low === null ? [] : [" ", make("small", { textContent: say("in_range", { low: format(figure.low), high: format(figure.high) }) })])])))),
    make("div", { className: "dot scale", "aria-hidden": "true" }, make("span", { className: "of" }),
      make("span", { className: "ticks" }, ...scale.filter((value) => value >= from).map((value) => {
        const tick = make("span", { textContent: format(value) });
        tick.style.left = at(value);
        return tick;
      })), make("span", { className: "at" })));
}

// A table of bars: `[name, count]`.
function histogramPlot(label, bars) {
  const most = Math.max(1, ...bars.map(([, count]) => count));
  return make("div", { className: "histogram", role: "table", "aria-label": label }, ...bars.map(([name, count]) => {
    const high = (100 * count) / most;
    return make("div", { role: "row" },
      make("span", { className: "tick", role: "rowheader", textContent: name }),
      svgNode("svg", { "aria-hidden": "true" }, svgNode("rect", { x: "0", width: "100%", y: `${100 - high}%`, height: `${high}%` })),
      make("span", { className: "count", role: "cell", textContent: count ? number(count) : "" }));
  }));
}

function insight(name, { said = [], plot = [], rows = null, headings = [], hint = true }) {
  show(`in-${name}`, said.length > 0 || plot.length > 0);
  show(`in-${name}-hint`, hint && plot.length > 0);
  draw(`in-${name}-said`, said, () => said.map((text) => make("p", { textContent: text })));
  part(`in-${name}-plot`).replaceChildren(...plot);
  show(`in-${name}-more`, Boolean(rows?.length));
  if (rows?.length) draw(`in-${name}-table`, [headings, rows.map((row) => row.textContent)], () => table(say(`in_${name}`), headings, rows));
}
const insightRow = (first, ...texts) => make("tr", {}, make("th", { scope: "row" }, ...[first].flat()), ...texts.map((text) => make("td", { textContent: text })));

// ---- what is told -----------------------------------------------------------------------------

function drawInsightSums({ votes, people, samples, outcomes }) {
  const sums = [
    [number(votes), people === 1 ? say("in_votes_by_one") : say("in_votes_by", { n: number(people) })],
    [number(outcomes.judged), say("in_judged_of", { samples: number(samples) }), share(outcomes.judged, samples)],
    [number(outcomes.accepted), say("in_accepted")],
    [number(outcomes.disputed), say("in_disputed")],
  ];
  draw("in-sums", sums, () => sums.map(([sum, text, value]) => make("div", { className: "sum" },
    make("strong", { textContent: sum }), ...(value === undefined ? [] : [bar(value, text)]), make("span", { textContent: text }))));
}

function drawOutcomes({ outcomes }) {
  const tasks = Object.entries(outcomes.tasks).map(([task, kinds]) => {
    const there = Object.entries(kinds).filter(([, count]) => count);
    const strip = make("div", { className: "strip", "aria-hidden": "true" }, ...there.map(([kind, count]) => {
      const piece = make("span", { className: kind });
      piece.style.flexGrow = count;
      return piece;
    }));
    const legend = make("ul", {}, ...there.map(([kind, count]) => make("li", {},
      make("span", { className: `swatch ${kind}`, "aria-hidden": "true" }), make("b", { textContent: number(count) }), ` ${say(`in_is_${kind}`)}`)));
    return make("div", { className: "outcome" }, make("h3", { textContent: taskName(task) }), strip, legend);
  });
  const stars = outcomes.stars.length ? [make("h3", { textContent: say("in_stars") }),
    histogramPlot(say("in_stars"), outcomes.stars.map((count, at) => [`${number(at + 1)} ★`, count]))] : [];
  insight("outcomes", { plot: [...tasks, ...stars], hint: tasks.length > 0 });
}

// Where alpha and kappa are drawn: from 0, or from below where something lies there.
function chanceScale(figures) {
  const lowest = Math.min(0, ...figures.map(({ low, value }) => low ?? value ?? 0));
  return { format: inDecimals, from: Math.max(-1, Math.floor(lowest * 5) / 5), scale: [-1, -0.5, 0, 0.5, 1] };
}

function drawAgreement(found) {
  const { tasks, tentative, reliable } = found;
  const told = tasks.filter(({ alpha }) => alpha.value !== null);
  insight("agreement", {
    said: readingTexts(found, "agreement"),
    plot: told.length ? [dotPlot(say("in_agreement"), told.map(({ task, alpha }) => ({ name: taskName(task), figure: alpha })),
      { ...chanceScale(told.map(({ alpha }) => alpha)), bands: [[tentative, reliable, "fair"], [reliable, 1, "good"]], line: 0 })] : [],
    headings: ["task", "in_questions", "in_shared", "in_people", "in_alpha", "in_fleiss"].map((key) => say(key)),
    rows: tasks.map((one) => insightRow(taskName(one.task), number(one.questions), number(one.shared), number(one.annotators),
      figureText(one.alpha, inDecimals), figureText(one.fleiss, inDecimals))),
  });
}

function drawAnnotators(found) {
  const told = found.annotators.filter(({ with_rest }) => with_rest.value !== null);
  const notes = [];
  if (told.length > MOST_DOTS) notes.push(say("in_first", { n: number(MOST_DOTS) }));
  if (found.annotators_left_out) notes.push(say("in_people_left_out", { n: number(found.annotators_left_out) }));
  const first = told.slice(0, MOST_DOTS);
  insight("annotators", {
    plot: first.length ? [dotPlot(say("in_annotators"), first.map(({ name, with_rest }) => ({ name: who(name), figure: with_rest })),
      { ...chanceScale(first.map(({ with_rest }) => with_rest)), line: 0 }), ...notes.map((text) => make("p", { className: "hint", textContent: text }))] : [],
    headings: ["who", "votes", "skipped", "flagged", "in_with_rest", "in_with_self", "in_known", "median", "in_too_fast"].map((key) => say(key)),
    rows: found.annotators.map((one) => insightRow(who(one.name), number(one.votes), number(one.skipped), number(one.flagged),
      figureText(one.with_rest, inDecimals), figureText(one.with_self, inHundredths), figureText(one.controls, inHundredths),
      one.seconds === null ? "–" : inSeconds(one.seconds), figureText(one.too_fast, inHundredths))),
  });
}

function drawTopics(found) {
  const { topics, tentative, reliable } = found;
  const told = topics.filter(({ alpha }) => alpha.low !== null).sort((one, other) => one.alpha.value - other.alpha.value);
  const several = new Set(told.map(({ task }) => task)).size > 1;
  const name = (one) => [one.topic || say("in_no_topic"), ...(several ? [make("small", { textContent: taskName(one.task) })] : [])];
  const first = told.slice(0, MOST_DOTS);
  const notes = [];
  if (told.length > MOST_DOTS) notes.push(say("in_lowest", { n: number(MOST_DOTS) }));
  if (found.topics_left_out) notes.push(say("in_topics_left_out", { n: number(found.topics_left_out) }));
  insight("topics", {
    plot: first.length ? [dotPlot(say("in_topics"), first.map((one) => ({ name: name(one), figure: one.alpha })),
      { ...chanceScale(first.map(({ alpha }) => alpha)), bands: [[tentative, reliable, "fair"], [reliable, 1, "good"]], line: 0 }),
      ...notes.map((text) => make("p", { className: "hint", textContent: text }))] : [],
    headings: ["topic", "task", "in_questions", "in_shared", "in_alpha", "in_fleiss"].map((key) => say(key)),
    rows: topics.map((one) => insightRow(one.topic || say("in_no_topic"), taskName(one.task), number(one.questions), number(one.shared),
      figureText(one.alpha, inDecimals), figureText(one.fleiss, inDecimals))),
  });
}

function drawJudge(found) {
  const told = found.judge.filter(({ changed }) => changed.value !== null);
  const apart = found.judge.find((one) => one.apart.length)?.apart;
  const signed = (value) => value.toLocaleString(LANGUAGE, { signDisplay: "exceptZero" });
  insight("judge", {
    said: told.length ? readingTexts(found, "judge") : [say("in_judge_none")],
    plot: told.length ? [
      dotPlot(say("in_changed"), told.map(({ task, changed }) => ({ name: taskName(task), figure: changed })), { format: inHundredths, scale: [0, 0.5, 1] }),
      ...(apart ? [make("h3", { textContent: say("in_apart") }), histogramPlot(say("in_apart"), apart.map((count, at) => [signed(at - (apart.length - 1) / 2), count]))] : []),
    ] : [],
    headings: ["task", "in_compared", "in_changed", "in_correlation", "in_stars_apart"].map((key) => say(key)),
    rows: told.map((one) => insightRow(taskName(one.task), number(one.correlation.count), figureText(one.changed, inHundredths),
      figureText(one.correlation, inDecimals), one.stars === null ? "–" : inDecimals(one.stars))),
  });
}

function drawSteady(found) {
  const { same_again: again, same_again_kappa: kappa, controls } = found;
  const said = readingTexts(found, "same_again", "controls");
  if (kappa.value !== null) said.splice(1, 0, say("in_same_kappa", { value: figureText(kappa, inDecimals) }));
  if (again.value === null) said.push(say(found.repeats ? "in_again_none" : "in_again_off", { settings: say("tab_settings") }));
  if (controls.value === null) said.push(say(found.known ? "in_controls_none" : "in_controls_off"));
  const told = [[say("in_same"), again], [say("in_known"), controls]].filter(([, figure]) => figure.value !== null);
  insight("steady", {
    said,
    plot: told.length ? [dotPlot(say("in_steady"), told.map(([name, figure]) => ({ name, figure })), { format: inHundredths, scale: [0, 0.5, 1] })] : [],
  });
}

function drawSways(found) {
  const { left_chosen, longer_chosen, much_longer_chosen } = found.biases;
  const told = [[say("in_left"), left_chosen], [say("in_longer"), longer_chosen], [say("in_much_longer"), much_longer_chosen]]
    .filter(([, figure]) => figure.value !== null);
  insight("sways", {
    said: readingTexts(found, "position", "length"),
    plot: told.length ? [dotPlot(say("in_sways"), told.map(([name, figure]) => ({ name, figure })), { format: inHundredths, scale: [0, 0.5, 1], line: 0.5 })] : [],
  });
}

function drawPace(found) {
  const { ends, counts } = found.seconds;
  const told = counts.some(Boolean);
  const bars = counts.map((count, at) => [at === ends.length ? `${ends[at - 1]}+` : `${at ? ends[at - 1] : 0}–${ends[at]}`, count]);
  insight("pace", { said: told ? readingTexts(found, "pace") : [say("in_pace_none")], plot: told ? [histogramPlot(say("in_pace"), bars)] : [] });
}

function drawEnough({ enough, kto }) {
  const bars = enough.map(({ way, rows, wanted }) => make("div", { className: "way" },
    make("b", { textContent: way }), bar(share(rows, wanted), way),
    make("span", {}, say("in_rows_of", { rows: number(rows), wanted: number(wanted) }), " ",
      make("small", { textContent: rows < wanted ? say("in_missing", { n: number(wanted - rows) }) : say("in_is_enough") }))));
  const weights = kto.desirable_weight === null ? say("in_kto_one")
    : kto.desirable_weight === kto.undesirable_weight ? ""
      : say("in_kto_weights", { one: inDecimals(kto.desirable_weight), other: inDecimals(kto.undesirable_weight) });
  const classes = say("in_kto", { good: number(kto.good), bad: number(kto.bad) });
  insight("enough", { plot: [make("div", { className: "ways" }, ...bars), make("p", { className: "hint", textContent: `${classes} ${weights}` })] });
}
