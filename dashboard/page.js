"use strict";
// Times in the reader's own zone; without a script they stay in UTC.
for (const element of document.querySelectorAll("time[datetime]")) {
  const moment = new Date(element.dateTime);
  if (!Number.isNaN(moment.valueOf())) {
    element.title = element.textContent;
    element.textContent = moment.toLocaleString([], { dateStyle: "medium", timeStyle: "short" });
  }
}
