// Sorts and filters the tables. Without it the page shows all rows in the order of the run.
"use strict";
for (const table of document.querySelectorAll("table.sorts")) {
  const bodies = [...table.tBodies].map((body) => {
    const group = body.querySelector("th[scope=rowgroup]");
    const units = []; // a row, with the reason below it
    for (const row of body.rows) {
      if (row.classList.contains("why")) units.at(-1).push(row);
      else units.push([row]);
    }
    return { body, group, units };
  });
  const shown = (unit) => !unit[0].hidden;

  // A group's heading stands beside the first row that is shown, over all that are.
  function lay({ body, group, units }) {
    for (const unit of units) body.append(...unit);
    const visible = units.filter(shown);
    body.hidden = visible.length === 0;
    if (group && visible.length) {
      visible[0][0].prepend(group);
      group.rowSpan = visible.flat().length;
    }
  }

  function key(row, column) {
    const cell = row.querySelector(`[data-c="${column}"]`);
    if (!cell) return null;
    if (cell.dataset.v !== undefined) return Number(cell.dataset.v);
    const words = cell.textContent.trim();
    return words === "–" || words === "" ? null : words;
  }

  // Cells without a figure come last in either direction.
  function compare(a, b, sign) {
    if (a === null || b === null) return (a === null) - (b === null);
    if (typeof a === "number" && typeof b === "number") return sign * (a - b);
    return sign * String(a).localeCompare(String(b), "en", { numeric: true });
  }

  function sort(head, sign) {
    const column = head.dataset.c;
    for (const { units } of bodies) {
      units.sort((a, b) => compare(key(a[0], column), key(b[0], column), sign));
    }
    const first = ({ group, units }) =>
      group && group.dataset.c === column ? group.textContent.trim() : key(units[0][0], column);
    bodies.sort((a, b) => compare(first(a), first(b), sign));
    for (const each of bodies) {
      table.append(each.body);
      lay(each);
    }
    for (const other of table.tHead.querySelectorAll("th")) other.removeAttribute("aria-sort");
    head.setAttribute("aria-sort", sign > 0 ? "ascending" : "descending");
  }

  for (const head of table.tHead.querySelectorAll("th[data-c]")) {
    const button = document.createElement("button");
    button.type = "button";
    button.append(...head.childNodes);
    button.addEventListener("click", () =>
      sort(head, head.getAttribute("aria-sort") === "ascending" ? -1 : 1));
    head.append(button);
  }

  const rows = bodies.flatMap(({ units }) => units);
  if (rows.length < 6) continue;
  const words = new Map(bodies.flatMap(({ group, units }) => units.map((unit) =>
    [unit, `${group ? group.textContent : ""} ${unit.map((row) => row.textContent).join(" ")}`.toLowerCase()])));
  const input = document.createElement("input");
  input.type = "search";
  input.placeholder = "Filter rows";
  input.setAttribute("aria-label", `Filter rows: ${table.caption.textContent}`);
  input.addEventListener("input", () => {
    const wanted = input.value.toLowerCase().split(/\s+/);
    for (const unit of rows) {
      const hidden = !wanted.every((word) => words.get(unit).includes(word));
      for (const row of unit) row.hidden = hidden;
    }
    bodies.forEach(lay);
  });
  const label = document.createElement("p");
  label.className = "filter";
  label.append(input);
  table.closest(".scroll").before(label);
}
