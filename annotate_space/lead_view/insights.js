// How far the votes can be trusted.

opened["lead-tab-insights"] = () => {};
