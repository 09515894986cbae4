// Links that let somebody in: make, copy, extend, take back.

let confirming = null; // the invitation that somebody is about to take back
let invited = { good: [], ended: [], left_out: 0 };

part("invite").elements.expires.addEventListener("change", (event) => {
  show("own", event.target.value === "");
  if (event.target.value === "") part("invite").elements.own.focus();
});
part("invite").addEventListener("submit", async (event) => {
  event.preventDefault();
  const { name, expires, own } = part("invite").elements;
  const button = part("invite").querySelector("[type=submit]");
  button.disabled = true;
  wrongInvite("");
  try {
    const reply = await ask("invite", { name: name.value, expires: expires.value || own.value });
    const link = new URL(location.pathname, location.origin);
    link.searchParams.set("invite", reply.token);
    part("key-title").textContent = say("key_title", { name: name.value.trim(), date: moment(reply.invitation.expires_at) });
    part("link").value = link.href;
    part("copy").textContent = say("copy");
    show("key", true);
    part("copy").focus();
    name.value = "";
    invited = { ...invited, good: [reply.invitation, ...invited.good] };
    drawInvitations(invited);
  } catch (error) {
    wrongInvite(error.message);
    name.focus();
  } finally {
    button.disabled = false;
  }
});

function wrongInvite(text) {
  part("invite-wrong").textContent = text;
  show("invite-wrong", Boolean(text));
}

part("link").addEventListener("focus", () => part("link").select());
part("copy").addEventListener("click", async () => {
  part("link").select();
  try {
    await navigator.clipboard.writeText(part("link").value);
  } catch {
    // An insecure address or a frame has no clipboard; what is selected can be copied all the same.
    if (!document.execCommand("copy")) return tell(say("copy_by_hand"));
  }
  part("copy").textContent = say("copied");
  tell(say("copied"));
});
part("key-close").addEventListener("click", () => {
  show("key", false);
  part("link").value = "";
  part("invite").elements.name.focus();
});

function drawInvitations(news) {
  invited = news;
  draw("good", [news.good, confirming], () => (news.good.length ? [invitationList(news.good)] : [make("p", { className: "hint", textContent: say("no_invitations") })]));
  draw("ended", news.ended, () => [invitationList(news.ended)]);
  part("ended-title").textContent = say("ended_title", { n: number(news.ended.length) });
  show("ended-box", news.ended.length > 0);
}

function invitationList(list) {
  return make("ul", { className: "invitations" }, ...list.map((one) => {
    const name = one.name || say("somebody", { id: one.id });
    const until = one.state === "revoked" ? say("revoked_at", { date: day(one.revoked_at) })
      : say(one.state === "expired" ? "expired_at" : "good_until", { date: moment(one.expires_at) });
    const told = [until, say("made_at", { date: day(one.made_at) }), one.made_by && say("made_by", { who: one.made_by })].filter(Boolean);
    const row = make("li", { "data-id": one.id }, make("div", {}, make("strong", { textContent: name }), make("span", { className: "hint", textContent: told.join(" · ") })));
    if (one.state !== "revoked") row.append(buttons(one, name));
    return row;
  }));
}

function buttons(one, name) {
  if (confirming === one.id) return sure(one, name);
  const row = make("div", { className: "row" }, extendButton(one, name));
  if (one.state === "good") {
    const button = make("button", { type: "button", className: "quiet", textContent: say("revoke"), "aria-label": say("revoke_of", { name }), "data-do": "revoke" });
    button.addEventListener("click", () => confirm(one.id));
    row.append(button);
  }
  return row;
}

// The same link: with a new one they would be somebody else, and what they have not sent is lost.
function extendButton(one, name) {
  const button = make("button", { type: "button", className: "quiet", textContent: say("extend"), "aria-label": say("extend_of", { name }) });
  button.addEventListener("click", async () => {
    button.disabled = true;
    try {
      const { invitation } = await ask("extend", { id: one.id });
      const same = (other) => (other.id === one.id ? invitation : other);
      const ended = one.state === "expired";
      drawInvitations({
        ...invited,
        good: ended ? [invitation, ...invited.good] : invited.good.map(same),
        ended: invited.ended.filter((other) => other.id !== one.id),
      });
      tell(say("extended_now", { name, date: moment(invitation.expires_at) }));
      part("good").querySelector(`[data-id="${one.id}"] button`)?.focus();
    } catch (error) {
      button.disabled = false;
      notice(error.message);
    }
  });
  return button;
}

function sure(one, name) {
  const yes = make("button", { type: "button", className: "act bad", textContent: say("revoke_yes") });
  const no = make("button", { type: "button", className: "act", textContent: say("revoke_no") });
  yes.addEventListener("click", async () => {
    yes.disabled = true;
    try {
      const reply = await ask("revoke", { id: one.id });
      confirming = null;
      drawInvitations({ ...invited, good: invited.good.filter((other) => other.id !== one.id), ended: [reply.invitation, ...invited.ended] });
      tell(say("revoked_now", { name }));
      part("invite").elements.name.focus();
    } catch (error) {
      yes.disabled = false;
      notice(error.message);
    }
  });
  no.addEventListener("click", () => confirm(null, one.id));
  return make("div", { className: "row", role: "group", "aria-label": say("revoke_sure", { name }) }, make("span", { textContent: say("revoke_sure", { name }) }), yes, no);
}

function confirm(id, back = id) {
  confirming = id;
  drawInvitations(invited);
  const row = part("good").querySelector(`[data-id="${back}"]`);
  (row?.querySelector("[data-do=revoke]") ?? row?.querySelector("button"))?.focus();
}
