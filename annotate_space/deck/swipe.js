// Answering by dragging sideways anywhere on the card, on a touch screen and for one answer only. Vertical
// scrolling stays the browser's (touch-action: pan-y in the style).

const START_PX = 12;
const FAR_ENOUGH_PX = 88;

function watchSwipes(area) {
  let drag = null;
  const release = () => {
    if (!drag) return;
    const { box, hint } = drag;
    drag = null;
    box.classList.remove("dragged");
    box.style.transform = "";
    hint?.remove();
  };
  area.addEventListener("pointerdown", (event) => {
    const box = area.querySelector(".answer");
    const scrolls = event.target.closest("pre, table");
    if (drag || !box || event.pointerType === "mouse" || !shown || !TASKS[hand[0]?.task]?.swipes) return;
    if (scrolls && scrolls.scrollWidth > scrolls.clientWidth) return;
    drag = { box, id: event.pointerId, x: event.clientX, by: 0, hint: null };
  });
  area.addEventListener("pointermove", (event) => {
    if (!drag || event.pointerId !== drag.id || String(getSelection())) return;
    drag.by = event.clientX - drag.x;
    if (!drag.hint && Math.abs(drag.by) < START_PX) return;
    if (!drag.hint) {
      drag.hint = make("span", "swipe-hint");
      drag.hint.setAttribute("aria-hidden", "true");
      part("card").append(drag.hint);
      drag.box.classList.add("dragged");
      area.setPointerCapture(drag.id);
    }
    drag.box.style.transform = `translateX(${drag.by}px) rotate(${drag.by / 60}deg)`;
    drag.hint.textContent = say(drag.by > 0 ? "good" : "not_good");
    drag.hint.dataset.side = drag.by > 0 ? "right" : "left";
    drag.hint.classList.toggle("far", Math.abs(drag.by) >= FAR_ENOUGH_PX);
  });
  area.addEventListener("pointerup", (event) => {
    if (!drag || event.pointerId !== drag.id) return;
    const by = drag.hint ? drag.by : 0;
    release();
    if (Math.abs(by) >= FAR_ENOUGH_PX) give({ label: by > 0 });
  });
  area.addEventListener("pointercancel", release);
}

// Two answers beside each other on a phone: the switch above shows which one is in view.
function watchSides(area) {
  const buttons = ["a", "b"].map((side, index) => {
    const button = make("button", "", say(`answer_${side}`));
    button.type = "button";
    button.addEventListener("click", () => area.scrollTo({ left: index * area.scrollWidth, behavior: "smooth" }));
    return button;
  });
  const paint = () => {
    const inView = Math.abs(area.scrollLeft) > (area.scrollWidth - area.clientWidth) / 2 ? 1 : 0;
    buttons.forEach((button, index) => button.setAttribute("aria-pressed", String(index === inView)));
  };
  part("sides").replaceChildren(...buttons);
  area.addEventListener("scroll", paint, { passive: true });
  paint();
}
