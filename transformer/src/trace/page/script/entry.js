// Which entry of a tensor is selected: the one in the hash, or the largest whose whole working the page can show; among
// those that were checked, if `node` says whose they are.

function defaultEntry(found, working, { lastRow = false, node = null } = {}) {
  if (!found) return null;
  if (found.shape.length === 0) return [];
  const rank = found.shape.length;
  const inRow = (i) => !lastRow || found.entryAt(i)[rank - 2] === found.shape[rank - 2] - 1; // the token that sees all others
  const order = Array.from(found.data.keys()).filter((i) => Number.isFinite(found.data[i]) && inRow(i));
  if (order.length === 0) return found.entryAt(0);
  const checked = (checksOf.get(node)?.all ?? []).map(({ entry }) => found.offset(entry)).filter((offset) => offset !== undefined && inRow(offset));
  const largest = [checked, order].flatMap((offsets) => topOf(offsets, found.data, 24)).map((offset) => found.entryAt(offset));
  return largest.find((entry) => {
    const shown = working(entry);
    return found.at(entry) !== 0 && (shown === null || isWhole(shown));
  }) ?? largest[0];
}

/** The `count` offsets with the largest |x|, the first of equals first. */
function topOf(offsets, data, count) {
  const top = [];
  for (const offset of offsets) {
    const size = Math.abs(data[offset]);
    if (top.length === count && size <= Math.abs(data[top[count - 1]])) continue;
    let place = top.length;
    while (place > 0 && Math.abs(data[top[place - 1]]) < size) place -= 1;
    top.splice(place, 0, offset);
    if (top.length > count) top.pop();
  }
  return top;
}

/** "[b 0, n 5 ␣, d 3]" with a field in which another entry can be typed. */
function entryForm(node, entry) {
  const shape = trace.nodes[node].shape;
  if (shape.length === 0) return null;
  const field = h("input", { id: "entry-field", value: entry.join(","), size: Math.max(6, entry.join(",").length + 1), inputmode: "numeric", autocomplete: "off", spellcheck: "false" });
  const form = h("form", { class: "entry-form" }, h("label", { for: "entry-field" }, "entry"), field, h("button", { type: "submit" }, "show"), h("span", { class: "entry-name", dir: "auto" }, label(node, entry, entry.map((_, a) => a))));
  form.addEventListener("submit", (event) => {
    event.preventDefault();
    const wanted = field.value.split(/[\s,]+/).filter(Boolean).map(Number);
    const fits = wanted.length === shape.length && wanted.every((i, a) => Number.isInteger(i) && i >= 0 && i < shape[a]);
    if (!fits) {
      field.setCustomValidity(`Give ${shape.length} indices below ${shape.join(", ")}.`);
      field.reportValidity();
      return;
    }
    go({ k: state.k, node: state.node, entry: wanted });
  });
  field.addEventListener("input", () => field.setCustomValidity(""));
  return form;
}
