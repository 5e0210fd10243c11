// Values under the pointer, and a button that copies the command. Without script the page loses nothing but these two.
// Texts are set as text, never as markup.
"use strict";
const NS = "http://www.w3.org/2000/svg";
function node(tag, className, text) {
  const made = document.createElement(tag);
  if (className) made.className = className;
  if (text !== undefined) made.textContent = text;
  return made;
}
function nearest(points, x) {
  return points.reduce((best, point) => Math.abs(point[0] - x) < Math.abs(best[0] - x) ? point : best);
}
function follow(figure) {
  const chart = JSON.parse(figure.dataset.chart), svg = figure.querySelector("svg"), title = svg.querySelector("title");
  svg.setAttribute("aria-label", title.textContent);
  title.remove();
  const marks = document.createElementNS(NS, "g"), tip = node("div", "tip");
  tip.hidden = true;
  svg.append(marks);
  figure.append(tip);
  function show(event) {
    const box = svg.getBoundingClientRect(), scale = svg.viewBox.baseVal.width / box.width;
    const x = (event.clientX - box.left) * scale;
    const all = chart.series.map(series => [series, nearest(series.points, x)]);
    const lead = nearest(all.map(pair => pair[1]), x), near = all.filter(pair => Math.abs(pair[1][0] - lead[0]) < 8);
    marks.replaceChildren();
    const cursor = document.createElementNS(NS, "line");
    const ends = {x1: lead[0], x2: lead[0], y1: chart.top, y2: chart.bottom, class: "cursor"};
    for (const [name, value] of Object.entries(ends)) cursor.setAttribute(name, value);
    marks.append(cursor);
    tip.replaceChildren(node("div", "sub", chart.x + " " + lead[2]));
    for (const [series, point] of near) {
      const dot = document.createElementNS(NS, "circle");
      for (const [name, value] of Object.entries({cx: point[0], cy: point[1], r: 4, class: "dot f" + series.colour}))
        dot.setAttribute(name, value);
      marks.append(dot);
      const row = node("div");
      row.append(node("i", "key k" + series.colour), node("span", "", series.name), node("b", "", point[3]));
      tip.append(row);
    }
    tip.hidden = false;
    const outer = figure.getBoundingClientRect(), at = lead[0] / scale + box.left - outer.left;
    const left = at + 14 + tip.offsetWidth > outer.width ? at - 14 - tip.offsetWidth : at + 14;
    tip.style.left = Math.max(0, Math.min(left, outer.width - tip.offsetWidth)) + "px";
    tip.style.top = (box.top - outer.top + 18) + "px";
  }
  svg.addEventListener("pointermove", show);
  svg.addEventListener("pointerdown", show);
  svg.addEventListener("pointerleave", () => { tip.hidden = true; marks.replaceChildren(); });
}
document.querySelectorAll("figure[data-chart]").forEach(follow);
document.querySelectorAll(".command").forEach(box => {
  if (!navigator.clipboard) return;
  const button = node("button", "", "Copy");
  button.type = "button";
  button.addEventListener("click", async () => {
    await navigator.clipboard.writeText(box.querySelector("code").textContent);
    button.textContent = "Copied";
    setTimeout(() => { button.textContent = "Copy"; }, 1500);
  });
  box.append(button);
});
