// HTML from the server in which times are shown as the reader writes them.

function localize() {
  element.querySelectorAll("time[datetime]").forEach((time) => {
    const shape = { hour: "2-digit", minute: "2-digit" };
    const day = "day" in time.dataset ? { day: "numeric", month: "short", year: "numeric" } : {};
    time.textContent = new Date(time.dateTime).toLocaleString(LOCALE, { ...day, ...shape });
  });
}
watch("value", localize);
localize();
