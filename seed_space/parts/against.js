// What the preview shows: samples, two models, or two versions of the expert. The server puts
// { models: [{ model, base_url }], saved } into props.value; what is chosen is written back as
// { mode, sides, version, text }.

const MODES = ["samples", "models", "experts"];
const OTHER = "other";
let known = [];
let mode = "samples";
let sides = [{ model: "", base_url: "" }, { model: "", base_url: "" }];
let own = [false, false]; // whether a model is typed, on each side
let version = "saved";
let text = "";
let touched = false;

const same = (a, b) => a.model === b.model && a.base_url === b.base_url;
const choose = () => { props.value = { mode, sides: plain(sides), version, text }; };

const radios = new Map(MODES.map((name) => {
  const radio = make("input", { type: "radio", name: "sb-against", value: name, checked: name === mode });
  radio.addEventListener("change", () => { mode = name; show(); choose(); });
  piece("modes").append(make("label", {}, radio, make("span", { textContent: word(name) })));
  return [name, radio];
}));

function show() {
  for (const name of MODES) radios.get(name).checked = name === mode;
  for (const name of ["models", "experts"]) piece(name).hidden = name !== mode;
  piece("hint").hidden = mode === "samples";
  // Only what is asked for is in the page, so that no other field is mistaken for one of these.
  if (mode === "models") drawModels(); else piece("models").replaceChildren();
  if (mode === "experts") drawExperts(); else piece("experts").replaceChildren();
}

function drawModels() {
  piece("models").replaceChildren(...["left", "right"].map((place, at) => {
    const select = make("select", { id: "sb-side-" + place },
      ...known.map((choice, index) => make("option", { value: String(index), textContent: shown(choice) })),
      make("option", { value: OTHER, textContent: word("another") }));
    const index = known.findIndex((choice) => same(choice, sides[at]));
    select.value = own[at] || index < 0 ? OTHER : String(index);
    const typed = make("div", { className: "field", hidden: select.value !== OTHER },
      ...["name", "address"].flatMap((what) => {
        const field = what === "name" ? "model" : "base_url";
        const input = make("input", { type: "text", id: "sb-side-" + place + "-" + what, value: own[at] ? sides[at][field] : "", autocomplete: "off", spellcheck: false });
        input.addEventListener("input", () => { touched = true; sides[at] = { ...sides[at], [field]: input.value }; choose(); });
        return [make("label", { for: input.id, textContent: word(what) }), input];
      }));
    select.addEventListener("change", () => {
      touched = true;
      own[at] = select.value === OTHER;
      sides[at] = own[at] ? { model: "", base_url: "" } : { ...known[Number(select.value)] };
      drawModels();
      choose();
      element.querySelector("#sb-side-" + place + (own[at] ? "-name" : "")).focus();
    });
    return make("div", { className: "field" }, make("label", { for: select.id, textContent: word(place) }), select, typed);
  }));
}
function shown(choice) {
  const twins = known.filter((other) => other.model === choice.model).length > 1;
  return twins && choice.base_url ? choice.model + " (" + choice.base_url + ")" : choice.model;
}

function drawExperts() {
  const area = make("textarea", { id: "sb-other-expert", value: text });
  area.addEventListener("input", () => { text = area.value; choose(); });
  const wide = make("div", { className: "field wide", hidden: version !== OTHER }, make("label", { for: area.id, textContent: word("text") }), area);
  const picks = ["saved", OTHER].map((name) => {
    const radio = make("input", { type: "radio", name: "sb-version", value: name, checked: version === name });
    radio.addEventListener("change", () => { version = name; wide.hidden = name !== OTHER; choose(); if (name === OTHER) area.focus(); });
    return make("label", { className: "pick" }, radio, make("span", { textContent: word(name) }));
  });
  piece("experts").replaceChildren(
    make("div", { className: "choose wide", role: "radiogroup", "aria-label": word("screen_against") }, make("span", { textContent: word("screen_against") }), ...picks),
    wide);
}

function fromServer() {
  const value = plain(props.value) ?? {};
  if (!value.models) return;
  known = value.models;
  if (!touched) {
    sides = [known[0], known[1] ?? { model: "", base_url: "" }].map((choice) => ({ ...choice }));
    own = [false, known.length < 2];
  }
  if (!text) text = value.saved ?? "";
  show();
  choose();
}
watch("value", fromServer);
show();
fromServer();
