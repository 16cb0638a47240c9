// Where the entries of a tensor lie on a plane: the last two axes are rows and columns, the others make facets side by
// side: a head, a window of the batch. A single column lies down, as a row.

function planOf(found, width, { labels = false } = {}) {
  const sizes = found.indices.map((axis) => axis.length);
  const rank = sizes.length;
  const [tallSize, wideSize] = [rank > 1 ? sizes[rank - 2] : 1, rank > 0 ? sizes[rank - 1] : 1];
  const [rows, columns] = wideSize === 1 ? [1, tallSize] : [tallSize, wideSize];
  const facets = numel(sizes.slice(0, -2));
  const margin = labels ? 16 : 0;
  const gap = 14;
  const edge = 3; // for the frame of a selected entry
  const room = (across) => (width - 2 * edge - across * margin - (across - 1) * gap) / (across * columns);
  const across = [facets, 4, 3, 2, 1].filter((n) => n <= facets).find((n) => room(n) >= (labels ? 6 : 3)) ?? 1;
  const cell = Math.max(1, Math.min(Math.floor(room(across)), rows === 1 ? 18 : labels ? 16 : 12, Math.max(3, Math.floor(420 / rows))));
  const tall = rows === 1 ? Math.max(cell, 14) : cell;
  const stepX = columns * cell + margin + gap;
  const head = facets > 1 ? 18 : 0;
  const stepY = rows * tall + margin + gap + head;
  const down = Math.ceil(facets / across);
  return {
    rows, columns, facets, cell, tall, margin, head, sizes,
    width: across * stepX - gap + 2 * edge,
    height: down * stepY - gap + 2 * edge,
    corner: (facet) => [(facet % across) * stepX + margin + edge, Math.floor(facet / across) * stepY + margin + head + edge],
  };
}

/** Top left corner of the entry that lies at `offset`. */
function cornerOf(plan, offset) {
  const facet = Math.floor(offset / (plan.rows * plan.columns));
  const [x, y] = plan.corner(facet);
  return [x + (offset % plan.columns) * plan.cell, y + (Math.floor(offset / plan.columns) % plan.rows) * plan.tall];
}

/** The offset of the entry under a point, or null. */
function offsetUnder(plan, x, y) {
  for (let facet = 0; facet < plan.facets; facet++) {
    const [left, top] = plan.corner(facet);
    const [column, row] = [Math.floor((x - left) / plan.cell), Math.floor((y - top) / plan.tall)];
    if (column >= 0 && column < plan.columns && row >= 0 && row < plan.rows) {
      return (facet * plan.rows + row) * plan.columns + column;
    }
  }
  return null;
}
