// HTML from the server in which times are shown as the reader writes them.

function localize() {
  element.querySelectorAll("time[datetime]").forEach((time) => {
    time.textContent = new Date(time.dateTime).toLocaleTimeString(LOCALE, { hour: "2-digit", minute: "2-digit" });
  });
}
watch("value", localize);
localize();
