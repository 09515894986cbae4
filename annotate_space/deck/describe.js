// What was answered, in words. `item` is the card, null where it is no longer known.

const PREFERENCES = { left: "a_better", right: "b_better", tie: "tie", both_bad: "both_bad" };

function describe(event, item) {
  if (event.status === "skipped") return say("was_skipped");
  if (event.reason === "discard") return say("was_discarded");
  if (event.status === "flagged") return [say("was_flagged"), WORDS[`reason_${event.reason}`] ?? event.reason].filter(Boolean).join(": "); // a script's reason is its own
  if (event.preference) return say(PREFERENCES[event.preference]);
  if (event.rating) return `${event.rating} · ${say(`rate_${event.rating}`)}`;
  if (event.label !== undefined) return say(event.label ? "good" : "not_good");
  if (event.option && event.text) return say("corrected");
  if (event.option) return event.option === item?.options[item.marked]?.text ? say("was_approved") : `${say("right_answer")}: ${event.option}`;
  if (item && event.text === item.answers[0]?.text) return say("as_is");
  return say(item?.task === "instruction" ? "written" : "edited");
}
