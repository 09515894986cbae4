// What is shown by itself: progress, people, saving, flags.

const taskName = (task) => say(`task_${task}`);

function who(annotator) {
  const [name, mark] = annotator.split("~");
  return mark ? [make("span", { className: "name", textContent: name }), " ", make("small", { textContent: mark.slice(0, 4), title: annotator })]
    : [make("span", { className: "name", textContent: name })];
}

function drawFigures(news) {
  part("domain").textContent = news.domain;
  drawTroubles(news);
  drawSums(news);
  drawTasks(news.tasks);
  drawCells(news.cells);
  drawSaving(news.saving);
  drawFlagged(news.flagged);
  drawPeople(news.people);
  for (const hint of element.querySelectorAll(".sideways")) {
    const box = hint.parentElement.querySelector(".scroll:last-of-type");
    hint.hidden = box.scrollWidth <= box.clientWidth + 1;
  }
}

function drawTroubles(news) {
  const lines = [news.saving.trouble && say("not_saving", { why: news.saving.trouble }), ...news.troubles].filter(Boolean);
  if (news.more_troubles) lines.push(say("more_troubles", { n: number(news.more_troubles) }));
  draw("troubles", lines, () => [make("strong", { textContent: say("look_at") }), make("ul", {}, ...lines.map((text) => make("li", { textContent: text })))]);
  show("troubles", lines.length > 0);
}

function drawSums({ overall, pace }) {
  const done = share(overall.given, overall.wanted);
  const whole = overall.questions > 0 && overall.given >= overall.wanted;
  part("state").textContent = !overall.questions ? say("no_questions") : whole ? say("all_given") : "";
  show("state", !overall.questions || whole);
  const left = whole || pace.seconds_left === null ? null : span(pace.seconds_left);
  const figures = [
    [percent(done), say("votes_of", { given: number(overall.given), wanted: number(overall.wanted) }), done],
    [number(overall.complete), say("complete_of", { questions: number(overall.questions) })],
    [number(pace.hour), say("pace_hour", { n: number(pace.ten_minutes) })],
    [whole ? "–" : left ?? "–", whole ? say("nothing_left") : left ? say("left_at_pace") : say("no_pace")],
  ];
  show("sums", overall.questions > 0);
  draw("sums", figures, () => figures.map(([figure, text, value]) => make("div", { className: "sum" },
    make("strong", { textContent: figure }), ...(value === undefined ? [] : [bar(value, say("votes"))]), make("span", { textContent: text }))));
}

function drawTasks(tasks) {
  show("tasks-section", tasks.some((one) => one.questions));
  draw("tasks", tasks, () => table(say("by_task"), [say("task"), say("votes"), say("done"), say("complete")], tasks.map((one) => make("tr", {},
    make("th", { scope: "row", textContent: taskName(one.task) }),
    make("td", { textContent: say("of", { a: number(one.given), b: number(one.wanted) }) }),
    make("td", {}, make("span", { className: "meter" }, bar(share(one.given, one.wanted), taskName(one.task)), percent(share(one.given, one.wanted)))),
    make("td", { textContent: say("of", { a: number(one.complete), b: number(one.questions) }) }),
  )), "plain"));
}

function drawCells(cells) {
  show("cells-section", cells.topics.length > 0);
  draw("cells", cells, () => {
    const rows = cells.rows.map((row, index) => make("tr", {}, make("th", { scope: "row", textContent: cells.topics[index] }), ...row.map((cell, column) => {
      if (!cell || !cell[1]) return make("td", { className: "none", textContent: "–" });
      const [given, wanted] = cell;
      const box = make("td", { title: `${cells.topics[index]} · ${cells.perspectives[column]}: ${say("of", { a: number(given), b: number(wanted) })}` },
        make("b", { textContent: number(given) }), make("small", { textContent: `/${number(wanted)}` }));
      box.style.setProperty("--share", share(given, wanted));
      if (given >= wanted) box.classList.add("whole");
      return box;
    })));
    return table(say("by_cell"), [say("topic"), ...cells.perspectives], rows, "grid");
  });
  part("cells-more").textContent = say("topics_left_out", { n: number(cells.topics_left_out) });
  show("cells-more", cells.topics_left_out > 0);
}

function drawSaving(saving) {
  const pairs = [
    [say("waiting"), number(saving.waiting)],
    [say("saved_last"), saving.saved_at ? moment(saving.saved_at) : say("never")],
    ...(saving.most_commits ? [[say("commits"), say("of", { a: number(saving.commits), b: number(saving.most_commits) })]] : []),
    [say("place"), saving.place],
  ];
  draw("saving", pairs, () => pairs.map(([name, value]) => make("div", {}, make("dt", { textContent: name }), make("dd", { textContent: value }))));
}

function drawFlagged(flagged) {
  show("flagged-section", flagged.length > 0);
  draw("flagged", [flagged, Math.floor(Date.now() / 60000)], () => make("ul", { className: "flagged" }, ...flagged.map((one) => make("li", {},
    make("p", {}, make("strong", { textContent: one.reason || say("no_reason") }), one.comment ? `: ${one.comment}` : ""),
    make("p", { className: "hint" }, taskName(one.task), " · ", ...who(one.annotator), ` · ${ago(one.at)} · `, make("code", { textContent: one.sample_id }))))));
}

function drawPeople(people) {
  const nobody = people.shown.length === 0;
  part("nobody").textContent = say("nobody_yet");
  show("nobody", nobody);
  show("people", !nobody);
  const headings = ["who", "votes", "skipped", "flagged", "median", "last_seen", "holds"].map((key) => say(key));
  draw("people", [people.shown, Math.floor(Date.now() / 60000)], () => table(say("tab_people"), headings, people.shown.map((one) => {
    const tasks = Object.entries(one.answered).filter(([, n]) => n).map(([task, n]) => `${taskName(task)} ${number(n)}`).join(" · ");
    return make("tr", {},
      make("th", { scope: "row" }, ...who(one.annotator)),
      make("td", {}, make("b", { textContent: number(one.total) }), make("small", { textContent: tasks })),
      make("td", { textContent: number(one.skipped) }),
      make("td", { textContent: number(one.flagged) }),
      make("td", { textContent: one.seconds === null ? "–" : one.seconds.toLocaleString(LANGUAGE, { style: "unit", unit: "second", unitDisplay: "short", maximumFractionDigits: one.seconds < 10 ? 1 : 0 }) }),
      make("td", { textContent: ago(one.last_at) }),
      make("td", { textContent: one.holds ? say("holds_until", { n: number(one.holds), time: time(one.until) }) : "–" }));
  }), "people"));
  part("people-more").textContent = say("people_left_out", { n: number(people.left_out) });
  show("people-more", people.left_out > 0);
}
