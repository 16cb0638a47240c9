// Reading a heat map: the pointer and the arrow keys name the entry and its value; a click or Enter selects it.

function listen(frame) {
  const { drawing, node, found } = frame;
  const tip = $("tip");
  const under = (event) => {
    const box = drawing.firstElementChild?.getBoundingClientRect();
    if (!box || !frame.plan) return null;
    const zoom = frame.plan.width / box.width;
    return offsetUnder(frame.plan, (event.clientX - box.left) * zoom, (event.clientY - box.top) * zoom);
  };
  drawing.addEventListener("pointermove", (event) => {
    const offset = under(event);
    if (offset === null) return hideTip();
    paintText({ node, entry: found.entryAt(offset) });
    show(tip, readout(node, found.entryAt(offset), found.data[offset], frame.mask));
    tip.hidden = false;
    const left = Math.min(event.clientX + 14, window.innerWidth - tip.offsetWidth - 8);
    const top = event.clientY + 18 + tip.offsetHeight > window.innerHeight ? event.clientY - tip.offsetHeight - 10 : event.clientY + 18;
    tip.style.left = `${left}px`;
    tip.style.top = `${top}px`;
  });
  drawing.addEventListener("pointerleave", () => {
    hideTip();
    paintText(selection);
  });
  drawing.addEventListener("click", (event) => {
    const offset = under(event);
    if (offset !== null) frame.onpick?.(found.entryAt(offset));
  });
  drawing.addEventListener("keydown", (event) => moveByKey(frame, event));
}

function hideTip() {
  $("tip").hidden = true;
}

/** "b 0, n 5 ␣, d 3: −0.1234" */
function readout(node, entry, x, mask) {
  const place = label(node, entry, entry.map((_, a) => a));
  return [h("span", { class: "tip-place" }, place), h("span", { class: "tip-value" }, mask?.(entry) ? `masked (${format(x)})` : format(x, 6))];
}

/** Arrow keys on a map: the neighbour in the plane; at the edge of a facet, the next one. */
function moveByKey(frame, event) {
  const { found, node } = frame;
  const last = found.data.length - 1;
  const columns = frame.plan?.columns ?? 1;
  const by = { ArrowLeft: -1, ArrowRight: 1, ArrowUp: -columns, ArrowDown: columns }[event.key];
  const here = frame.cursor ?? (frame.selected && found.offset(frame.selected)) ?? 0;
  if (by !== undefined && !event.shiftKey && !event.altKey && !event.ctrlKey && !event.metaKey) {
    event.preventDefault();
    event.stopPropagation();
    frame.cursor = Math.min(Math.max(here + by, 0), last);
    const entry = found.entryAt(frame.cursor);
    announce(`${label(node, entry, entry.map((_, a) => a))}: ${format(found.data[frame.cursor], 6)}`);
    if (frame.selects) frame.onpick(entry, { keepFocus: frame.title });
    else showCursor(frame, entry);
  }
  if (event.key === "Enter") {
    event.preventDefault();
    frame.onpick?.(found.entryAt(here));
  }
}

function showCursor(frame, entry) {
  const related = frame.related ?? [];
  drawMap({ ...frame, related: [...related, entry] });
}

/** The numbers themselves, written down only when they are asked for. */
function tableOf({ title, node, found }) {
  const details = h("details", { class: "table" }, h("summary", {}, "as a table"));
  details.addEventListener("toggle", () => {
    if (details.open && details.childElementCount === 1) details.append(tableBody(title, node, found));
  });
  return details;
}

function tableBody(title, node, found) {
  const rank = found.shape.length;
  const columns = found.indices.at(-1);
  const name = (axis, i) => label(node, Object.assign([], { [axis]: i }), [axis]);
  const rows = found.data.length / columns.length;
  const body = Array.from({ length: rows }, (_, row) => {
    const entry = found.entryAt(row * columns.length);
    const head = rank === 1 ? h("td") : h("th", { scope: "row" }, label(node, entry, entry.slice(0, -1).map((_, a) => a)));
    return h("tr", {}, head, columns.map((_, i) => h("td", { "data-value": String(found.data[row * columns.length + i]) }, format(found.data[row * columns.length + i]))));
  });
  return h(
    "div",
    { class: "table-scroll", tabindex: 0, role: "region", "aria-label": `${title}: table` },
    h("table", {}, h("thead", {}, h("tr", {}, h("td"), columns.map((i) => h("th", { scope: "col" }, name(rank - 1, i))))), h("tbody", {}, body)),
  );
}
