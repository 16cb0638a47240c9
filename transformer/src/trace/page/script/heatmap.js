// A tensor as a heat map: a canvas of plain colours; above it a second one with the marks (selection, mask, NaN and ∞,
// token labels); below them a legend, a read-out and, on demand, the table.

/**
 * options: title, node (whose entries they are), found (the tensor), selected, related (entries to mark), most (end of the
 * scale), sequential, mask (entry → bool), onpick (entry → void), labels
 */
function heatmap(options) {
  const { title, subtitle, found, most = found.largest, sequential = false, pickable = true } = options;
  const drawing = h("div", { class: "drawing" });
  const figure = h(
    "figure",
    { class: `map ${options.className ?? ""}`.trim() },
    h("figcaption", {}, h("span", { class: "map-title" }, title), subtitle && h("span", { class: "map-shape" }, subtitle)),
    found.shape.length === 0 ? h("p", { class: "scalar" }, number(found.data[0])) : drawing,
    found.shape.length === 0 ? null : legend(found, most, sequential, options.mask),
    found.shape.length === 0 ? null : tableOf(options),
  );
  if (found.shape.length > 0) {
    drawing.dataset.most = most;
    drawing.dataset.scale = sequential ? "sequential" : "diverging";
    const frame = { ...options, most, sequential, drawing, figure };
    drawing.tabIndex = 0;
    drawing.setAttribute("role", "application");
    drawing.setAttribute("aria-roledescription", "heat map");
    drawing.setAttribute("aria-label", `${title}, ${subtitle ?? ""}. Arrow keys ${pickable ? "select" : "read"} an entry; the table below has all numbers.`);
    drawings.push(frame);
    listen(frame);
  }
  return figure;
}

let drawings = []; // the maps of the card that is being built; drawn when their width is known

/** How wide each map may be: to ask for it lays the page out, so all are asked together. */
function measureMaps() {
  for (const frame of drawings) frame.room = roomFor(frame);
  inks = inksOf();
}

function drawMaps() {
  for (const frame of drawings) drawMap(frame);
  drawings = [];
}

let inks = null; // the theme's colours, as the canvas needs them

function inksOf() {
  const style = getComputedStyle(document.documentElement);
  const [ink, muted, paper] = ["--ink", "--muted", "--paper"].map((name) => style.getPropertyValue(name).trim());
  return { ink, muted, paper };
}

/** The width that a map may take, known once the card stands in the page. */
function roomFor(frame) {
  return Math.max(120, Math.floor(frame.drawing.clientWidth) || 560);
}

function drawMap(frame) {
  const { found, most, sequential, drawing } = frame;
  const plan = planOf(found, frame.room, { labels: frame.labels });
  frame.plan = plan;
  const base = h("canvas", { class: "cells", width: plan.width, height: plan.height, "aria-hidden": "true" });
  paintCells(base, plan, found, most, sequential);
  const ratio = Math.max(1, Math.round(window.devicePixelRatio || 1));
  const marks = h("canvas", { class: "marks", width: plan.width * ratio, height: plan.height * ratio, "aria-hidden": "true" });
  marks.style.width = `${plan.width}px`;
  const pen = marks.getContext("2d");
  pen.scale(ratio, ratio);
  paintMarks(pen, frame, plan);
  show(drawing, base, marks);
  Object.assign(drawing.dataset, { cell: `${plan.cell}x${plan.tall}`, grid: `${plan.columns}x${plan.rows}`, corners: Array.from({ length: plan.facets }, (_, facet) => plan.corner(facet)).join(" ") });
  drawing.classList.toggle("wide", plan.width > frame.room);
}

/** One solid rectangle an entry, in the colour of its value: nothing else is on this canvas. */
function paintCells(canvas, plan, found, most, sequential) {
  const pen = canvas.getContext("2d", { willReadFrequently: true });
  const image = pen.createImageData(plan.width, plan.height);
  const options = { contrast: state.contrast, sequential, theme: dark() ? "dark" : "light" };
  const pixels = new Uint32Array(image.data.buffer);
  for (let offset = 0; offset < found.data.length; offset++) {
    const [r, g, b] = colour(found.data[offset], most, options);
    const packed = (255 << 24) | (b << 16) | (g << 8) | r;
    const [left, top] = cornerOf(plan, offset);
    for (let y = top; y < top + plan.tall; y++) pixels.fill(packed, y * plan.width + left, y * plan.width + left + plan.cell);
  }
  pen.putImageData(image, 0, 0);
}

function paintMarks(pen, frame, plan) {
  const { found, mask, selected, related = [] } = frame;
  const { ink, muted, paper } = inks;
  const masked = new Path2D();
  for (let offset = 0; offset < found.data.length; offset++) {
    const x = found.data[offset];
    if (mask?.(found.entryAt(offset))) masked.rect(...cornerOf(plan, offset), plan.cell, plan.tall);
    else if (!Number.isFinite(x)) glyph(pen, plan, offset, Number.isNaN(x) ? "×" : x > 0 ? "∞" : "−∞", paper);
  }
  if (mask) hatch(pen, plan, masked, paper, muted);
  if (plan.facets > 1 || frame.labels) labelFacets(pen, frame, plan, muted);
  for (const [from, to] of rectangles(plan, related.map((entry) => found.offset(entry)))) frameAround(pen, plan, from, to, paper, ink);
  if (selected) {
    outline(pen, plan, found.offset(selected), paper, 4);
    outline(pen, plan, found.offset(selected), ink, 2);
  }
}

/** Offsets as rectangles [first, last]: runs of neighbours in a row, joined with equal runs in the row below. */
function rectangles(plan, offsets) {
  const runs = [];
  for (const offset of [...new Set(offsets)].filter((each) => each !== undefined).sort((a, b) => a - b)) {
    const last = runs.at(-1);
    if (last && offset === last[1] + 1 && offset % plan.columns !== 0) last[1] = offset;
    else runs.push([offset, offset]);
  }
  const joined = [];
  for (const [from, to] of runs) {
    const above = joined.find(([first, last]) => last === to - plan.columns && (first - from) % plan.columns === 0 && sameFacet(plan, first, to));
    if (above) above[1] = to;
    else joined.push([from, to]);
  }
  return joined;
}

const sameFacet = ({ rows, columns }, a, b) => Math.floor(a / (rows * columns)) === Math.floor(b / (rows * columns));

function frameAround(pen, plan, from, to, ground, ink) {
  const [left, top] = cornerOf(plan, from);
  const [right, bottom] = cornerOf(plan, to);
  const box = [left - 1, top - 1, right + plan.cell - left + 2, bottom + plan.tall - top + 2];
  pen.lineWidth = 3.5;
  pen.strokeStyle = ground;
  pen.strokeRect(...box);
  pen.lineWidth = 1.5;
  pen.strokeStyle = ink;
  pen.strokeRect(...box);
}

function outline(pen, plan, offset, stroke, width) {
  if (offset === undefined) return;
  const [x, y] = cornerOf(plan, offset);
  pen.strokeStyle = stroke;
  pen.lineWidth = width;
  pen.strokeRect(x - 0.5, y - 0.5, plan.cell + 1, plan.tall + 1);
}

/** What the mask hides: paper with diagonal lines, whatever number lies below. */
function hatch(pen, plan, masked, ground, stroke) {
  pen.save();
  pen.clip(masked);
  pen.fillStyle = ground;
  pen.fillRect(0, 0, plan.width, plan.height);
  pen.strokeStyle = stroke;
  pen.globalAlpha = 0.35;
  pen.beginPath();
  for (let x = 0; x < plan.width + plan.height; x += 6) {
    pen.moveTo(x, 0);
    pen.lineTo(x - plan.height, plan.height);
  }
  pen.stroke();
  pen.restore();
}

function glyph(pen, plan, offset, sign, ink) {
  const [x, y] = cornerOf(plan, offset);
  pen.fillStyle = ink;
  pen.font = `${Math.max(6, Math.min(plan.cell, plan.tall))}px sans-serif`;
  pen.textAlign = "center";
  pen.textBaseline = "middle";
  pen.fillText(sign, x + plan.cell / 2, y + plan.tall / 2);
}

/** A head's number above its map; tokens beside rows and above columns where there is room for a letter. */
function labelFacets(pen, frame, plan, ink) {
  const { found, node } = frame;
  const rank = found.shape.length;
  pen.fillStyle = ink;
  for (let facet = 0; facet < plan.facets; facet++) {
    const [x, y] = plan.corner(facet);
    const entry = found.entryAt(facet * plan.rows * plan.columns);
    if (plan.facets > 1) {
      pen.font = "11px system-ui, sans-serif";
      pen.textAlign = "left";
      pen.textBaseline = "alphabetic";
      const names = entry.slice(0, -2).map((i, a) => (found.shape[a] > 1 ? facetName(node, a, i) : null)).filter(Boolean);
      pen.fillText(names.join(" "), x, y - plan.margin - 5);
    }
    if (!frame.labels || plan.cell < 6) continue;
    pen.font = `${Math.min(11, plan.cell + 2)}px ui-monospace, monospace`;
    for (let row = 0; row < plan.rows; row++) {
      const token = tokenAt(node, rank - 2, found.indices[rank - 2][row]);
      if (token === undefined) continue;
      pen.textAlign = "right";
      pen.textBaseline = "middle";
      pen.fillText(visible(token).slice(0, 3), x - 3, y + (row + 0.5) * plan.tall, plan.margin);
    }
    for (let column = 0; column < plan.columns; column++) {
      const token = tokenAt(node, rank - 1, found.indices[rank - 1][column]);
      if (token === undefined) continue;
      pen.textAlign = "center";
      pen.textBaseline = "alphabetic";
      pen.fillText(visible(token).slice(0, 3), x + (column + 0.5) * plan.cell, y - 4, plan.cell);
    }
  }
}

function facetName(node, axis, index) {
  const name = trace.nodes[node].axisNames[axis];
  return name === "h" ? `head ${index}` : name === "b" ? `window ${index}` : at(name, index);
}

function legend(found, most, sequential, mask) {
  const { stats } = found;
  const parts = [
    h("span", { class: `ramp ${sequential ? "sequential" : "diverging"}` }),
    h("span", { class: "ramp-ends" }, h("span", {}, sequential ? "0" : format(-most, 3)), sequential ? null : h("span", {}, "0"), h("span", {}, format(most, 3))),
  ];
  const notes = [];
  if (found.sampled) notes.push(h("span", { class: "sampled" }, `a sample: ${thousands(found.data.length)} of ${thousands(numel(found.shape))} entries`));
  if (stats?.norm !== undefined && stats?.norm !== null) notes.push(h("span", {}, "‖·‖ ", number(stats.norm)));
  if (stats?.nan > 0) notes.push(h("span", { class: "bad" }, `× ${stats.nan} NaN`));
  if (stats?.inf > 0 && !mask) notes.push(h("span", {}, `∞ ${stats.inf} infinite`));
  if (mask) notes.push(h("span", { class: "masked-note" }, h("span", { class: "hatch-sample", "aria-hidden": "true" }), "masked"));
  return h("div", { class: "legend" }, h("div", { class: "scale" }, parts), h("div", { class: "notes" }, notes));
}

/** Where a tensor will be: hatched, and in words. It never looks like zeros. */
function unknown(title, subtitle, words) {
  return h(
    "figure",
    { class: "map" },
    h("figcaption", {}, h("span", { class: "map-title" }, title), h("span", { class: "map-shape" }, subtitle)),
    h("div", { class: "unknown" }, h("span", {}, words)),
  );
}
