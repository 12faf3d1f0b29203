"use strict";
// Names come from strangers: they only ever pass through textContent.
const tip = document.getElementById("tip");

function show(event, text) {
  tip.textContent = text;
  tip.hidden = false;
  const box = tip.getBoundingClientRect();
  const left = Math.min(event.clientX + 14, document.documentElement.clientWidth - box.width - 6);
  const below = event.clientY + 18;
  const top = below + box.height > window.innerHeight ? event.clientY - box.height - 12 : below;
  tip.style.left = Math.max(left, 6) + "px";
  tip.style.top = Math.max(top, 6) + "px";
}

function hide() {
  tip.hidden = true;
}

function placeIn(svg, event) {
  const point = new DOMPoint(event.clientX, event.clientY);
  return point.matrixTransform(svg.getScreenCTM().inverse());
}

function onPointer(element, tell, leave) {
  element.addEventListener("pointermove", tell);
  element.addEventListener("pointerdown", tell);
  element.addEventListener("pointerleave", () => { hide(); if (leave) leave(); });
}

for (const svg of document.querySelectorAll("svg[data-chart]")) {
  const chart = JSON.parse(svg.dataset.chart);
  const [left, , right] = JSON.parse(svg.dataset.box);
  const cursor = svg.querySelector(".cursor");
  onPointer(svg, (event) => {
    const at = placeIn(svg, event).x;
    if (at < left - 12 || at > right + 12) return;
    let best = 0;
    chart.x.forEach((x, i) => { if (Math.abs(x - at) < Math.abs(chart.x[best] - at)) best = i; });
    const lines = [chart.at[best]];
    for (const [name, values] of chart.series) {
      if (values[best] !== null) lines.push(name + ": " + values[best] + chart.unit);
    }
    cursor.setAttribute("x1", chart.x[best]);
    cursor.setAttribute("x2", chart.x[best]);
    cursor.setAttribute("visibility", "visible");
    show(event, lines.join("\n"));
  }, () => cursor.setAttribute("visibility", "hidden"));
}

for (const cell of document.querySelectorAll("[data-tip]")) {
  onPointer(cell, (event) => show(event, cell.dataset.tip));
}

for (const svg of document.querySelectorAll("svg[data-picture]")) {
  const data = JSON.parse(document.getElementById(svg.dataset.picture).textContent);
  const [left, top, side] = JSON.parse(svg.dataset.frame);
  const rows = data.names.map(() => new Map());
  for (let i = 0; i < data.cells.length; i += 3) rows[data.cells[i]].set(data.cells[i + 1], data.cells[i + 2]);
  const count = data.names.length;
  onPointer(svg, (event) => {
    const place = placeIn(svg, event);
    const row = Math.floor((place.y - top) / side * count);
    const column = Math.floor((place.x - left) / side * count);
    if (row < 0 || column < 0 || row >= count || column >= count) return hide();
    // Of the classes under the finger or the pointer, the most frequent confusion.
    const reach = Math.ceil(count / 300) - 1;
    let best = [row, column, rows[row].get(column) || 0];
    for (let r = Math.max(row - reach, 0); r <= Math.min(row + reach, count - 1); r++) {
      for (let c = Math.max(column - reach, 0); c <= Math.min(column + reach, count - 1); c++) {
        const images = rows[r].get(c) || 0;
        if (images > best[2]) best = [r, c, images];
      }
    }
    const [actual, predicted, images] = best;
    const what = actual === predicted ? data.names[actual] + "\nright" : data.names[actual] + "\ntaken for " + data.names[predicted];
    show(event, what + ": " + images + " of " + data.totals[actual] + " images");
  });
}

for (const input of document.querySelectorAll("input[data-search]")) {
  const rows = [...document.getElementById(input.dataset.search).tBodies[0].rows];
  input.addEventListener("input", () => {
    const wanted = input.value.trim().toLowerCase();
    for (const row of rows) row.hidden = !row.cells[0].textContent.toLowerCase().includes(wanted);
  });
}

for (const table of document.querySelectorAll("[data-sortable]")) {
  [...table.tHead.rows[0].cells].forEach((heading, column) => {
    let rising = true;
    heading.addEventListener("click", () => {
      const key = (row) => row.cells[column].dataset.v ?? row.cells[column].textContent;
      const numbers = [...table.tBodies[0].rows].every((row) => row.cells[column].dataset.v !== undefined);
      const sorted = [...table.tBodies[0].rows].sort((a, b) =>
        numbers ? key(a) - key(b) : key(a).localeCompare(key(b)));
      if (!rising) sorted.reverse();
      rising = !rising;
      table.tBodies[0].append(...sorted);
    });
  });
}
