// Coming in: who is here, what there is to do, and which button does what.

let coming = 0; // counts who came in: a reply for somebody earlier changes nothing

async function start() {
  const mine = ++coming;
  const cached = tabStore.recall("seedbed:session");
  if (!session) {
    identity = who();
    if (cached?.who === JSON.stringify(identity)) begin(cached.reply);
    else message(say("one_moment"), say("one_moment_text"));
  }
  let reply;
  try {
    reply = await inTurn(() => ask("hello", {}));
  } catch (error) {
    if (mine !== coming) return;
    showLead(error.lead);
    if (!session || !["away", "slow_down"].includes(error.kind)) return notIn(error);
    paintMark();
    setTimeout(() => element.isConnected && start(), 5000); // the cards in hand can be answered meanwhile
    return;
  }
  if (mine !== coming) return;
  showLead(reply.lead);
  if (reply.ask_name) return askName(reply);
  tabStore.keep("seedbed:session", { who: JSON.stringify(identity), reply });
  if (session?.annotator === reply.annotator && session.project === reply.project) takeNews(reply);
  else begin(reply);
}

function begin(reply) {
  session = reply;
  progress = reply.progress;
  skipped = {};
  paces = [];
  loadOutbox();
  takeUpHand();
  buildTasks();
  takeNews(reply);
  send();
  next();
}

function takeNews(reply) {
  const asked = session.tasks.join();
  session = reply;
  if (reply.kind === "hub") identity = {}; // their sign-in counts, not the guest who was here before
  savedAt = reply.saved_at;
  trouble = reply.trouble;
  part("domain").textContent = part("domain").title = reply.domain;
  showOwnButton(true);
  part("who").textContent = reply.name;
  part("who").title = say("your_answers");
  part("guidelines-text").innerHTML = reply.guidelines; // sanitized by the server
  inLanguage(part("guidelines-text"));
  element.querySelector('[data-act="guidelines"]').hidden = !reply.guidelines;
  if (reply.tasks.join() !== asked) changeTasks();
  countProgress(reply.progress);
  offerGuidelines();
}

// The card on the screen stays; of what was to come, what is still asked for.
function changeTasks() {
  buildTasks();
  if (mode && !session.tasks.includes(mode)) return choose(null);
  deal(hand.filter((item, at) => at === 0 || session.tasks.includes(item.task)));
  refill().catch(() => {}); // asked for again with the next answer
}

function leave() {
  keepHand();
  coming += 1;
  for (const dialog of element.querySelectorAll("dialog[open]")) dialog.close();
  session = null;
  hand = [];
  history = [];
  drafts = {};
  progress = {};
  turn += 1;
  deal([]);
  tabStore.forget("seedbed:session");
  part("who").textContent = "";
  showOwnButton(false);
  part("tasks").hidden = true;
  element.querySelector('[data-act="guidelines"]').hidden = true;
}

function notIn(error) {
  leave();
  notice("");
  const waiting = waitingHere();
  const text = waiting ? `${error.message} ${sayCount("answers_wait", waiting)}` : error.message;
  const withoutInvitation = error.kind === "invitation" && who().invite
    ? [[say("without_invitation"), () => { leaveInvitation(); start(); }]] : [];
  if (error.setup) return notSetUp(error, waiting ? ` ${sayCount("answers_wait", waiting)}` : "");
  message(titleFor(error, "not_ready"), text, [[say("try_again"), start], ...withoutInvitation]);
}

// The Space lacks a variable or a secret, which only its owner can set.
function notSetUp({ setup }, more) {
  const open = () => window.open(setup.settings, "_blank", "noopener");
  const text = `${say(`setup_${setup.lack}`, { project: setup.project })} ${say("setup_restart")}${more}`;
  message(say("setup_title"), text, [[say("setup_open"), open], [say("try_again"), start]]);
}

function askName({ domain, problem }, somebodyWasHere = false) {
  leave();
  shown = null;
  paint();
  show("hello", true);
  part("domain").textContent = domain;
  part("purpose").textContent = say("purpose", { domain });
  part("problem").textContent = problem ?? "";
  show("problem", Boolean(problem));
  show("stay", somebodyWasHere);
  part("hello").reset();
  part("hello").elements.name.focus();
}

part("hello").addEventListener("submit", (event) => {
  event.preventDefault();
  const name = part("hello").elements.name.value.replace(/[~\u0000-\u001f]/g, " ").trim();
  if (!name) return;
  becomeGuest(name);
  start();
});
part("stay").addEventListener("click", start);

function buildTasks() {
  const names = session.tasks.length > 1 ? [null, ...session.tasks] : [];
  part("tasks").hidden = !names.length;
  part("tasks").replaceChildren(...names.map((task) => {
    const button = make("button", "", say(`task_${task ?? "mix"}`));
    Object.assign(button, { type: "button" });
    button.dataset.task = task ?? "mix";
    button.addEventListener("click", () => choose(task));
    return button;
  }));
}

function setMenu(open) {
  part("menu").classList.toggle("open", open);
  part("menu-button").setAttribute("aria-expanded", String(open));
}
const closeMenu = () => setMenu(false);
part("menu-button").addEventListener("click", () => setMenu(!part("menu").classList.contains("open")));
document.addEventListener("pointerdown", (event) => { if (!event.target.closest?.(".menu, .menu-button")) closeMenu(); });

function showLead(on) {
  element.querySelector('[data-act="lead"]').hidden = !on;
}
function showView(event) {
  if (!element.isConnected) return document.removeEventListener("seedbed:view", showView);
  part("deck").hidden = event.detail.view !== "cards";
  if (event.detail.change) change(event.detail.change);
  if (part("deck").hidden) clock.pause();
  else if (shown) clock.resume();
}
document.addEventListener("seedbed:view", showView);

const acts = {
  undo,
  comment: openComment,
  flag: openFlag,
  differences: toggleDifferences,
  guidelines: () => openGuidelines(),
  keys: () => { closeMenu(); openKeys(); },
  panel: () => { closeMenu(); openPanel(); },
  own: () => { closeMenu(); part("panel").close(); openOwn(); },
  keep: () => keepAnswer(),
  "somebody-else": () => askName(session, true),
  lead: () => {
    closeMenu();
    document.dispatchEvent(new CustomEvent("seedbed:view", { detail: { view: "lead", who: identity } }));
  },
};
for (const button of element.querySelectorAll("[data-act]")) button.addEventListener("click", () => acts[button.dataset.act]());
// After a click with the mouse, Space shall skip and not press the same button again.
element.addEventListener("click", (event) => { if (event.detail) event.target.closest("button")?.blur(); });
document.addEventListener("keydown", onKey);
document.addEventListener("visibilitychange", () => {
  if (document.hidden) return clock.pause();
  if (shown && !part("deck").hidden) clock.resume();
  send();
});
window.addEventListener("pagehide", keepHand);
window.addEventListener("online", () => send());
watchSwipes(part("card"));
takeInvitation();
claimTab().then((id) => {
  tab = id;
  return start();
});
