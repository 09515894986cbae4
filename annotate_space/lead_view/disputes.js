// Questions on which people differ, for the lead to settle.

opened["lead-tab-disputes"] = () => {};
