// The lead's live view: asks every few seconds while it is on the screen, and never else.

const EVERY = 5000;

let open = false;
let identity = {}; // who, as the card says it
let last = null; // what the server said last
let timer = null;
let asking = false;

async function ask(name, payload) {
  const reply = await server[name]({ ...payload, who: identity, language: LANGUAGE }).catch(() => null);
  // Gradio gives nothing where there was no answer.
  if (!reply) throw Object.assign(new Error(say("away")), { kind: "away" });
  if (reply.error) throw Object.assign(new Error(reply.error), { kind: reply.kind, after: reply.retry_after });
  notice("");
  return reply;
}

function notice(text) {
  if (part("notice").textContent === text) return;
  part("notice").textContent = text;
  show("notice", Boolean(text));
}
function tell(text) {
  part("told").textContent = "";
  setTimeout(() => { part("told").textContent = text; }, 50); // said again even if it is the same
}

async function look() {
  clearTimeout(timer);
  if (!open || document.hidden || asking || !element.isConnected) return;
  asking = true;
  let wait = EVERY;
  try {
    last = await ask("overview", {});
    show("message", false);
    show("body", true);
    drawFigures(last);
    drawInvitations(last.invitations);
    part("controls-hint").textContent = say("set_controls_hint", { n: number(last.controls) });
    part("updated").textContent = say("updated", { time: new Date(last.now).toLocaleTimeString(LANGUAGE) });
    part("body").classList.remove("old");
  } catch (error) {
    wait = Math.max(EVERY, 1000 * (error.after ?? 0));
    trouble(error);
  } finally {
    asking = false;
  }
  if (open) timer = setTimeout(look, wait);
}

function trouble(error) {
  const refused = error.kind === "refused" || error.kind === "sign_in";
  if (last && !refused) {
    part("body").classList.add("old"); // what was true a moment ago stays on the screen
    return notice(say("old", { why: error.message }));
  }
  last = refused ? null : last;
  show("body", false);
  message(say(refused ? "refused" : "no_figures"), error.message);
}

function message(title, text) {
  part("message-title").textContent = title;
  part("message-text").textContent = text;
  show("message-again", title !== say("loading"));
  show("message", true);
}
part("message-again").addEventListener("click", look);

// ---- parts of the view ------------------------------------------------------------------------

const tabs = [...part("tabs").children];
function choose(tab, focus = false) {
  for (const other of tabs) {
    const chosen = other === tab;
    other.setAttribute("aria-selected", String(chosen));
    other.tabIndex = chosen ? 0 : -1;
    element.querySelector(`#${other.getAttribute("aria-controls")}`).hidden = !chosen;
  }
  if (focus) tab.focus();
  tab.scrollIntoView({ block: "nearest", inline: "nearest" });
  opened[tab.id]?.();
  if (last) drawFigures(last);
}
for (const tab of tabs) tab.addEventListener("click", () => choose(tab));
part("tabs").addEventListener("keydown", (event) => {
  const at = tabs.indexOf(event.target);
  const to = { ArrowRight: at + 1, ArrowLeft: at - 1, Home: 0, End: tabs.length - 1 }[event.key];
  if (at < 0 || to === undefined) return;
  event.preventDefault();
  choose(tabs[(to + tabs.length) % tabs.length], true);
});

// ---- cards or this ----------------------------------------------------------------------------

part("back").addEventListener("click", () => {
  document.dispatchEvent(new CustomEvent("seedbed:view", { detail: { view: "cards" } }));
});
function switchView(event) {
  if (!element.isConnected) return document.removeEventListener("seedbed:view", switchView);
  open = event.detail.view === "lead";
  show("lead", open);
  if (!open) return clearTimeout(timer);
  element.style.colorScheme = document.body.classList.contains("dark") ? "dark" : "light";
  identity = event.detail.who ?? identity;
  if (!last) message(say("loading"), say("loading_text"));
  part("heading").focus();
  scrollTo(0, 0);
  look();
}
document.addEventListener("seedbed:view", switchView);
document.addEventListener("visibilitychange", () => { if (!document.hidden) look(); });
