// Run by the page whenever a field changes: hands all fields to the part that keeps drafts.
(...values) => {
  document.dispatchEvent(new CustomEvent("seedbed:screen", { detail: values }));
  return [];
}
