// What this browser keeps: for all its tabs (localStorage) and for this tab (sessionStorage).
// Where it refuses, a Map stands in until the page closes, and `refused` says so.

function keeper(area) {
  const memory = new Map();
  return {
    refused: false,
    keep(key, value) {
      memory.set(key, value);
      try {
        area().setItem(key, JSON.stringify(value));
        memory.delete(key);
      } catch (error) {
        this.refused = true;
        console.warn("Seedbed: this browser keeps nothing more", error);
      }
    },
    recall(key, otherwise = null) {
      if (memory.has(key)) return memory.get(key);
      try {
        return JSON.parse(area().getItem(key)) ?? otherwise;
      } catch (error) {
        console.warn("Seedbed: an entry is unreadable and left alone", key, error);
        return otherwise;
      }
    },
    forget(key) {
      memory.delete(key);
      try { area().removeItem(key); } catch (error) { console.warn("Seedbed: storage refused", error); }
      if (!memory.size) this.refused = false;
    },
    keys(prefix) {
      const found = new Set(memory.keys());
      try { for (let i = 0; i < area().length; i++) found.add(area().key(i)); } catch { this.refused = true; }
      return [...found].filter((key) => key.startsWith(prefix));
    },
  };
}
const browserStore = keeper(() => localStorage);
const tabStore = keeper(() => sessionStorage);

const randomHex = () => Array.from(crypto.getRandomValues(new Uint8Array(16)), (b) => b.toString(16).padStart(2, "0")).join("");

// A duplicated tab starts with a copy of this tab's storage: only one of them may go on under the
// id and with the cards in hand. The lock is held until the page goes.
async function claimTab() {
  const known = tabStore.recall("seedbed:tab");
  if (known && await lockTab(known)) return known;
  for (const key of tabStore.keys("seedbed:")) tabStore.forget(key);
  const fresh = randomHex();
  tabStore.keep("seedbed:tab", fresh);
  await lockTab(fresh);
  return fresh;
}

async function lockTab(id) {
  if (!navigator.locks) return true;
  for (const wait of [0, 150, 300]) { // a page that is reloaded lets go of its lock a moment later
    await new Promise((resolve) => setTimeout(resolve, wait));
    const got = await new Promise((resolve) => {
      navigator.locks.request(`seedbed:tab:${id}`, { ifAvailable: true }, (lock) => {
        resolve(Boolean(lock));
        return lock && new Promise(() => {});
      });
    });
    if (got) return true;
  }
  return false;
}
