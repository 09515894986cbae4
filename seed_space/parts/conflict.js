// Two versions, field by field. props.value is a list of { field, label, mine, theirs, choice };
// choosing writes "mine" or "theirs" into `choice`.

const list = piece("list");

function draw() {
  list.replaceChildren(...(plain(props.value) ?? []).map((row, index) => {
    const side = (which, name) => {
      const input = make("input", { type: "radio", name: "sb-choice-" + row.field, value: which, checked: row.choice === which });
      input.addEventListener("change", () => {
        props.value = plain(props.value).map((old, i) => (i === index ? { ...old, choice: which } : old));
      });
      const text = row[which];
      return make("label", { className: "side" },
        make("span", { className: "pick" }, input, make("span", { textContent: name })),
        make("p", { className: text.trim() ? "version" : "version none", textContent: text.trim() ? text : word("empty") }));
    };
    return make("fieldset", {}, make("legend", { textContent: row.label }),
      make("div", { className: "sides" }, side("mine", word("mine")), side("theirs", word("theirs"))));
  }));
}
watch("value", draw);
draw();
