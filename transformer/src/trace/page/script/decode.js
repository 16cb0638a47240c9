// Tensors out of the page's data: base64 → deflate → little-endian f32 (f64 for checks), by the browser's own
// decompressor. Equal tensors share their numbers.
//
// A large tensor is a sample: `indices` names, axis by axis, which ones are here. What is not here is `undefined`,
// never 0.

class Tensor {
  constructor(shape, indices, data, stats) {
    this.shape = shape;
    this.indices = indices ?? shape.map((size) => Array.from({ length: size }, (_, i) => i));
    this.sampled = indices !== null && indices !== undefined;
    this.data = data;
    this.stats = stats;
    this.places = this.indices.map((axis, a) => (this.sampled && axis.length < shape[a] ? new Map(axis.map((i, place) => [i, place])) : null));
    this.strides = stridesOf(this.indices.map((axis) => axis.length));
  }

  /** Where an entry lies in `data`, or undefined. */
  offset(entry) {
    let offset = 0;
    for (let a = 0; a < entry.length; a++) {
      const place = this.places[a] ? this.places[a].get(entry[a]) : entry[a];
      if (place === undefined || place < 0 || place >= this.indices[a].length) return undefined;
      offset += place * this.strides[a];
    }
    return offset;
  }

  at(entry) {
    const offset = this.offset(entry);
    return offset === undefined ? undefined : this.data[offset];
  }

  /** The entry that lies at `offset` in `data`. */
  entryAt(offset) {
    return this.strides.map((stride, a) => this.indices[a][Math.floor(offset / stride) % this.indices[a].length]);
  }

  /** The largest finite |x| of the whole tensor, omitted entries included. */
  get largest() {
    const { min, max } = this.stats ?? {};
    if (Number.isFinite(min) && Number.isFinite(max)) return Math.max(Math.abs(min), Math.abs(max));
    return this.data.reduce((most, x) => (Number.isFinite(x) ? Math.max(most, Math.abs(x)) : most), 0);
  }

  /** This + other, entry by entry; both are samples of the same places. */
  plus(other) {
    return new Tensor(this.shape, this.sampled ? this.indices : null, this.data.map((x, i) => x + (other.at(this.entryAt(i)) ?? NaN)), null);
  }
}

function stridesOf(sizes) {
  const strides = sizes.map(() => 1);
  for (let a = sizes.length - 2; a >= 0; a--) strides[a] = strides[a + 1] * sizes[a + 1];
  return strides;
}

const arrays = new Map(); // place in `data` → its numbers, or the promise of them
const tensors = new Map(); // blob → Tensor

/** The numbers of an entry of `data`, if they have been decoded. */
function numbersOf(place) {
  const found = arrays.get(place);
  return found instanceof Promise ? undefined : found;
}

/** The tensor of a blob that `ready` has seen. */
function tensor(blob) {
  if (!blob) return null;
  if (!tensors.has(blob) && numbersOf(blob.data)) tensors.set(blob, new Tensor(blob.shape, blob.indices, numbersOf(blob.data), blob.stats));
  return tensors.get(blob) ?? null;
}

/** Resolves when all of the blobs are decoded; null if they are already, so that a step can be drawn at once. */
function ready(blobs) {
  const missing = blobs.filter((blob) => blob && !numbersOf(blob.data));
  return missing.length === 0 ? null : Promise.all(missing.map(decode));
}

function decode({ data, wide = false }) {
  if (!arrays.has(data)) {
    arrays.set(data, inflate(trace.data[data], wide).then((numbers) => {
      arrays.set(data, numbers);
      trace.data[data] = null; // the text is not needed any more
    }));
  }
  return arrays.get(data);
}

/** Decodes all that is left, a little at a time, so that the page can be used meanwhile. */
async function everything() {
  const wide = new Set([...checksOf.values()].map(({ numbers }) => numbers.data));
  for (let data = 0; data < trace.data.length; data++) {
    await ready([{ data, wide: wide.has(data) }]);
    if (data % 32 === 31) await new Promise((resume) => setTimeout(resume));
  }
}

async function inflate(text, wide) {
  const packed = Uint8Array.from(atob(text), (letter) => letter.charCodeAt(0));
  const stream = new Blob([packed]).stream().pipeThrough(new DecompressionStream("deflate"));
  const view = new DataView(await new Response(stream).arrayBuffer());
  if (wide) return Float64Array.from({ length: view.byteLength / 8 }, (_, i) => view.getFloat64(8 * i, true));
  return Float32Array.from({ length: view.byteLength / 4 }, (_, i) => view.getFloat32(4 * i, true));
}
