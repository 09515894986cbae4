// Runs before the page does: the first language a person reads among those the page is in becomes
// the language of all of it. Gradio and the page's own parts look at navigator.language, which is
// the browser's first language only, and screen readers at that of the document.
(() => {
  const known = ["en", "es", "pt", "fr", "de"];
  const read = navigator.languages?.length ? navigator.languages : [navigator.language || "en"];
  const chosen = read.find((name) => known.includes(name.toLowerCase().split("-")[0])) ?? "en";
  document.documentElement.lang = chosen;
  Object.defineProperty(navigator, "language", { get: () => chosen, configurable: true });
})();
