// How long somebody worked on a card: only while the page is in view and something happened on it
// within the last minute.

const IDLE_MS = 60000;

const clock = {
  spent: 0,
  last: null, // when time was last counted; null while the clock stands
  start() { this.spent = 0; this.resume(); },
  resume() { this.last = document.hidden ? null : Date.now(); },
  count() {
    if (this.last === null) return;
    const now = Date.now();
    this.spent += Math.max(0, Math.min(now - this.last, IDLE_MS));
    this.last = now;
  },
  pause() { this.count(); this.last = null; },
};

for (const sign of ["pointerdown", "pointermove", "keydown", "wheel", "scroll", "touchmove"]) {
  document.addEventListener(sign, () => clock.count(), { capture: true, passive: true });
}
