// How many, how fast, and on which days.

const DAYS = 14;

// The midnights of the last days as the reader's clock has them, and the one that comes.
function midnights() {
  const now = new Date();
  return Array.from({ length: DAYS + 1 }, (_, index) => new Date(now.getFullYear(), now.getMonth(), now.getDate() - DAYS + 1 + index).toISOString());
}

function took(seconds) {
  const [amount, unit] = seconds < 90 ? [Math.max(1, seconds), "second"] : [seconds / 60, "minute"];
  return amount.toLocaleString(LANGUAGE, { style: "unit", unit, unitDisplay: "short", maximumFractionDigits: amount < 10 ? 1 : 0 });
}

function drawFigures({ tasks, days, again }) {
  const sum = (name) => tasks.reduce((total, one) => total + one[name], 0);
  const figures = [["today", sum("today")], ["in_all", sum("in_all")], ["flagged", sum("flagged")], ["skipped", sum("skipped")]];
  draw("sums", figures, () => figures.map(([word, n]) => make("div", { className: "sum" }, make("strong", { textContent: number(n) }), make("span", { textContent: say(word) }))));
  drawDays(days);
  draw("tasks", tasks, () => table(say("by_task"), ["task", "today", "in_all", "typical"].map((word) => say(word)), tasks.map((one) => make("tr", {},
    make("th", { scope: "row", textContent: say(`task_${one.task}`) }),
    make("td", { textContent: number(one.today) }),
    make("td", { textContent: number(one.in_all) }),
    make("td", { textContent: one.seconds === null ? "–" : took(one.seconds) })))));
  show("again", Boolean(again));
  if (again) part("again").textContent = say("again", { asked: number(again.asked), same: number(again.same), share: percent(again.same / again.asked) });
}

function drawDays(days) {
  const most = Math.max(...days, 1);
  const starts = midnights();
  const name = (start, style) => new Date(start).toLocaleDateString(LANGUAGE, style);
  draw("days", [days, starts[0]], () => days.map((n, index) => {
    const column = make("span", { className: "column" });
    column.style.setProperty("--share", n / most);
    return make("li", { title: `${name(starts[index], { dateStyle: "medium" })}: ${number(n)}` },
      make("span", { className: "unseen", textContent: `${name(starts[index], { day: "numeric", month: "long" })}: ${number(n)}` }),
      make("span", { className: "n", "aria-hidden": "true", textContent: n ? number(n) : "" }),
      column,
      make("span", { className: "day", "aria-hidden": "true", textContent: name(starts[index], { day: "numeric" }) }));
  }));
}
