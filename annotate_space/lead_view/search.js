// Samples found by words, by meaning, and by what was said of them.

opened["lead-tab-search"] = () => {};
