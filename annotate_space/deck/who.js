// Who is at the screen, as the server is told: an invitation, a guest, or nobody in particular
// (then the server goes by the Hugging Face sign-in).

function takeInvitation() {
  const url = new URL(location.href);
  const token = url.searchParams.get("invite");
  if (!token) return;
  browserStore.keep("seedbed:invite", token);
  url.searchParams.delete("invite");
  window.history.replaceState(window.history.state, "", url);
}

function who() {
  const invite = browserStore.recall("seedbed:invite");
  if (invite) return { invite };
  const name = browserStore.recall("seedbed:guest");
  return name ? { guest: { name, key: browserStore.recall("seedbed:guests", {})[name] } } : {};
}

const folded = (text) => text.normalize("NFC").trim().toUpperCase().toLowerCase(); // "ß" is "ss"

// Whoever was here before gets their own answers back under the same name: the key is theirs.
function becomeGuest(typed) {
  const guests = browserStore.recall("seedbed:guests", {});
  const name = Object.keys(guests).find((known) => folded(known) === folded(typed)) ?? typed;
  guests[name] ??= randomHex();
  browserStore.keep("seedbed:guests", guests);
  browserStore.keep("seedbed:guest", name);
  leaveInvitation(); // it did not let them in, or they would not have been asked
}

const leaveInvitation = () => browserStore.forget("seedbed:invite");
