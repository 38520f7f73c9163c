// Sorting, searching, copying, the switch of light and dark, and the pictures. Without this
// script the page shows the same, but for the pictures.
"use strict";

const all = (selector, root = document) => [...root.querySelectorAll(selector)];

function sortBy(button) {
  const header = button.closest("th");
  const table = button.closest("table");
  const body = table.tBodies[0];
  const column = header.cellIndex;
  const ascending = header.getAttribute("aria-sort") !== "ascending";
  const key = (row) => {
    const cell = row.cells[column];
    return cell.dataset.value === undefined ? cell.textContent : Number(cell.dataset.value);
  };
  const compare = (a, b) =>
    typeof a === "number" ? a - b : a.localeCompare(b, "en", { numeric: true });
  const rows = [...body.rows].map((row) => [key(row), row]);
  rows.sort((a, b) => (ascending ? compare(a[0], b[0]) : compare(b[0], a[0])));
  body.append(...rows.map((each) => each[1]));
  all("th[aria-sort]", table).forEach((other) => other.removeAttribute("aria-sort"));
  header.setAttribute("aria-sort", ascending ? "ascending" : "descending");
}

function search(input) {
  const words = input.value.toLowerCase().split(/\s+/).filter(Boolean);
  const items = all("[data-name]", document.getElementById(input.dataset.filters));
  let shown = 0;
  for (const item of items) {
    const name = item.dataset.name.toLowerCase();
    item.hidden = !words.every((word) => name.includes(word));
    shown += item.hidden ? 0 : 1;
  }
  const found = document.getElementById(input.dataset.counts);
  found.textContent = words.length ? `${shown} of ${items.length}` : "";
}

async function copy(button) {
  const source = document.getElementById(button.dataset.copies);
  const words = button.firstChild;
  try {
    await navigator.clipboard.writeText(source.textContent);
    words.data = "Copied";
  } catch {
    // The browser does not allow it here: mark the text, so that it can be copied by hand.
    getSelection().selectAllChildren(source);
    words.data = "Press Ctrl+C";
  }
  setTimeout(() => (words.data = "Copy"), 2000);
}

function switchTheme() {
  const root = document.documentElement;
  const dark = matchMedia("(prefers-color-scheme: dark)").matches;
  const current = root.dataset.theme || (dark ? "dark" : "light");
  root.dataset.theme = current === "dark" ? "light" : "dark";
}

function showPictures() {
  const sheet = document.getElementById("sheet");
  if (!sheet) return;
  // One address for all pictures: the image itself would have to be read again for each.
  const bytes = Uint8Array.from(atob(sheet.src.split(",")[1]), (char) => char.charCodeAt(0));
  const address = URL.createObjectURL(new Blob([bytes], { type: "image/jpeg" }));
  const rules = document.createElement("style");
  rules.textContent = `.tile { background-image: url("${address}"); }`;
  document.head.append(rules);
}

all("button.sort").forEach((each) => each.addEventListener("click", () => sortBy(each)));
all("input[data-filters]").forEach((each) => each.addEventListener("input", () => search(each)));
all("button.copy").forEach((each) => each.addEventListener("click", () => copy(each)));
document.getElementById("theme").addEventListener("click", switchTheme);
showPictures();
document.documentElement.classList.add("ready");
