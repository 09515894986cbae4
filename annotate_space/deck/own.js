// What a person's own page asks of the cards: to show the card of an earlier answer once more, so
// that it is changed there, and to take an answer back or give it again. All of it goes the way of
// every answer. It replaces what the page showed, never a newer answer from elsewhere.

function showOwn(detail = {}) {
  const settled = inTurn(async () => {}); // once what was just given has been sent
  document.dispatchEvent(new CustomEvent("seedbed:view", { detail: { view: "own", who: identity, settled, ...detail } }));
}

function openOwn() {
  if (changing()) dropChange();
  showOwn();
}

const showOwnButton = (on) => { element.querySelector('.tools [data-act="own"]').hidden = !on; };

const changing = () => Boolean(shown && hand[0]?.changes);

// The ids of the answers that may be replaced: the one that was seen, and what is still on its way.
function replaceable({ ticket, changes }) {
  const own = [...entries.values()].filter((entry) => entry.question === ticket && entry.annotator === session.annotator);
  return [changes.event.event_id, ...own.map((entry) => entry.event.event_id)];
}

function change({ item, event, at, spent }) {
  if (!session) return;
  notice("");
  turn += 1;
  const changed = { ...item, changes: { event, at, spent } };
  drafts[item.ticket] = asDraft(item, event);
  hand = [changed, ...hand.filter((other) => other.ticket !== item.ticket)];
  showCard();
  part("changing-text").focus({ preventScroll: true });
  keepHandSoon();
}

function paintChanging({ changes, ...item }) {
  show("changing", Boolean(changes));
  if (!changes) return;
  const when = new Date(changes.at).toLocaleString([], { dateStyle: "medium", timeStyle: "short" });
  part("changing-text").textContent = say("changing", { answer: describe(changes.event, item), when });
}

function dropChange() {
  const [item] = hand;
  delete drafts[item.ticket];
  hand = hand.slice(1);
  next();
  keepHandSoon();
}

function keepAnswer() {
  const { ticket } = hand[0];
  dropChange();
  showOwn({ kept: ticket });
}

// What the page gives by itself: `fields` are those of an answer.
function giveFromOwn(event) {
  if (!element.isConnected) return document.removeEventListener("seedbed:give", giveFromOwn);
  const { item, event: before, fields, told } = event.detail;
  if (!session) return;
  const given = {
    event_id: randomHex(), ticket: item.ticket, ...fields, answered_at: new Date().toISOString(),
    guidelines_version: session.guidelines_version, replaces: replaceable({ ticket: item.ticket, changes: { event: before } }),
  };
  enqueue(given, item, before.status);
  countAnswer({ task: item.task, event: given, from: before.status });
  history = history.filter((one) => one.item.ticket !== item.ticket);
  paintButtons();
  paintBar();
  send();
  keepHandSoon();
  told(given, inTurn(async () => {}));
}
document.addEventListener("seedbed:give", giveFromOwn);
