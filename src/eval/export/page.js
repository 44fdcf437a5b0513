"use strict";
(() => {
  const table = document.getElementById("rows");
  const body = table.tBodies[0];
  const rows = Array.from(body.rows);
  const headings = Array.from(table.tHead.rows[0].cells);
  const number = (row, at) => Number(row.cells[at].textContent);
  const text = (row, at) => row.cells[at].textContent;
  let sorted = 1;
  let up = true;

  const sort = () => {
    const byNumber = sorted < 4;
    rows.sort((a, b) => {
      const order = byNumber
        ? number(a, sorted) - number(b, sorted)
        : text(a, sorted) < text(b, sorted) ? -1 : text(a, sorted) > text(b, sorted) ? 1 : 0;
      return up ? order : -order;
    });
    body.append(...rows);
    headings.forEach((cell, at) => {
      cell.setAttribute("aria-sort", at !== sorted ? "none" : up ? "ascending" : "descending");
    });
  };
  headings.forEach((cell, at) => {
    const button = document.createElement("button");
    button.append(...cell.childNodes);
    cell.append(button);
    button.addEventListener("click", () => {
      up = at === sorted ? !up : true;
      sorted = at;
      sort();
    });
  });

  const field = document.createElement("input");
  field.type = "search";
  field.placeholder = "show rows with this text";
  field.setAttribute("aria-label", field.placeholder);
  const count = document.createElement("span");
  const filter = () => {
    const wanted = field.value.toLowerCase();
    let shown = 0;
    for (const row of rows) {
      row.hidden = !row.textContent.toLowerCase().includes(wanted);
      shown += row.hidden ? 0 : 1;
    }
    count.textContent = ` ${shown} of ${rows.length}`;
  };
  field.addEventListener("input", filter);
  document.getElementById("tools").append(field, count);
  filter();
})();
