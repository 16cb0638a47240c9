// Sliders over training, and numbers read off under the pointer. Everything is on the page without this script too.
"use strict";
const data = JSON.parse(document.getElementById("data").textContent);
const root = document.documentElement;
root.classList.add("js");
const SVG = "http://www.w3.org/2000/svg";
const after = (step) => (step === 0 ? "before the first update" : `after ${step} update${step === 1 ? "" : "s"}`);

const shown = (x) => {
  if (x === 0) return "0";
  if (x >= 1e4) return Math.round(x).toLocaleString("en").replaceAll(",", " ");
  return x < 1e-3 ? x.toExponential(2) : String(Number(x.toPrecision(4)));
};

// A chart tells its values where the pointer is, or where the arrow keys have gone.
document.querySelectorAll("figure.plot").forEach((figure, index) => {
  const { frame: [left, right, top, bottom], x, curves } = data.plots[index];
  const chart = figure.querySelector("svg.chart");
  const [at, ...values] = figure.querySelectorAll("output");
  const measured = curves.filter(({ constant }) => !constant).flatMap(({ points }) => points.map(([step]) => step));
  const steps = [...new Set(measured)].sort((a, b) => a - b);
  const cursor = document.createElementNS(SVG, "path");
  cursor.setAttribute("class", "cursor");
  chart.append(cursor);
  chart.tabIndex = 0;
  let place = steps.length - 1;
  const nearest = (points, step) => points.reduce((best, point) => (Math.abs(point[0] - step) < Math.abs(best[0] - step) ? point : best));
  const valueAt = ({ points }, step) => (step < points[0][0] || step > points.at(-1)[0] ? "–" : shown(nearest(points, step)[1]));
  const read = (to) => {
    place = Math.min(Math.max(to, 0), steps.length - 1);
    const step = steps[place];
    const across = left + ((step - x.range[0]) / (x.range[1] - x.range[0])) * (right - left);
    cursor.setAttribute("d", `M${across} ${top}V${bottom}`);
    at.textContent = `at ${shown(step)} ${figure.dataset.unit}`;
    values.forEach((value, i) => (value.textContent = valueAt(curves[i], step)));
  };
  chart.addEventListener("pointermove", (event) => {
    const box = chart.getBoundingClientRect();
    const across = ((event.clientX - box.left) / box.width) * chart.viewBox.baseVal.width;
    const step = x.range[0] + ((across - left) / (right - left)) * (x.range[1] - x.range[0]);
    let best = 0;
    steps.forEach((candidate, i) => (best = Math.abs(candidate - step) < Math.abs(steps[best] - step) ? i : best));
    read(best);
  });
  chart.addEventListener("keydown", (event) => {
    const by = { ArrowLeft: -1, ArrowRight: 1, Home: -steps.length, End: steps.length }[event.key];
    if (by === undefined) return;
    event.preventDefault();
    read(place + by);
  });
});

// A slider shows one of several moments; `show(i)` says how.
function slide(id, moments, show) {
  const slider = document.getElementById(id);
  const output = slider.parentElement.querySelector("output");
  slider.max = moments.length - 1;
  const move = () => {
    const told = after(moments[slider.value]);
    output.textContent = told;
    slider.setAttribute("aria-valuetext", told);
    show(Number(slider.value));
  };
  slider.value = moments.length - 1;
  slider.addEventListener("input", move);
  move();
}

const frames = [...document.querySelectorAll(".frame")];
if (frames.length) slide("sample-at", frames.map((frame) => Number(frame.dataset.step)), (now) => frames.forEach((frame, i) => frame.classList.toggle("now", i === now)));

if (data.attention) {
  const { tokens, layers, levels, frames } = data.attention;
  const n = tokens.length;
  const start = (query) => (query * (query + 1)) / 2;
  const bytes = (map) => Uint8Array.from(atob(map), (c) => c.charCodeAt(0));
  const draw = (group, map) => {
    const paths = Array(levels + 1).fill("");
    for (let query = 0; query < n; query++) {
      for (let key = 0; key <= query; key++) paths[Math.round(levels * Math.sqrt(map[start(query) + key] / 255))] += `M${key} ${query}h1v1h-1z`;
    }
    const made = paths.map((d, level) => {
      const path = document.createElementNS(SVG, "path");
      path.setAttribute("class", `o${level}`);
      path.setAttribute("d", d);
      return path;
    });
    group.replaceChildren(group.querySelector(".ground"), ...made.slice(1));
  };
  const heads = [...document.querySelectorAll(".head")];
  const large = document.getElementById("large");
  const cell = document.getElementById("large-cell");
  const told = document.getElementById("large-read");
  let now = frames.length - 1;
  let [layer, head] = [layers[0], 0];
  let [query, key] = [n - 1, -1];
  const mapOf = (layer, head) => bytes(frames[now].maps[layers.indexOf(layer)][head]);
  const tell = () => {
    cell.setAttribute("visibility", key < 0 ? "hidden" : "visible");
    if (key < 0) return;
    cell.setAttribute("x", key);
    cell.setAttribute("y", query);
    const weight = mapOf(layer, head)[start(query) + key] / 255;
    told.textContent = `“${tokens[query]}” (${query + 1}) gives “${tokens[key]}” (${key + 1}) ${weight.toFixed(2)} of its attention`;
  };
  const choose = () => {
    document.getElementById("large-name").textContent = `layer ${layer}, head ${head}`;
    heads.forEach((button) => button.setAttribute("aria-pressed", Number(button.dataset.layer) === layer && Number(button.dataset.head) === head));
    draw(document.getElementById("large-map"), mapOf(layer, head));
    tell();
  };
  heads.forEach((button) => button.addEventListener("click", () => {
    [layer, head] = [Number(button.dataset.layer), Number(button.dataset.head)];
    choose();
  }));
  large.addEventListener("pointermove", (event) => {
    const point = new DOMPoint(event.clientX, event.clientY).matrixTransform(large.getScreenCTM().inverse());
    const [row, column] = [Math.floor(point.y / 12), Math.floor(point.x / 12)];
    if (row < 0 || row >= n || column < 0 || column > row) return;
    [query, key] = [row, column];
    tell();
  });
  large.addEventListener("keydown", (event) => {
    const by = { ArrowLeft: [0, -1], ArrowRight: [0, 1], ArrowUp: [-1, 0], ArrowDown: [1, 0] }[event.key];
    if (!by) return;
    event.preventDefault();
    query = Math.min(Math.max(query + by[0], 0), n - 1);
    key = Math.min(Math.max(key + by[1], 0), query);
    tell();
  });
  slide("attention-at", frames.map(({ step }) => step), (to) => {
    now = to;
    heads.forEach((button) => draw(button.firstElementChild, mapOf(Number(button.dataset.layer), Number(button.dataset.head))));
    choose();
  });
}
root.dataset.ready = "true";
