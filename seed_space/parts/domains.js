// Makes a project for another domain: part by part, so that it shows how far it is and goes on where
// it stopped. `server` has domain_options, domain_check and domain_make; each gets an object.
//
// The page is shown while body[data-page] is "domains"; its address has ?new=domain, which stays
// through signing in.

const ADDRESS = "domain";
const WAIT = 400;
const SIGNS = { made: "✓", there: "✓", failed: "!" };
const form = piece("form");
const name = piece("name");
let offered = null; // what can be chosen
let asked = 0; // counts what was asked: a late reply changes nothing
let timer = null;
let state = ""; // of the name
let done = {}; // replies by part

const picked = (group) => form.querySelector('input[name="domains-' + group + '"]:checked')?.value;
const place = () => picked("place") ?? offered?.places[0];
const parts = () => (place() === "folder" ? ["dataset"] : ["dataset", "seed", "annotate"]);
const wish = () => ({ place: place(), owner: piece("owner").value, name: name.value.trim(), start: picked("start") ?? "empty", public: picked("seen") === "public" });

function open(fromAddress = false) {
  document.body.dataset.page = "domains";
  const url = new URL(location.href);
  url.searchParams.set("new", ADDRESS);
  history.replaceState(history.state, "", url);
  if (!fromAddress) window.scrollTo(0, 0);
  piece("title").focus({ preventScroll: true });
  load();
}
function close() {
  delete document.body.dataset.page;
  const url = new URL(location.href);
  url.searchParams.delete("new");
  history.replaceState(history.state, "", url);
  document.getElementById("open-domains")?.focus();
}

async function load() {
  if (offered?.places.length) return;
  try {
    offered = await server.domain_options({});
  } catch (error) {
    offered = { places: [], owners: [], stop: word("lost"), from: "" };
  }
  const { places, owners } = offered;
  piece("stop").textContent = offered.stop;
  piece("stop").hidden = !offered.stop;
  form.hidden = !places.length;
  form.querySelectorAll('input[name="domains-place"]').forEach((radio) => { radio.checked = radio.value === places[0]; });
  piece("places").hidden = places.length < 2;
  piece("owner").replaceChildren(...owners.map((owner) => make("option", { value: owner, textContent: owner })));
  piece("starts").hidden = !offered.from;
  piece("start-settings").textContent = word("start_settings", { domain: quoted(offered.from) });
  arrange();
}

function arrange() {
  const folder = place() === "folder";
  piece("owner-field").hidden = folder;
  piece("seen").hidden = folder;
  piece("lead").textContent = word(folder ? "lead_folder" : "lead");
}

function say(text, now) {
  state = now;
  piece("said").textContent = text;
  piece("said").dataset.state = now;
  name.setAttribute("aria-invalid", String(now === "bad"));
  piece("make").disabled = !["free", "there"].includes(now);
}

// A name is looked up once typing pauses.
function changed() {
  arrange();
  const mine = ++asked;
  clearTimeout(timer);
  if (!wish().name) return say("", "");
  say(word("checking"), "checking");
  timer = setTimeout(async () => {
    let reply;
    try {
      reply = await server.domain_check(wish());
    } catch (error) {
      reply = { state: "bad", text: word("lost") };
    }
    if (mine === asked) say(reply.text, reply.state);
  }, WAIT);
}

function draw(now) {
  piece("progress").replaceChildren(...parts().map((part) => {
    const reply = done[part];
    const how = now[part] ?? (reply ? (reply.made ? "made" : "there") : "waiting");
    const title = part === "dataset" && place() === "folder" ? "folder" : part;
    const row = make("li", { "data-state": how, "data-of": part },
      make("span", { className: "sign", "aria-hidden": "true", textContent: SIGNS[how] ?? "" }),
      make("span", { className: "what", textContent: word(title) }),
      make("span", { className: "how", textContent: word(how) }));
    if (reply?.url) row.append(link(reply.url, reply.name));
    return row;
  }));
}
const link = (url, text) => make("a", { href: url, target: "_blank", rel: "noopener", textContent: text });

async function run() {
  form.hidden = true;
  piece("making").hidden = false;
  piece("trouble").hidden = piece("again").hidden = piece("result").hidden = true;
  for (const part of parts()) {
    if (done[part]) continue;
    draw({ [part]: "running" });
    let reply;
    try {
      reply = await server.domain_make({ ...wish(), part });
    } catch (error) {
      reply = { error: word("lost") };
    }
    if (reply.error) {
      draw({ [part]: "failed" });
      piece("trouble").textContent = reply.error;
      piece("trouble").hidden = piece("again").hidden = false;
      piece("again").focus();
      return;
    }
    done[part] = reply;
  }
  draw({});
  finish();
}

function finish() {
  const folder = place() === "folder";
  const title = make("h3", { tabIndex: -1, textContent: word("done", { name: folder ? done.dataset.name : wish().owner + "/" + wish().name }) });
  const shown = [title, make("p", { textContent: word(folder ? "done_folder" : "done_text") })];
  if (done.dataset.command) shown.push(make("pre", {}, make("code", { textContent: done.dataset.command })));
  const steps = parts().flatMap((part) => done[part].by_hand);
  if (steps.length) {
    shown.push(make("h3", { textContent: word("by_hand") }), make("p", { textContent: word("by_hand_text") }));
    shown.push(make("ol", {}, ...steps.map((step) => {
      const opens = word(step.key.endsWith("_token") ? "open_token" : "open_settings");
      return make("li", { "data-key": step.key }, make("span", { textContent: step.text }), link(step.url, opens));
    })));
  }
  const another = make("button", { type: "button", className: "plain", textContent: word("another") });
  another.addEventListener("click", startOver);
  piece("result").replaceChildren(...shown, another);
  piece("result").hidden = false;
  title.focus({ preventScroll: true });
}

function startOver() {
  done = {};
  name.value = "";
  say("", "");
  piece("making").hidden = true;
  form.hidden = false;
  name.focus();
}

form.addEventListener("input", changed);
form.addEventListener("submit", (event) => { event.preventDefault(); if (!piece("make").disabled) run(); });
piece("again").addEventListener("click", run);
piece("back").addEventListener("click", close);
document.addEventListener("seedbed:page", (event) => { if (event.detail === "domains") open(); });
document.addEventListener("click", (event) => { if (event.target.closest?.("[data-page-open='domains']")) open(); });
if (new URL(location.href).searchParams.get("new") === ADDRESS) open(true);
