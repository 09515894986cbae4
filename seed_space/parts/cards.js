// Samples as they come. props.value is { run, cards }: `run` changes with each preview, and each card
// is HTML that the server has sanitized. Cards that are there stay as they are, folds included.

const list = piece("list");
let shown = null;
let count = 0;

function draw() {
  const { run = null, cards = [] } = plain(props.value) ?? {};
  if (run !== shown) { list.replaceChildren(); count = 0; shown = run; }
  for (; count < cards.length; count++) {
    const card = make("article", { className: "card enter" });
    card.innerHTML = cards[count];
    list.append(card);
  }
}
watch("value", draw);
draw();
